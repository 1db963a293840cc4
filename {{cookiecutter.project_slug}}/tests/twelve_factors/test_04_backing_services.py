"""IV. Backing services: attached by a URL, and each vendor's SDK known to one file only."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from pathlib import Path

from chatbot.chosen import queue, secrets, vector_store
from chatbot.settings import home
from tests.twelve_factors.test_02_dependencies import RUNTIME, canonical, distributions, imported

CHOSEN = [Path(str(module.__file__)) for module in (queue, secrets, vector_store)]
SHARED = {
    *("fastapi", "starlette", "uvicorn", "mcp"),  # the web server
    *("pydantic", "pydantic-settings", "click", "rich"),  # types, settings, the terminal
    *("psycopg", "psycopg-pool", "sqlalchemy", "alembic"),  # PostgreSQL, which is always there
    *("pypdfium2", "selectolax", "tinycss2"),  # PDF and HTML: one file reads the text, one finds what is hidden
    *("lxml", "pyyaml"),  # formats that documents have, and lists of pages or questions
    *("numpy", "httpx2", "prometheus-client", "opentelemetry-api", "opentelemetry-sdk"),
}
"""What the bot is written in. Every other package is a way to something outside, and one file speaks to it."""


@functools.cache
def chosen_sdks() -> set[str]:
    """The modules of packages that the lock holds for choices alone: `# for: vector_db.qdrant`.

    Those of packages that are declared, and those that nothing else brings, such as botocore with boto3.
    """
    blocks = re.split(r"\n(?=[a-z0-9])", (home() / "requirements.lock").read_text())
    of_a_choice = {canonical(block) for block in blocks if not re.search(r"# for: .*\bcore\b", block)}
    return {
        module
        for module, packages in distributions().items()
        if packages & of_a_choice & RUNTIME or packages <= of_a_choice
    }


@functools.cache
def importers() -> dict[str, set[Path]]:
    """By top-level module: the files of the bot that import it."""
    found: dict[str, set[Path]] = defaultdict(set)
    for file in (home() / "src" / "chatbot").rglob("*.py"):
        for module in imported(file):
            found[module].add(file)
    return found


def test_an_sdk_that_was_chosen_is_known_to_the_chosen_adapters_only() -> None:
    """SQS and Secrets Manager share one. Prefect's client is written in httpx, as Chroma's is."""
    files = set().union(*(files for module, files in importers().items() if module in chosen_sdks()))
    assert sorted(files - {*CHOSEN, home() / "src/chatbot/pipelines/with_prefect.py"}) == []


def test_each_other_package_is_imported_in_one_file() -> None:
    files: dict[str, set[str]] = defaultdict(set)
    for module in importers().keys() & distributions().keys() - chosen_sdks():
        for package in distributions()[module]:
            files[package] |= {str(file.relative_to(home())) for file in importers()[module]}
    assert {"onnxruntime", "openai", "pypdfium2"} <= files.keys()
    assert {package: each for package, each in files.items() if len(each) > 1 and package not in SHARED} == {}


def test_the_logic_knows_no_database() -> None:
    source = home() / "src" / "chatbot"
    files = {file.relative_to(source).as_posix() for file in importers()["sqlalchemy"] | importers()["psycopg"]}
    assert files
    assert {file.split("/")[0] for file in files} <= {"storage", "chosen", "runtime"}
