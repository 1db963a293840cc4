"""The files that are not Python pass the linters of their kind, as rendered."""

from __future__ import annotations

import functools
import json
import re
import subprocess

import kubernetes_validate
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from conftest import CATALOG, CONTEXT, COVERING, cases
from jsonschema import validators

COMPOSE = "deploy/compose.yaml"
KUBERNETES = "1.33"
"""An older release that is still supported: what it takes, newer ones take."""


def passes(*command: str, cwd) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def compose_schema():
    schema = get_builtin_schema("vendor.compose-spec")
    return validators.validator_for(schema)(schema)


def test_compose_is_valid(project, compose_schema):
    assert [error.message for error in compose_schema.iter_errors(yaml.safe_load(project.read(COMPOSE)))] == []


@functools.cache
def validated(text):
    """Raises for what the API would refuse. The same manifests are looked at once a session."""
    for manifest in filter(None, yaml.safe_load_all(text)):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_kubernetes_manifests_are_valid(project):
    for name in ("base/chatbot.yaml", "with-services/services.yaml", "prefect/worker.yaml"):
        validated(project.read(f"deploy/kubernetes/{name}"))


@pytest.fixture(params=CONTEXT["secrets_backend"])
def base(request, bake):
    """The store of secrets, and by kind and name what the manifests of the base say: no other choice changes them."""
    text = bake(secrets_backend=request.param).read("deploy/kubernetes/base/chatbot.yaml")
    manifests = filter(None, yaml.safe_load_all(text))
    return request.param, {(each["kind"], each["metadata"]["name"]): each.get("spec") for each in manifests}


def pods(manifests):
    """By name, what each process is told to run."""
    running = {name: spec for (kind, name), spec in manifests.items() if kind in ("Deployment", "Job")}
    return {name: spec["template"]["spec"] for name, spec in running.items()}


def test_kubernetes_pods_are_confined(base):
    """As the level `restricted` of the pod security standards demands, and more."""
    backend, manifests = base
    assert pods(manifests).keys() == {"release", "web", "worker", "scheduler"}
    for pod in pods(manifests).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["serviceAccountName"] == "chatbot"
        assert pod["automountServiceAccountToken"] is CATALOG["secrets_backend"][backend]["identity"]
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert all(volume.keys() & {"emptyDir", "secret"} for volume in pod["volumes"])
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]


def test_kubernetes_manifests_hold_no_secret(base):
    _, manifests = base
    assert "Secret" not in {kind for kind, _ in manifests}
    for pod in pods(manifests).values():
        (container,) = pod["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "chatbot"}}]
        assert {each["name"] for each in container.get("env", [])} <= {"METRICS_PORT"}


def test_kubernetes_asks_web_whether_it_is_ready_and_alive(base):
    _, manifests = base
    web = pods(manifests)["web"]
    (container,) = web["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz?needed=true"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert web["terminationGracePeriodSeconds"] > 25  # SHUTDOWN_GRACE
    allowed = manifests["PodDisruptionBudget", "web"]["maxUnavailable"]
    assert manifests["Deployment", "web"]["replicas"] > allowed == 1


def test_the_jobs_of_the_kubernetes_work_pool_are_valid(bake):
    """Prefect fills the template's variables in; what is left away has no default."""
    template = json.loads(bake().read("deploy/prefect/kubernetes-pool.json"))
    defaults = {name: about.get("default") for name, about in template["variables"]["properties"].items()}
    given = {"name": "harvest", "namespace": "bot", "labels": {}, "annotations": {}, "command": ["prefect"], "env": []}
    manifest = filled(template["job_configuration"]["job_manifest"], {**defaults, **given})
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    pod = manifest["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "chatbot"}}]


def filled(part, values):
    """As Prefect does it: `{{ name }}` alone becomes the value itself, and what has none is left out."""
    if isinstance(part, dict):
        found = {key: filled(value, values) for key, value in part.items()}
        return {key: value for key, value in found.items() if value is not None}
    if isinstance(part, list):
        return [filled(value, values) for value in part]
    if isinstance(part, str) and (match := re.fullmatch(r"\{\{ (\w+) \}\}", part)):
        return values.get(match[1])
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: str(values[found[1]]), part) if isinstance(part, str) else part


def test_prefect_deploys_each_pipeline_to_both_pools(project):
    text = yaml.safe_load(project.read("prefect.yaml"))
    deployed = {(each["work_pool"]["name"], each["entrypoint"].rpartition(":")[2]) for each in text["deployments"]}
    names = {"harvest", "ingest", "index", "benchmark", "report", "purge", "migrate"}
    assert deployed == {(pool, name) for pool in ("process-pool", "kubernetes-pool") for name in names}
    assert all(each["concurrency_limit"]["limit"] == 1 for each in text["deployments"])


@pytest.mark.parametrize("overlay", ["base", "with-services"])
@pytest.mark.parametrize("answers", cases(COVERING, "render"))
def test_kustomize_builds(answers, overlay, bake):
    project = bake(**answers)
    done = project.run("kubectl", "kustomize", f"deploy/kubernetes/{overlay}")
    kinds = [manifest["kind"] for manifest in yaml.safe_load_all(done.stdout)]
    assert kinds.count("Deployment") == 3


def test_compose_and_kubernetes_run_the_same_servers(project):
    services = yaml.safe_load(project.read(COMPOSE))["services"]
    manifests = filter(None, yaml.safe_load_all(project.read("deploy/kubernetes/with-services/services.yaml")))
    images = {m["spec"]["template"]["spec"]["containers"][0]["image"] for m in manifests if m["kind"] == "StatefulSet"}
    attached = [service for service in services.values() if "build" not in service and "profiles" not in service]
    assert images == {service["image"] for service in attached}


def test_the_dockerfile_lints_clean(bake):
    passes("hadolint", "deploy/Dockerfile", cwd=bake().path)


@pytest.mark.parametrize("vector_db", CONTEXT["vector_db"])
def test_the_github_workflow_is_valid_and_audited(vector_db, bake):
    workflow, project = ".github/workflows/ci.yml", bake(vector_db=vector_db)
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow, cwd=project.path)
    passes("zizmor", "--offline", "--no-progress", "--min-severity=medium", workflow, cwd=project.path)


@pytest.mark.parametrize("vector_db", CONTEXT["vector_db"])
def test_the_gitlab_pipeline_is_valid(vector_db, bake):
    project = bake(vector_db=vector_db, ci="gitlab")
    passes("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab-ci.yml", cwd=project.path)


@pytest.mark.parametrize(("ci", "file"), [("github", ".github/workflows/ci.yml"), ("gitlab", ".gitlab-ci.yml")])
@pytest.mark.parametrize("vector_db", CONTEXT["vector_db"])
def test_the_ci_starts_the_server_that_a_laptop_has_a_stand_in_for(ci, file, vector_db, bake):
    entry, text = CATALOG["vector_db"][vector_db], bake(vector_db=vector_db, ci=ci).read(file)
    started = bool(entry["image"]) and entry["image"] in text and "VECTOR_DB_URL" in text
    assert started == entry["stand_in"]


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_compose_runs_the_processes_of_the_procfile(name, project):
    services = yaml.safe_load(project.read(COMPOSE))["services"]
    procfile = dict(line.split(": ", 1) for line in project.read("Procfile").splitlines())
    command = services[name]["command"]
    assert procfile[name] == " ".join(["chatbot", *([command] if isinstance(command, str) else command)])
