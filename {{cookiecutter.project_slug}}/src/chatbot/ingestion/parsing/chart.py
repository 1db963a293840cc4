"""Charts in Word, PowerPoint and Excel files: their titles, and the figures that they draw, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from chatbot.ingestion.parsing.archive import Archive, Element, child, descendants
from chatbot.ingestion.parsing.outline import Outline, one_line

MOST_POINTS = 2_000
"""Of one series."""


def add(outline: Outline, archive: Archive, part: str, with_figures: bool = True) -> None:
    """The charts of a part. `with_figures`: their numbers stand nowhere else."""
    for chart in archive.related(part, "chart"):
        root = archive.xml(chart)
        if root is None:
            continue
        for title in descendants(root, "title"):
            outline.add(one_line("".join(node.text or "" for node in descendants(title, "t"))))
        if with_figures:
            outline.table([*_rows(root)])


def _rows(root: Element) -> Iterator[list[str]]:
    """A row for each category, a column for each series; first the names of the series."""
    names, columns = [], []
    categories: list[str] = []
    for series in descendants(root, "ser"):
        names.append(" ".join(_points(child(series, "tx"))))
        columns.append([*_points(child(series, "val") if child(series, "val") is not None else child(series, "yVal"))])
        categories = categories or [*_points(child(series, "cat"))]
    if any(names):
        yield ["", *names]
    for index in range(max(map(len, [categories, *columns]), default=0)):
        yield [column[index] if index < len(column) else "" for column in (categories, *columns)]


def _points(node: Element | None) -> Iterator[str]:
    """The values that were last drawn."""
    if node is not None:
        for number, value in enumerate(descendants(node, "v")):
            if number < MOST_POINTS:
                yield one_line(value.text or "")
