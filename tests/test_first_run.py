"""What a newcomer types in a new project works: demo, check, test. On combinations that hold each choice."""

from __future__ import annotations

import re

import pytest
from conftest import COVERING, FACTORS, BakedProject, failures

CHATBOT, PYTEST = ".venv/bin/chatbot", (".venv/bin/python", "-m", "pytest")
WHOLE = COVERING[:2]
"""English over its own manual, and French over HAL: all that a newcomer types, as it is typed. In the other projects
only the choices differ, so a page of the manual and the tests that know of the choices are enough there."""


@pytest.fixture(autouse=True)
def _offline_model(monkeypatch):
    """No key and no address of any model is needed; none may leak in from the machine that runs the tests."""
    for name in ("LLM_URL", "LLM_API_KEY", "EMBEDDINGS_URL", "DATABASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_demo_check_and_test_pass(fresh, request, record_property):
    whole = request.node.callspec.params["fresh"] in WHOLE
    if whole:
        answer = fresh.run("make", "demo").stdout
    else:
        fresh.run("make", ".venv/installed")
        fresh.run(CHATBOT, "dev", "ingest", "docs/ingest.md")
        answer = fresh.run(CHATBOT, "dev", "ask", "How do I add my own documents?").stdout
    assert re.search(r"\[1\]", answer)
    assert "docs/ingest.md" in answer
    assert fresh.run("git", "status", "--porcelain").stdout == ""
    if whole:  # of the others, test_combinations.py checks the types, test_render.py lint and format
        fresh.run("make", "check")
    output, repeated = results(fresh, [] if whole else ["-m", "not slow"])
    record_property("repeated", repeated)
    (summary,) = re.findall(r"^=+ (?:\d+ failed, )?\d+ passed.* in .*$", output, re.M)
    assert int(re.search(r"(\d+) passed", summary)[1]) > 500, summary
    assert "skipped" not in summary, summary
    table = re.findall(r"^(\w+) +([\w-]+) +(\d+) passed, \d+ failed, 0 skipped +(.+)$", output, re.M)
    assert [factor for factor, *_ in table] == list(FACTORS)
    record_property("conformance", [(factor, choice, int(passed), what) for factor, choice, passed, what in table])


def results(project: BakedProject, only: list[str]) -> tuple[str, list[str]]:
    """What the tests print, and which were run once more, alone: a busy machine may have been too slow for them."""
    try:
        done = project.run(*PYTEST, *only) if only else project.run("make", "test")
        return done.stdout, []
    except AssertionError as error:
        project.run(*PYTEST, "--last-failed", *only)
        return str(error), failures(str(error))
