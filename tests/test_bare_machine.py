"""`make test` on a machine that has Python, git and make: what is missing is skipped, and how to install it is said.

The same commands run with a PATH on which those programs are not found; under CI=true they fail there. Of the tests
only those that would need them are run: the others run everywhere.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import conftest
import pytest
from conftest import ROOT, clean_environment

HIDDEN = re.compile(r"redis-server|rabbitmq.*|prom.*|chrom.*|google-chrome.*")
PROJECTS = {
    "postgres": ("tests/browser tests/conformance/test_prometheus.py", {"chromium", "prometheus", "promtool"}),
    "redis": ("tests/conformance/test_queue.py tests/chosen", {"redis-server"}),
}
"""By queue: the tests that need a program no wheel brings, and the programs."""
SENTENCE = re.compile(r"^SKIPPED \[\d+\] \S+: (\S+) is not installed: install it \(.*apt install ([a-z-]+)\)", re.M)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with everything this machine has but those programs."""
    folder = tmp_path_factory.mktemp("bin")
    for program in (each for place in os.environ["PATH"].split(os.pathsep) for each in Path(place).glob("*")):
        if not HIDDEN.fullmatch(program.name) and not (folder / program.name).is_symlink():
            (folder / program.name).symlink_to(program)
    return str(folder)


@pytest.fixture
def run(bare: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(folder: Path, tests: str, ci: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**clean_environment(), "PATH": bare, "CI": ci}
        environment.pop("CHROMIUM", None)
        # Whatever the time of its lock: the environment in which this test runs is not to be made anew under it.
        built = ["--old-file=.venv/installed"] if folder == ROOT else []
        command = ["make", *built, "test", f"TESTS={tests}"]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)

    return run


@pytest.mark.parametrize("queue", PROJECTS)
def test_a_project_skips_what_is_not_installed_and_says_how_to_install_it(queue, run, copy):
    tests, missing = PROJECTS[queue]
    project = copy(queue=queue)
    done = run(project.path, tests)
    assert done.returncode == 0, done.stdout + done.stderr
    found = dict(SENTENCE.findall(done.stdout))
    assert found == {name: "prometheus" if name == "promtool" else name for name in missing}
    under_ci = run(project.path, tests, ci="true")
    assert under_ci.returncode == 2, under_ci.stdout + under_ci.stderr
    assert " skipped" not in under_ci.stdout.splitlines()[-1]


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 2)])
def test_the_template_skips_the_projects_that_need_it(run, ci, code):
    """`make` exits 2 when what it runs fails."""
    done = run(ROOT, "-p no:cacheprovider -n 0 tests/test_first_run.py -k redis", ci=ci)
    assert done.returncode == code, done.stdout + done.stderr
    assert "redis-server is not installed: install it (Debian, Ubuntu: apt install redis-server)" in done.stdout
    assert ("not installed here, so skipped" in done.stdout) == (code == 0)


@pytest.mark.parametrize("queue", [name for name, entry in conftest.CATALOG["queue"].items() if entry["apt"]])
def test_each_server_that_no_wheel_brings_is_looked_for(queue, monkeypatch, tmp_path):
    """Where its package puts it, too: Debian's RabbitMQ is not on the PATH."""
    entry = conftest.CATALOG["queue"][queue]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(entry, "environ", {"PATH": str(tmp_path)})
    answers = {"vector_db": "pgvector", "queue": queue}
    assert conftest.missing(answers) == entry["apt"]
    server = tmp_path / entry["process"].split()[0]
    server.touch(mode=0o755)
    assert conftest.missing(answers) == []


def test_the_first_two_covering_projects_need_no_such_server():
    """So that all tests of a project run on every machine, in both languages."""
    entries = [conftest.CATALOG[name][answers[name]] for answers in conftest.COVERING[:2] for name in conftest.FACTORS]
    assert [entry["apt"] for entry in entries if entry.get("apt")] == []
    assert {frozenset(each[name] for each in conftest.COVERING) for name in conftest.FACTORS} == {
        frozenset(conftest.CONTEXT[name]) for name in conftest.FACTORS
    }
