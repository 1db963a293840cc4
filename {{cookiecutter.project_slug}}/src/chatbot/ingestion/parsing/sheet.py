"""Rows of cells, from whatever file, as passages that can be quoted alone: « Row 12 | Boat: Heron | Seats: 4 »."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chatbot.ingestion.parsing.outline import NUMERIC, Outline, named, one_line

HEAD = 30
"""Rows among which that of the column names is looked for: titles and remarks may stand above it."""


Row = tuple[int, Sequence[str]]
"""Its number, the first being 1, and its cells."""


def fill(outline: Outline, rows: Iterable[Row]) -> None:
    """The rows with the names of their columns and their number; empty ones end a table, and another may follow."""
    names: Sequence[str] | None = None
    for table in _tables(rows):
        header = _header([cells for _, cells in table], is_first=names is None)
        for index, (number, cells) in enumerate(table):
            if header is not None and index == header:
                names = cells
                outline.add("Columns: " + " | ".join(filter(None, cells)))
            elif names is None or (header is not None and index < header):
                outline.add(" | ".join(filter(None, cells)))
            else:
                outline.add(f"Row {number} | {named(names, cells)}")


def _tables(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """What stands between empty rows. A title above its table, alone in its row, belongs to it."""
    table: list[Row] = []
    last = 0
    for number, cells in rows:
        cleaned = [one_line(cell) for cell in cells]
        if not any(cleaned):
            continue
        if number > last + 1 and any(sum(map(bool, row)) > 1 for _, row in table):
            yield table
            table = []
        table.append((number, cleaned))
        last = number
    if table:
        yield table


def _header(rows: Sequence[Sequence[str]], is_first: bool) -> int | None:
    """The first row as wide as those below it, of different words that are no numbers; None when there is none.

    Below another table an empty row may be a gap in that one: there a header has a column of numbers below it.
    """
    widths = sorted(sum(map(bool, row)) for row in rows)
    usual = widths[len(widths) // 2] if widths else 0
    for index, row in enumerate(rows[:HEAD]):
        names = [cell for cell in row if cell]
        if len(names) < 2 or len(names) < 0.6 * usual:
            continue
        is_of_words = len({*names}) == len(names) and not any(NUMERIC.fullmatch(name) for name in names)
        below = rows[index + 1 :]
        return index if is_of_words and below and (is_first or _has_numbers(below, row)) else None
    return None


def _has_numbers(rows: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Whether a column with a name holds numbers and nothing else."""
    for column, name in enumerate(names):
        cells = [row[column] for row in rows if column < len(row) and row[column]]
        if name and cells and all(NUMERIC.fullmatch(cell) for cell in cells):
            return True
    return False
