"""Rows of cells, from whatever file, as passages that can be quoted alone: « Row 12 | Boat: Heron | Seats: 4 »."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.ingestion.parsing.outline import NUMERIC, Outline, named, one_line

HEAD = 30
"""Rows among which that of the column names is looked for: titles and remarks may stand above it."""


def fill(outline: Outline, rows: Sequence[Sequence[str]]) -> None:
    """The rows with the names of their columns and their number, the first being 1."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    header = _header(cells)
    for number, row in enumerate(cells, start=1):
        if not any(row):
            continue
        if header is None or number - 1 < header:
            outline.add(" | ".join(cell for cell in row if cell))
        elif number - 1 == header:
            outline.add("Columns: " + " | ".join(cell for cell in row if cell))
        else:
            outline.add(f"Row {number} | {named(cells[header], row)}")


def _header(rows: Sequence[Sequence[str]]) -> int | None:
    """The first row as wide as those below it, of different words that are no numbers; None when there is none."""
    widths = sorted(sum(map(bool, row)) for row in rows if any(row))
    usual = widths[len(widths) // 2] if widths else 0
    for index, row in enumerate(rows[:HEAD]):
        names = [cell for cell in row if cell]
        is_wide = len(names) > 1 and len(names) >= 0.6 * usual
        if is_wide and len({*names}) == len(names) and not any(NUMERIC.fullmatch(name) for name in names):
            return index if any(any(later) for later in rows[index + 1 :]) else None
        if is_wide:
            return None
    return None
