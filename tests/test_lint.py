"""The files that are not Python pass the linters of their kind, as rendered."""

from __future__ import annotations

import subprocess

import pytest
import yaml


def passes(*command: str, cwd) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_is_valid(project):
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml", cwd=project.path)


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
    services = yaml.safe_load(project.read("deploy/compose.yaml"))["services"]
    procfile = dict(line.split(": ", 1) for line in project.read("Procfile").splitlines())
    command = services[name]["command"]
    assert procfile[name] == " ".join(["chatbot", *([command] if isinstance(command, str) else command)])
