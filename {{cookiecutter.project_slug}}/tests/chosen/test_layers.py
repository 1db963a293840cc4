"""Arrows go one way: a package imports from those that stand before it here, never from one behind it.

Every import counts, also one inside a function and one that only types need. What stands on one line does not know
each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from chatbot.settings import home
from tests.sources import parsed, statements

LAYERS = (
    ("domain", "deadline", "schedules", "settings_files"),
    ("text", "ports"),
    ("observability",),
    ("clients", "storage"),
    ("chosen",),
    ("settings",),
    ("ingestion", "answering"),
    ("bootstrap",),
    ("runtime",),
    ("jobs",),
    ("pipelines",),
    ("web",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
SOURCE = home() / "src" / "chatbot"


def imported(tree: ast.Module) -> Iterator[str]:
    """The packages and top-level modules of the chatbot that a module imports, by their first name."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".")[1] for each in node.names if each.name.startswith("chatbot."))
        elif isinstance(node, ast.ImportFrom) and node.module == "chatbot":
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("chatbot."):
            yield node.module.split(".")[1]


def against_the_arrow(path: Path, tree: ast.Module) -> list[str]:
    own = path.relative_to(SOURCE).with_suffix("").parts[0]
    found = sorted(set(imported(tree)) - {own})
    return [f"{path.relative_to(SOURCE)} imports {name}" for name in found if RANK[name] >= RANK[own]]


def test_arrows_go_one_way() -> None:
    files = [path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"]
    assert len(files) > 100
    assert [line for path in files for line in against_the_arrow(path, parsed(path))] == []


def test_an_arrow_that_is_turned_round_is_found() -> None:
    text = "def late():\n    from chatbot.web.app import create_app\n"
    assert against_the_arrow(SOURCE / "storage" / "jobs.py", ast.parse(text)) == ["storage/jobs.py imports web"]


def test_the_names_of_genai_conventions_stand_in_one_module() -> None:
    naming = [path for path in SOURCE.rglob("*.py") if '"gen_ai.' in path.read_text("utf-8")]
    assert naming == [SOURCE / "observability" / "gen_ai.py"]
