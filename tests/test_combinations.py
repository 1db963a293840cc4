"""Every combination as its owner gets it: its own environment from its own lock, its imports, types and own tests.

Combinations come one after the other to the same path, and so do their environments: a lock takes out what the one
before it had more, puts in what is missing, and the first step looks that nothing else is there. Downloads, compiled
bytecode and mypy's cache are shared; a file's time is made of its content, so that what was compiled or checked of the
same content is found again, and of another is not. A failure names the combination, the step, and the command that
repeats it alone.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest
from conftest import COVERING, ROOT, BakedProject, clean_environment, spelled
from own_tests import own_tests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROBE = Path(__file__).with_name("probe.py")
OWN_TESTS = ["tests/chosen", "tests/twelve_factors"]
"""What a choice touches and needs no server: settings, adapters, manual, deployment files, and that web, worker and
scheduler boot and stop. The rest is the same in every project, byte by byte (test_render.py), so test_first_run.py
runs it in the few combinations that hold each choice."""


def placed(project: BakedProject, path: Path) -> BakedProject:
    """A copy of the project at that path, in place of the one before."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(project.path, path)
    for file in path.rglob("*.py"):
        time_of_content = zlib.crc32(file.read_bytes()) >> 1
        os.utime(file, (time_of_content, time_of_content))
    return BakedProject(path)


class Environment:
    """A virtual environment for one project, and what runs in it."""

    def __init__(self, project: BakedProject, shared: Path, typed: Path, covering: bool) -> None:
        self.project = placed(project, shared / "project")
        self.covering = covering
        self._types, self._typed = shared / "mypy", typed
        if typed.exists() and not self._types.exists():
            shutil.copytree(typed, self._types)
        self._path = path = shared / "environment"
        self._environ = {
            **clean_environment(),
            "PATH": f"{path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.project.path / "src"),
            "PYTHONPYCACHEPREFIX": str(shared / "bytecode"),
            "MYPY_CACHE_DIR": str(self._types),
        }
        if not path.exists():
            self.run("uv", "venv", "--quiet", str(path))

    def install(self, lock: str) -> None:
        """Exactly what the lock names, checked against its hashes; what else was there goes."""
        python = str(self._path / "bin" / "python")
        self.run("uv", "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock)

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.project.path, env=self._environ, capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def hand_on_types(self) -> None:
        """To the other processes of this run, once: the first mypy takes as long as ten others."""
        if not self._typed.exists():
            copy = shutil.copytree(self._types, self._typed.with_name(f"mypy-{os.getpid()}"))
            with suppress(OSError):  # another process was faster
                copy.rename(self._typed)

    def installed(self) -> dict[str, Distribution]:
        (site,) = self._path.glob("lib/python*/site-packages")
        return {canonicalize_name(found.name): found for found in distributions(path=[str(site)])}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def typed(shared: Path, request: pytest.FixtureRequest) -> Path:
    """Where all processes of this run find what mypy knows already, once one of them has left it there."""
    one_of_many = hasattr(request.config, "workerinput")
    return shared.parents[1 if one_of_many else 0] / "mypy"


@pytest.fixture
def environment(
    project: BakedProject, shared: Path, typed: Path, request: pytest.FixtureRequest
) -> Iterator[Environment]:
    covering = request.node.callspec.id in map(spelled, COVERING)
    try:
        yield Environment(project, shared, typed, covering)
    except AssertionError as error:
        pytest.fail(f"no environment\n{error}")


def needed(declared: list[str], installed: dict[str, Distribution]) -> set[str]:
    """The distributions that the declared requirements need here, by following what each one says it requires."""
    found: set[str] = set()
    followed: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in declared]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        for wanted in {"", *requirement.extras}:
            if name in installed and (name, wanted) not in followed:
                followed.add((name, wanted))
                waiting += [(Requirement(line), wanted) for line in installed[name].requires or []]
    return found


def runtime_lock_is_exact(environment: Environment) -> None:
    environment.install("requirements.lock")
    installed = environment.installed()
    assert needed(environment.project.pyproject()["project"]["dependencies"], installed) == installed.keys()


def every_module_imports(environment: Environment) -> None:
    """And what functions import is there. In the few that hold each choice it is imported too, which takes seconds."""
    found = json.loads(environment.run("python", str(PROBE), *(["--import"] if environment.covering else [])))
    assert found["missing"] == []
    assert found["modules"] >= 25


def types_are_right(environment: Environment) -> None:
    environment.install("requirements-dev.lock")
    environment.run("mypy")
    environment.hand_on_types()


def own_tests_pass(environment: Environment) -> dict[str, Any]:
    """How many there are, and which took two attempts. They need no program but Python and git, so none is skipped."""
    found = own_tests(environment.run, "python", "-m", "pytest", "-q", "-m", "not services and not slow", *OWN_TESTS)
    assert found.missing == {}, found.output
    return {"tests": found.passed, "repeated": found.repeated, "failures": found.failures}


STEPS: list[Callable[[Environment], dict[str, Any] | None]] = [
    runtime_lock_is_exact,
    every_module_imports,
    types_are_right,
    own_tests_pass,
]


def test_combination(environment: Environment, request: pytest.FixtureRequest, record_property) -> None:
    answers = request.node.callspec.params["project"]
    record_property("combination", answers)
    began, used = time.monotonic(), cpu_seconds()
    for step in STEPS:
        started = time.monotonic()
        try:
            found = step(environment)
        except AssertionError as error:
            repeat = "make combo VECTOR_DB={vector_db} QUEUE={queue} SECRETS={secrets_backend}".format(**answers)
            pytest.fail(f"{request.node.callspec.id}: not so: {step.__name__}. Repeat it alone: {repeat}\n\n{error}")
        record_property(step.__name__, round(time.monotonic() - started, 1))
        for name, value in (found or {}).items():
            record_property(name, value)
    record_property("seconds", round(time.monotonic() - began, 1))
    record_property("cpu", round(cpu_seconds() - used, 1))


def cpu_seconds() -> float:
    """What the ended child processes used: a figure that other work on the machine does not stretch."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_make_combo_repeats_one_combination() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "combo", "VECTOR_DB=chroma", "QUEUE=redis", "SECRETS=files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "test_combination[chroma-redis-files]" in done.stdout
