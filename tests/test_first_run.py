"""What a newcomer types in a new project works: demo, check, test. On combinations that hold each choice."""

from __future__ import annotations

import re

import pytest
from conftest import COVERING, FACTORS, BakedProject, failures

WHOLE, ONLY_CHOICES = [], ["-m", "not slow"]
"""What `make test` runs, and of that what is not the same bytes on the same services whatever was chosen."""
EXTENT = [WHOLE if row < 2 else ONLY_CHOICES for row in range(len(COVERING))]
"""English over its own manual, French over HAL; in the other rows only the choices differ from these two."""


@pytest.fixture(autouse=True)
def _offline_model(monkeypatch):
    """No key and no address of any model is needed; none may leak in from the machine that runs the tests."""
    for name in ("LLM_URL", "LLM_API_KEY", "EMBEDDINGS_URL", "DATABASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_demo_check_and_test_pass(fresh, request, record_property):
    answer = fresh.run("make", "demo").stdout
    assert re.search(r"\[1\]", answer)
    assert "docs/ingest.md" in answer
    assert fresh.run("git", "status", "--porcelain").stdout == ""
    fresh.run("make", "check")
    extent = EXTENT[COVERING.index(request.node.callspec.params["fresh"])]
    output, repeated = results(fresh, *extent)
    record_property("repeated", repeated)
    (summary,) = re.findall(r"^=+ (?:\d+ failed, )?\d+ passed.* in .*$", output, re.M)
    assert int(re.search(r"(\d+) passed", summary)[1]) > 500, summary
    assert "skipped" not in summary, summary
    table = re.findall(r"^(\w+) +([\w-]+) +(\d+) passed, \d+ failed, 0 skipped +(.+)$", output, re.M)
    assert [factor for factor, *_ in table] == list(FACTORS)
    record_property("conformance", [(factor, choice, int(passed), what) for factor, choice, passed, what in table])


def results(project: BakedProject, *extent: str) -> tuple[str, list[str]]:
    """What the tests print, and which were run once more, alone: a busy machine may have been too slow for them."""
    pytest_of = (".venv/bin/python", "-m", "pytest")
    try:
        return project.run(*pytest_of, *extent).stdout if extent else project.run("make", "test").stdout, []
    except AssertionError as error:
        project.run(*pytest_of, "--last-failed", *extent)
        return str(error), failures(str(error))
