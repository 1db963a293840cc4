"""The project's Python files, each parsed once for all tests that look at them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path


@functools.cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All of a tree but what is inside expressions, where no import stands."""
    waiting = [tree]
    while waiting:
        yield (node := waiting.pop())
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
