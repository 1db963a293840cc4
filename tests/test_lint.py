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
