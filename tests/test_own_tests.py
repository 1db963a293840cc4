"""What is read from a project's own tests: what passed, what was not installed, and what took two attempts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import conftest
import matrix
import own_tests
import pytest
from conftest import ROOT, clean_environment

HOW = "redis-server is not installed: install it (Debian, Ubuntu: apt install redis-server), or set QUEUE_URL."
PASSED = f"""
======== short test summary info ========
SKIPPED [3] tests/conftest.py:89: {HOW}
SKIPPED [1] tests/programs.py:31: {HOW}
======== 40 passed, 4 skipped, 2 warnings in 3.10s ========
"""
FAILED = """
======== FAILURES ========
E   AssertionError: not within 60 s
======== short test summary info ========
FAILED tests/unit/test_a.py::test_b[c d] - AssertionError: not within 60 s
ERROR tests/unit/test_e.py::test_f
1 failed, 38 passed, 1 error in 3.10s
"""


class Runs:
    """The project: what each run prints, in turn; what failed is an AssertionError."""

    def __init__(self, *outputs: str) -> None:
        self.outputs, self.commands = list(outputs), []

    def __call__(self, *command: str) -> str:
        self.commands.append(command)
        output = self.outputs.pop(0)
        if "FAILED" in output:
            raise AssertionError(output)
        return output


@pytest.fixture(autouse=True)
def record(monkeypatch, tmp_path):
    """Of no run yet."""
    monkeypatch.setattr(matrix, "RECORD", tmp_path / "matrix.json")
    return matrix.RECORD


def test_what_passed_and_what_was_skipped_for_want_of_a_program():
    found = own_tests.own_tests(Runs(PASSED), "pytest")
    assert (found.passed, found.repeated, found.missing) == (40, [], {HOW: 4})


@pytest.mark.parametrize("reason", ["not today", "redis-server is not installed"])
def test_any_other_reason_to_skip_is_refused(reason):
    found = own_tests.OwnTests(PASSED.replace(HOW, reason))
    with pytest.raises(AssertionError, match=reason):
        assert found.missing


def test_what_failed_is_run_once_more_and_named():
    runs = Runs(FAILED, PASSED)
    found = own_tests.own_tests(runs, "make", "test", again="TESTS=--last-failed")
    assert found.repeated == ["tests/unit/test_a.py::test_b[c d]", "tests/unit/test_e.py::test_f"]
    assert "E   AssertionError: not within 60 s" in found.failures
    assert found.passed == 40
    assert runs.commands == [("make", "test"), ("make", "test", "TESTS=--last-failed")]


def test_what_fails_twice_has_failed():
    with pytest.raises(AssertionError, match="not within 60 s"):
        own_tests.own_tests(Runs(FAILED, FAILED), "pytest")


def test_what_took_two_attempts_lately_gets_no_second_one(record):
    record.write_text(json.dumps({"repeated": [{}, {"tests/unit/test_e.py::test_f": ["pgvector-postgres-env"]}]}))
    runs = Runs(FAILED, PASSED)
    with pytest.raises(AssertionError, match="not within 60 s"):
        own_tests.own_tests(runs, "pytest")
    assert len(runs.commands) == 1


def test_a_run_that_broke_without_naming_a_test_is_not_repeated():
    runs = Runs("make: *** [Makefile:21: test] Error 4: FAILED", PASSED)
    with pytest.raises(AssertionError, match="Error 4"):
        own_tests.own_tests(runs, "make", "test")
    assert len(runs.commands) == 1


class Terminal:
    """What pytest prints to, as lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str, sep: str = "=", **style: bool) -> None:
        self.lines.append(f"{sep * 3} {title}{' in red' if style.get('red') else ''}")

    def write_line(self, line: str) -> None:
        self.lines += line.splitlines()


def test_the_end_of_a_run_names_what_was_missing_and_loudly_what_took_two_attempts(monkeypatch, tmp_path):
    monkeypatch.setattr(conftest, "RESULTS", tmp_path)
    terminal = Terminal()
    progress = conftest.Progress(SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda name: terminal)))
    found = [
        ("repeated", ["tests/unit/test_a.py::test_b[c d]"]),
        ("failures", "E   too slow"),
        ("missing", {HOW: 3}),
        ("conformance", []),
    ]
    outcome = SimpleNamespace(when="call", passed=True, failed=False, skipped=False, longrepr=None)
    for name in ("pgvector-postgres-env", "qdrant-nats-files"):
        nodeid = f"tests/test_first_run.py::test_x[{name}]@run-x"
        report = SimpleNamespace(**vars(outcome), user_properties=found, nodeid=nodeid)
        progress.pytest_runtest_logreport(report)
    progress.conformance = {"queue": {"nats": [12, "real server: NATS"]}}
    progress.pytest_terminal_summary()
    assert terminal.lines.count("E   too slow") == 2
    assert terminal.lines[-5:] == [
        "=== not installed here, so skipped",
        f"   6 tests: {HOW}",
        "!!! 2 FAILED AT FIRST and passed at the second attempt: mend them in red",
        "tests/unit/test_a.py::test_b[c d] in pgvector-postgres-env",
        "tests/unit/test_a.py::test_b[c d] in qdrant-nats-files",
    ]
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["missing"] == {HOW: 6}
    assert [each["project"] for each in run["repeated"]] == ["pgvector-postgres-env", "qdrant-nats-files"]


GROUPED = """
import os
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_it(number):
    print("in", os.environ["PYTEST_XDIST_WORKER"])
"""


def test_tests_of_one_group_run_in_one_process(tmp_path):
    """With pytest 9.2, pytest-xdist 3.8 leaves the groups out without a word; each process then bakes what another has
    baked, and two of them write to one folder."""
    (tmp_path / "test_grouped.py").write_text(GROUPED, "utf-8")
    (options,) = re.findall(r"-m pytest (.*) \$\(TESTS\)", (ROOT / "Makefile").read_text("utf-8"))
    command = [sys.executable, "-m", "pytest", "-rP", "--rootdir", tmp_path, *options.split(), tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean_environment())
    found = re.findall(r"^in (gw\d)$", done.stdout, re.M)
    assert (len(found), len(set(found))) == (8, 1), done.stdout
