"""`make matrix` records a run over all combinations and no other; the page says what was recorded."""

from __future__ import annotations

import json

import matrix
import pytest
from conftest import COMBINATIONS, CONTEXT


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Where the last run's findings would be."""
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "COMBINATIONS", tmp_path / "combinations.json")
    monkeypatch.setattr(matrix, "CONFORMANCE", tmp_path / "conformance.json")
    monkeypatch.setattr(matrix, "RUN", tmp_path / "run.json")
    monkeypatch.setattr(matrix, "RECORD", tmp_path / "matrix.json")
    return tmp_path


def leave(folder, combinations):
    found = [{"combination": answers, "passed": True, "tests": 397, "cpu": 12.0} for answers in combinations]
    found[-1] = {"combination": combinations[-1], "passed": False}
    (folder / "combinations.json").write_text(json.dumps(found))
    (folder / "conformance.json").write_text(json.dumps({"queue": {"redis": 20, "nats": 21}}))
    leave_run(folder)


def leave_run(folder, repeated=()):
    run = {"minutes": 19, "cores": 2, "repeated": repeated, "missing": {"x is not installed: install it.": 12}}
    (folder / "run.json").write_text(json.dumps(run))


def test_without_a_run_there_is_nothing_to_record(built):
    with pytest.raises(SystemExit, match=r"no combinations.json: run `make test` first\.$"):
        matrix.last_run(CONTEXT)


def test_a_run_over_some_combinations_is_refused(built):
    leave(built, COMBINATIONS[:2])
    with pytest.raises(SystemExit, match=rf"looked at 2 of {len(COMBINATIONS)} combinations: run `make test` first\.$"):
        matrix.last_run(CONTEXT)


def test_the_page_says_what_passed_and_what_did_not(built):
    leave(built, COMBINATIONS)
    matrix.RECORD.write_text(json.dumps(matrix.last_run(CONTEXT)))
    page = "\n".join(matrix.tables(CONTEXT))
    every, backends = len(COMBINATIONS), len(CONTEXT["secrets_backend"])
    minutes = 12 * (every - 1) / 60
    assert page.startswith(f"{every - 1} of {every} combinations passed on 20")
    assert (
        "\nAll of `make test` took 19 minutes on 2 cores.\n12 tests were skipped: x is not installed: install" in page
    )
    assert f", in {minutes:.0f} core minutes.\n" in page
    assert f"\n\nFailed: {'-'.join(COMBINATIONS[-1].values())}.\n" in page
    assert "\nNo test took two attempts to pass, in this run.\n\n| Passed" in page
    assert page.count(f"{backends}/{backends} |") == every / backends - 1
    assert f" {backends - 1}/{backends} |" in page
    assert "| `redis` | real server: Redis | 20 | redis " in page
    assert "| `nats` | real server: NATS | 21 | nats-py " in page


def test_a_test_that_took_two_attempts_is_on_the_page_for_ten_runs(built):
    """And so long it gets no second one."""
    leave(built, COMBINATIONS)
    first = [{"test": "tests/a.py::test_b", "project": project} for project in ("pgvector-sqs-env", "chroma-sqs-env")]
    leave_run(built, first)
    for run in range(1, matrix.RUNS + 2):
        matrix.RECORD.write_text(json.dumps(matrix.last_run(CONTEXT)))
        page = "\n".join(matrix.tables(CONTEXT))
        where = "pgvector-sqs-env, chroma-sqs-env" if run == 1 else "earlier"
        assert (f"\n- `tests/a.py::test_b`: 1 of {run} runs; {where}\n" in page) == (run <= matrix.RUNS)
        assert (matrix.repeated_lately() == {"tests/a.py::test_b"}) == (run <= matrix.RUNS)
        leave_run(built)
    assert f"\nNo test took two attempts to pass, in the last {matrix.RUNS} runs.\n" in page
