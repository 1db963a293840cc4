"""Every project carries its complete, hashed lock, made without a network, that pip and uv both install."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import CATALOG, CONTEXT, COVERING, FACTORS, ROOT, SKELETON, cases, clean_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNION = (SKELETON / "requirements-dev.lock").read_text("utf-8")
PREFECT = (SKELETON / "requirements-prefect.lock").read_text("utf-8")
PROBE = Path(__file__).with_name("probe.py")


def pins(lock: str) -> dict[str, set[str]]:
    """The locked versions of each package (two where platforms differ)."""
    found: dict[str, set[str]] = {}
    for name, pinned in re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, flags=re.M):
        found.setdefault(name, set()).add(pinned)
    return found


def name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def requirements(project) -> list[Requirement]:
    return [Requirement(line) for line in project.pyproject()["project"]["dependencies"]]


def test_the_lock_holds_each_dependency_within_its_range(project):
    locked = pins(project.read("requirements.lock"))
    for requirement in requirements(project):
        versions = locked[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(v) for v in versions), requirement


def test_every_dependency_is_bounded_above(project):
    groups = project.pyproject()["dependency-groups"]["dev"]
    for requirement in [*requirements(project), *map(Requirement, groups)]:
        assert {s.operator for s in requirement.specifier} >= {"<"}, requirement


def test_every_package_is_hashed_and_none_names_a_host(project):
    locks = ("requirements.lock", "requirements-dev.lock", "requirements-prefect.lock", "deploy/prefect/server.lock")
    for name in locks:
        lock = project.read(name)
        assert "://" not in lock
        for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.M)[1:]:
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_prefect_has_a_lock_of_its_own(project):
    """It is complete for the pipelines, within the ranges, and nothing that serves users holds Prefect."""
    extras = project.pyproject()["project"]["optional-dependencies"]
    wanted = [*requirements(project), *(Requirement(line) for lines in extras.values() for line in lines)]
    locked = pins(project.read("requirements-prefect.lock"))
    for requirement in wanted:
        versions = locked[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(v) for v in versions), requirement
    assert "prefect" not in pins(project.read("requirements.lock")) | pins(project.read("requirements-dev.lock"))
    assert locked.items() <= pins(PREFECT).items()
    assert "pytest" not in locked


def test_the_prefect_server_has_another_beside_it():
    """Of the same version, and with the FastAPI that it starts with."""
    locked = pins((SKELETON / "deploy" / "prefect" / "server.lock").read_text("utf-8"))
    asked = (SKELETON / "deploy" / "prefect" / "server.in").read_text("utf-8")
    for line in re.findall(r"^[a-z][^ #]+", asked, flags=re.M):
        requirement = Requirement(line)
        assert all(requirement.specifier.contains(version) for version in locked[requirement.name]), line
    assert locked["prefect"] == pins(PREFECT)["prefect"]


def test_the_runtime_lock_is_the_dev_lock_without_the_tools(project):
    runtime, dev = pins(project.read("requirements.lock")), pins(project.read("requirements-dev.lock"))
    assert runtime.items() <= dev.items()
    assert "pytest" in dev.keys() - runtime.keys()


def test_the_packages_of_other_choices_are_not_in_the_lock(project, request):
    """Those that no chosen part needs: SQS and Secrets Manager share an SDK."""
    answers = request.node.callspec.params["project"]
    entries = {(factor, choice): CATALOG[factor][choice] for factor in FACTORS for choice in CONTEXT[factor]}
    named = {key: set(map(name, entry["dependencies"] + entry["dev_dependencies"])) for key, entry in entries.items()}
    chosen = set().union(*(named[factor, answers[factor]] for factor in FACTORS))
    others = set().union(*named.values()) - chosen
    assert others
    assert not others & pins(project.read("requirements-dev.lock")).keys()


def test_versions_are_the_same_in_every_combination(project):
    assert pins(project.read("requirements-dev.lock")).items() <= pins(UNION).items()


@pytest.mark.parametrize("answers", cases(COVERING[:2], "pip"))
def test_plain_pip_installs_the_lock_too(answers, bake, tmp_path):
    project = bake(**answers)
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    lock = str(project.path / "requirements.lock")
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes"]
    subprocess.run([*install, "--requirement", lock], check=True, env=clean_environment(), timeout=900)
    env = {**clean_environment(), "PYTHONPATH": str(project.path / "src")}
    done = subprocess.run([str(python), str(PROBE)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["missing"] == []


def test_the_lock_names_each_part_that_exists():
    named = {part for line in re.findall(r"# for: (.*)", UNION) for part in line.split(", ")}
    assert {"core", "dev"} <= named
    assert all(part.removeprefix("dev.").split(".")[0] in FACTORS for part in named - {"core", "dev"})


def test_the_tools_that_run_these_tests_are_the_locked_ones():
    locked = pins((ROOT / "requirements.lock").read_text("utf-8"))
    for name in ("cookiecutter", "pytest", "pytest-cookies", "ruff"):
        assert version(name) in locked[name]
