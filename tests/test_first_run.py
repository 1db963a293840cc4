"""What a newcomer types in a new project works: demo, check, test. On combinations that hold each choice."""

from __future__ import annotations

import re

import pytest
from conftest import FACTORS


@pytest.fixture(autouse=True)
def _offline_model(monkeypatch):
    """No key and no address of any model is needed; none may leak in from the machine that runs the tests."""
    for name in ("LLM_URL", "LLM_API_KEY", "EMBEDDINGS_URL", "DATABASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_demo_answers_with_a_citation_from_the_corpus(fresh):
    answer = fresh.run("make", "demo").stdout
    assert re.search(r"\[1\]", answer)
    assert "docs/ingest.md" in answer
    assert fresh.run("git", "status", "--porcelain").stdout == ""


def test_check_and_test_pass(fresh, record_property):
    fresh.run("make", "check")
    output = make_test(fresh)
    (summary,) = re.findall(r"^=+ (?:\d+ failed, )?\d+ passed.* in .*$", output, re.M)
    assert int(re.search(r"(\d+) passed", summary)[1]) > 100, summary
    assert "skipped" not in summary, summary
    table = re.findall(r"^(\w+) +([\w-]+) +(\d+) passed, \d+ failed, 0 skipped +(.+)$", output, re.M)
    assert [factor for factor, *_ in table] == list(FACTORS)
    record_property("conformance", [(factor, choice, int(passed), what) for factor, choice, passed, what in table])


def make_test(project):
    """What `make test` prints. What fails is run once more, alone: a busy machine may have been too slow for it."""
    try:
        return project.run("make", "test").stdout
    except AssertionError as error:
        print(f"run once more:\n{error}")
        project.run(".venv/bin/python", "-m", "pytest", "--last-failed")
        return str(error)
