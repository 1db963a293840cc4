"""Bake each combination once, then ask it many things: `bake(vector_db="chroma").read("pyproject.toml")`."""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catalogue
import pytest

ROOT = Path(__file__).parents[1]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
CATALOG: dict[str, Any] = CONTEXT["_catalog"]
FACTORS = catalogue.FOLDERS
"""Each factor choice, and its folder under templates/: the name of the chosen module too."""
SKELETON = ROOT / "{{cookiecutter.project_slug}}"
RESULTS = ROOT / "build"
"""Where the last run's findings are kept."""

COMBINATIONS = [
    dict(zip(FACTORS, choices, strict=True)) for choices in itertools.product(*(CONTEXT[name] for name in FACTORS))
]
OTHERS = {"corpus": "hal", "language": "fr"}
STEPS = {"vector_db": 1, "queue": 3, "secrets_backend": 1}
COVERING = [
    {name: CONTEXT[name][row * step % len(CONTEXT[name])] for name, step in STEPS.items()} | (OTHERS if row % 2 else {})
    for row in range(max(len(CONTEXT[name]) for name in FACTORS))
]
"""Few combinations in which each choice occurs, for what takes minutes; the first two need no server that a machine
might not have."""


def spelled(answers: dict[str, str]) -> str:
    return "-".join(answers[name] for name in FACTORS)


def cases(combinations: list[dict[str, str]], purpose: str) -> list[Any]:
    """Parameters that keep all tests of one combination in one process, so that it is baked there and nowhere else.

    And near those that differ in their secrets only: what was installed, compiled and typed for one serves the next.
    """
    return [
        pytest.param(answers, id=spelled(answers), marks=pytest.mark.xdist_group(f"{purpose}-{neighbours(answers)}"))
        for answers in combinations
    ]


def neighbours(answers: dict[str, str]) -> str:
    return "-".join(answers[name] for name in FACTORS if name != "secrets_backend")


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
        done = subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True, timeout=3000)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


