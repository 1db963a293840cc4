"""Bake each combination once, then ask it many things: `bake(vector_db="chroma").read("pyproject.toml")`."""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
CATALOG: dict[str, Any] = CONTEXT["_catalog"]
FACTORS = {"vector_db": "vector_store", "queue": "queue", "secrets_backend": "secrets"}
"""Each factor choice and the folder of its adapters under templates/."""
SKELETON = ROOT / "{{cookiecutter.project_slug}}"
RESULTS = ROOT / "build" / "combinations.json"
"""What the last run found of each combination."""

COMBINATIONS = [
    dict(zip(FACTORS, choices, strict=True)) for choices in itertools.product(*(CONTEXT[name] for name in FACTORS))
]
OTHERS = {"corpus": "hal", "language": "fr"}
COVERING = [
    {name: CONTEXT[name][row % len(CONTEXT[name])] for name in FACTORS} | (OTHERS if row % 2 else {})
    for row in range(max(len(CONTEXT[name]) for name in FACTORS))
]
"""Few combinations in which each choice occurs: for what takes minutes."""


def spelled(answers: dict[str, str]) -> str:
    return "-".join(answers[name] for name in FACTORS)


def cases(combinations: list[dict[str, str]], purpose: str) -> list[Any]:
    """Parameters that keep all tests of one combination in one process, so that it is baked there and nowhere else."""
    return [
        pytest.param(answers, id=spelled(answers), marks=pytest.mark.xdist_group(f"{purpose}-{spelled(answers)}"))
        for answers in combinations
    ]


@dataclass(frozen=True)
class BakedProject:
    """A generated project, and how a test looks at it."""

    path: Path

    def read(self, name: str) -> str:
        return (self.path / name).read_text("utf-8")

    def files(self) -> list[str]:
        """The project's files as its first commit holds them."""
        return self.run("git", "ls-files").stdout.splitlines()

    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads(self.read("pyproject.toml"))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project as its new owner would; a failure shows all that it printed."""
        env = {**clean_environment(), **environment}
        done = subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True, timeout=1500)
        assert done.returncode == 0, f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many combinations passed and how long they took; `make docs` makes a page of what is written here."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    found = [dict(report.user_properties) | {"passed": report.passed} for report in reports]
    checked = [entry for entry in found if "combination" in entry]
    if checked:
        passed = sum(entry["passed"] for entry in checked)
        seconds = sum(entry["seconds"] for entry in checked if "seconds" in entry)
        terminalreporter.write_line(f"combinations: {passed} of {len(checked)} passed, {seconds:.0f} s of work")
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(checked, indent=1), "utf-8")


def clean_environment() -> dict[str, str]:
    """This environment without the variables that belong to this repository's own tools."""
    return {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL"}}


@pytest.fixture(scope="session")
def bake(cookies_session: Any) -> Callable[..., BakedProject]:
    """Generate with the given answers, once a session for the same ones. Do not change the project: `copy` it."""

    @functools.cache
    def baked(**answers: str) -> BakedProject:
        result = cookies_session.bake(extra_context=answers)
        assert result.exception is None, result.exception
        return BakedProject(result.project_path)

    return baked


@pytest.fixture
def copy(bake: Callable[..., BakedProject], tmp_path: Path) -> Callable[..., BakedProject]:
    """The same, in a copy that the test may change."""

    def copied(**answers: str) -> BakedProject:
        return BakedProject(Path(shutil.copytree(bake(**answers).path, tmp_path / "project")))

    return copied


@pytest.fixture(params=cases(COMBINATIONS, "render"))
def project(request: pytest.FixtureRequest, bake: Callable[..., BakedProject]) -> BakedProject:
    """Every combination of the factor choices."""
    return bake(**request.param)


@pytest.fixture(params=cases(COVERING, "run"))
def fresh(request: pytest.FixtureRequest, copy: Callable[..., BakedProject]) -> BakedProject:
    """A copy of a few combinations that hold each choice, for what takes minutes."""
    return copy(**request.param)
