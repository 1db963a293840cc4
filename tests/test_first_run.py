"""What a newcomer types in a new project works: demo, check, test. On combinations that hold each choice."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from conftest import COVERING, FACTORS, ROOT, SKELETON, BakedProject
from own_tests import OwnTests, own_tests

CHATBOT, PYTEST = ".venv/bin/chatbot", (".venv/bin/python", "-m", "pytest")
TYPED = COVERING[:2]
"""English over its own manual, and French over HAL: what a newcomer types, as it is typed. In the other projects only
the choices differ, so a page of the manual and the tests that know of the choices are enough there."""
WHOLE = COVERING[0]
"""All its tests by `make test`. In the second one those that know nothing of any choice, and are slow, are left out:
they would look at the same bytes again (test_render.py)."""
TOUCHED = [f"tests/{name}" for name in ("chosen", "twelve_factors", "conformance")]
TOUCHED += [f"tests/{file.name}" for file in sorted((SKELETON / "tests").glob("test_*.py"))]
"""Where those are: three folders, and the tests of the whole bot. What knows nothing of a choice among them is slow."""
REPORTED = ROOT.parent / "shared" / "data" / "documents"
"""Files on which a bot lost text, each with what should come out. They are no part of the checkout."""


@pytest.fixture(autouse=True)
def _offline_model(monkeypatch):
    """No key and no address of any model is needed; none may leak in from the machine that runs the tests."""
    for name in ("LLM_URL", "LLM_API_KEY", "EMBEDDINGS_URL", "DATABASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_demo_check_and_test_pass(fresh, request, record_property):
    answers = request.node.callspec.params["fresh"]
    typed = answers in TYPED
    if typed:
        answer = fresh.run("make", "demo").stdout
    else:
        fresh.run("make", ".venv/installed")
        fresh.run(CHATBOT, "dev", "ingest", "docs/ingest.md")
        answer = fresh.run(CHATBOT, "dev", "ask", "How do I add my own documents?").stdout
    assert re.search(r"\[1\]", answer)
    assert "docs/ingest.md" in answer
    assert fresh.run("git", "status", "--porcelain").stdout == ""
    if typed:  # of the others, test_combinations.py checks the types, test_render.py lint and format
        fresh.run("make", "check")
    if answers == WHOLE:
        tests = all_tests(fresh)
    else:
        tests = own_tests(runs(fresh), *PYTEST, "-m", "not slow", *([] if typed else TOUCHED))
    record_property("repeated", tests.repeated)
    record_property("failures", tests.failures)
    missing = tests.missing
    if answers == WHOLE:
        missing |= reported_documents(fresh)
    record_property("missing", missing)
    assert tests.passed > (1000 if typed else 150)
    table = re.findall(r"^(\w+) +([\w-]+) +(\d+) passed, \d+ failed, 0 skipped +(.+)$", tests.output, re.M)
    assert [factor for factor, *_ in table] == list(FACTORS)
    record_property("conformance", [(factor, choice, int(passed), what) for factor, choice, passed, what in table])


def all_tests(project: BakedProject) -> OwnTests:
    """As a newcomer types it. On a machine without Chromium or Prometheus their tests are skipped, and no others."""
    return own_tests(runs(project), "make", "test", again="TESTS=--last-failed")


def reported_documents(project: BakedProject) -> dict[str, int]:
    """They come out as their READMEs say, where they are; else why nobody looked, to be said at the end of the run."""
    if not REPORTED.is_dir():
        return {"shared/data/documents is not beside the checkout: the reported documents were not read": 1}
    test = str(ROOT / "tests" / "reported_documents.py")
    command = (*PYTEST, "-q", "-p", "no:cacheprovider", "--noconftest", "-c", "pyproject.toml", "--rootdir", ".", test)
    assert re.search(r"^\d+ passed", project.run(*command, REPORTED_DOCUMENTS=str(REPORTED)).stdout, re.M)
    return {}


def runs(project: BakedProject) -> Callable[..., str]:
    return lambda *command: project.run(*command).stdout
