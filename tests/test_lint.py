"""The files that are not Python pass the linters of their kind, as rendered."""

from __future__ import annotations

import subprocess

import kubernetes_validate
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from conftest import COVERING, cases
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


def test_kubernetes_manifests_are_valid(project):
    for name in ("base/chatbot.yaml", "with-services/services.yaml"):
        for manifest in filter(None, yaml.safe_load_all(project.read(f"deploy/kubernetes/{name}"))):
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


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
    assert images == {service["image"] for service in services.values() if "build" not in service}


def test_the_dockerfile_lints_clean(bake):
    passes("hadolint", "deploy/Dockerfile", cwd=bake().path)


def test_the_github_workflow_is_valid_and_audited(bake):
    workflow = ".github/workflows/ci.yml"
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow, cwd=bake().path)
    passes("zizmor", "--offline", "--no-progress", "--min-severity=medium", workflow, cwd=bake().path)


def test_the_gitlab_pipeline_is_valid(bake):
    file = ".gitlab-ci.yml"
    passes("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", file, cwd=bake(ci="gitlab").path)


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_compose_runs_the_processes_of_the_procfile(name, project):
    services = yaml.safe_load(project.read(COMPOSE))["services"]
    procfile = dict(line.split(": ", 1) for line in project.read("Procfile").splitlines())
    command = services[name]["command"]
    assert procfile[name] == " ".join(["chatbot", *([command] if isinstance(command, str) else command)])