class Progress:
    """Says after each combination how many are done: 150 dots would not."""

    def __init__(self, config: pytest.Config) -> None:
        self._terminal = config.pluginmanager.getplugin("terminalreporter")
        self._began = time.monotonic()
        self.checked: list[dict[str, Any]] = []
        self.conformance: dict[str, dict[str, list[Any]]] = {}
        """By factor and choice: how many tests passed, and what against."""
        self.repeated: list[dict[str, str]] = []
        """The tests of generated projects that passed at the second attempt only, and where."""
        self.missing: Counter[str] = Counter()
        """Why tests were skipped, here and in generated projects, and how many."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = dict(report.user_properties)
        if failures := found.pop("failures", "") if report.when == "call" else "":
            self._terminal.write_line(f"\n{report.nodeid}: failed at first, and passed then\n{failures}")
        if report.when == "call" and "combination" in found:
            self.checked.append(found | {"passed": report.passed})
            name, outcome = spelled(found["combination"]), "passed" if report.passed else "FAILED"
            of = len(COMBINATIONS)
            self._terminal.write_line(f"\n[{len(self.checked)}/{of}] {name} {outcome}, {found.get('seconds', '-')} s")
        if report.when == "call":
            project = report.nodeid.partition("[")[2].partition("]")[0]
            self.repeated += [{"test": test, "project": project} for test in found.get("repeated", ())]
            self.missing.update(found.get("missing", {}))
        if report.skipped and isinstance(report.longrepr, tuple):
            self.missing[report.longrepr[2].removeprefix("Skipped: ")] += 1
        if report.failed:  # at once: a run that is stopped must have said what was wrong
            self._terminal.write_line(f"\n{report.nodeid} FAILED\n{report.longreprtext[-8000:]}")
        if report.passed and "conformance" in found:
            for factor, choice, passed, against in found["conformance"]:
                self.conformance.setdefault(factor, {})[choice] = [passed, against]

    def pytest_terminal_summary(self) -> None:
        """What passed, and against what; written down too, for `make matrix`."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        if self.checked:
            passed = sum(entry["passed"] for entry in self.checked)
            cpu = sum(entry.get("cpu", 0) for entry in self.checked)
            took = time.monotonic() - self._began
            times = f"{cpu:.0f} s of a core, {took:.0f} s in all"
            self._terminal.write_line(f"combinations: {passed} of {len(self.checked)} passed, {times}")
            (RESULTS / "combinations.json").write_text(json.dumps(self.checked, indent=1), "utf-8")
        if self.conformance:
            self._terminal.section("conformance: each choice, and what it was tested against")
            for factor, choices in self.conformance.items():
                for choice, (number, against) in choices.items():
                    self._terminal.write_line(f"{factor:<16}{choice:<10}{number:>4} passed   {against}")
            numbers = {factor: {c: found[0] for c, found in each.items()} for factor, each in self.conformance.items()}
            (RESULTS / "conformance.json").write_text(json.dumps(numbers, indent=1), "utf-8")
        if self.checked or self.conformance:
            took = {"minutes": round((time.monotonic() - self._began) / 60), "cores": os.cpu_count()}
            run = took | {"repeated": self.repeated, "missing": self.missing}
            (RESULTS / "run.json").write_text(json.dumps(run, indent=1), "utf-8")
        self._say("not installed here, so skipped", [f"{n:>4} tests: {why}" for why, n in self.missing.items()])
        again = [f"{each['test']} in {each['project']}" for each in self.repeated]
        self._say(f"{len(again)} FAILED AT FIRST and passed at the second attempt: mend them", again, red=True)

    def _say(self, title: str, lines: list[str], **style: bool) -> None:
        if lines:
            self._terminal.section(title, "!" if style else "=", **style)
            self._terminal.write_line("\n".join(lines))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes, and mostly waits, comes first: the short rest fills the cores around it."""
    items.sort(key=lambda item: item.path.stem not in ("test_first_run", "test_new_backend"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI a skipped test is a failure: what it needs has to be installed there."""
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    if os.environ.get("CI") and terminal is not None and terminal.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """All that this run writes outside the checkout is in one folder, which goes with it: cookiecutter alone leaves a
    file for each hook, and remembers answers in the home folder. And git, whoever starts it, works where it is started.
    """
    identity = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
    for name in [name for name in os.environ if name.startswith("GIT_") and name not in identity]:
        del os.environ[name]
    if hasattr(config, "workerinput"):
        return  # has the folder from the process that started it
    folder = Path(tempfile.mkdtemp(prefix="template-"))
    config.add_cleanup(functools.partial(shutil.rmtree, folder, ignore_errors=True))
    config_file = folder / "cookiecutter.yaml"
    config_file.write_text("".join(f'{name}_dir: "{folder / name}"\n' for name in ("replay", "cookiecutters")), "utf-8")
    os.environ |= {"TMPDIR": str(folder), "COOKIECUTTER_CONFIG": str(config_file)}
    tempfile.tempdir = None  # read again


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Progress(session.config))


def clean_environment() -> dict[str, str]:
    """This environment without what belongs to this repository's own tools, and with bytecode: starts are many."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in ours}


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
def copy(bake: Callable[..., BakedProject]) -> Iterator[Callable[..., BakedProject]]:
    """The same, in a copy that the test may change, and run; at a path as people have them."""
    with tempfile.TemporaryDirectory(prefix="L'été, my projects ", ignore_cleanup_errors=True) as folder:

        def copied(**answers: str) -> BakedProject:
            return BakedProject(Path(shutil.copytree(bake(**answers).path, Path(folder, "project"))))

        yield copied


@pytest.fixture(params=cases(COMBINATIONS, "render"))
def project(request: pytest.FixtureRequest, bake: Callable[..., BakedProject]) -> BakedProject:
    """Every combination of the factor choices."""
    return bake(**request.param)


@pytest.fixture(params=cases(COVERING, "run"))
def fresh(request: pytest.FixtureRequest, copy: Callable[..., BakedProject]) -> BakedProject:
    """A copy of a few combinations that hold each choice, for what takes minutes."""
    for name in missing(request.param):
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        needed = f"{spelled(request.param)} needs it"
        give_up(f"{name} is not installed: install it (Debian, Ubuntu: apt install {name}); {needed}.")
    return copy(**request.param)


def missing(answers: dict[str, str]) -> list[str]:
    """The Debian packages of the servers of these choices that no wheel brings and this machine does not have."""
    found = []
    for entry in (CATALOG[factor][answers[factor]] for factor in ("vector_db", "queue")):
        places = f"{entry['environ'].get('PATH', '')}{os.pathsep}{os.environ['PATH']}"
        if entry["apt"] and not shutil.which(entry["process"].split()[0], path=places):
            found += entry["apt"]
    return found
