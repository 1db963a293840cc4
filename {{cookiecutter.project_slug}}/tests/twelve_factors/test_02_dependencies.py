"""II. Dependencies: declared, all of them, and locked with hashes."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import files, packages_distributions
from pathlib import Path

import pytest

from chatbot.settings import home
from tests.sources import parsed

NAMESPACE = "google"
PROJECT = tomllib.loads((home() / "pyproject.toml").read_text())


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", name)[0]).lower()


@functools.cache
def imported(file: Path) -> frozenset[str]:
    """The top-level modules that a file imports when it runs, at its top or inside its functions."""
    by_name = "import_module" in file.read_text("utf-8")
    return frozenset(_top_level(name.split(".")) for name in _imports(parsed(file), by_name))


def _top_level(parts: Sequence[str]) -> str:
    """Of a module's name what tells the package that brings it: `google` is a folder that many share."""
    return ".".join(parts[:2] if parts[0] == NAMESPACE else parts[:1])


def _imports(tree: ast.Module, by_name: bool) -> Iterator[str]:
    """What it imports; with `by_name` also what it hands to `import_module`, for which expressions are looked into."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and "import_module" in map(_last_name, [node.func, *node.args]):
            # import_module("chromadb"), or to_thread(import_module, "chromadb")
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))
        waiting += [child for child in ast.iter_child_nodes(node) if by_name or not isinstance(child, ast.expr)]


def _last_name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


@functools.cache
def distributions() -> dict[str, set[str]]:
    """By top-level module: the installed packages that bring it."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, names in packages_distributions().items():
        for name in names:
            parts = {file.parts[:2] for file in files(name) or ()} if module == NAMESPACE else {(module,)}
            for each in parts:
                found[_top_level(each)].add(canonical(name))
    return found


def undeclared(folder: Path, declared: set[str]) -> list[str]:
    own = {"benchmarks", "chatbot", "services", "tests", *sys.stdlib_module_names}
    return [
        f"{file.relative_to(home())}: {module}"
        for file in sorted(folder.rglob("*.py"))
        for module in sorted(imported(file) - own)
        if not declared & distributions().get(module, {canonical(module)})
    ]


RUNTIME = {canonical(name) for name in PROJECT["project"]["dependencies"]}
# What comes with a declared package as part of its own interface.
WITH = {
    "boto3": {"botocore"},
    "chromadb": {"httpx"},
    "fastapi": {"starlette"},
    "google-cloud-secret-manager": {"google-api-core", "google-auth"},
    "hvac": {"requests"},
    "lancedb": {"pyarrow"},
    "psycopg": {"psycopg-pool"},
    "pydantic-settings": {"pydantic", "python-dotenv"},
    "pyjwt": {"cryptography"},
    "python-docx": {"lxml"},
}
EXTRAS = {canonical(name) for extra in PROJECT["project"]["optional-dependencies"].values() for name in extra}
AVAILABLE = RUNTIME.union(*(brought for name, brought in WITH.items() if name in RUNTIME))
DEVELOPMENT = {canonical(name) for name in PROJECT["dependency-groups"]["dev"]}


def test_every_import_of_the_bot_is_a_declared_dependency() -> None:
    assert undeclared(home() / "src" / "chatbot" / "pipelines", AVAILABLE | EXTRAS | {"httpx"}) == []
    others = [path for path in (home() / "src" / "chatbot").iterdir() if path.is_dir() and path.name != "pipelines"]
    assert [line for folder in others for line in undeclared(folder, AVAILABLE)] == []


def test_every_import_of_the_tests_is_a_declared_dependency() -> None:
    assert undeclared(home() / "tests", AVAILABLE | DEVELOPMENT) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-prefect.lock"])
def test_every_dependency_is_locked_with_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (home() / lock).read_text())
    pinned = {canonical(entry): entry for entry in entries if "==" in entry.splitlines()[0]}
    wanted = RUNTIME | {"dev": DEVELOPMENT, "prefect": EXTRAS}.get(lock.partition("-")[2].partition(".")[0], set())
    assert sorted(wanted - pinned.keys()) == []
    assert [name for name, entry in pinned.items() if "--hash=sha256:" not in entry] == []
