"""Excel (.xlsx): a row with its column names is a passage, under the name of its sheet; hidden sheets, rows and columns
are left out. Values as they are stored with the file; a formula's is that of the last calculation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing import chart
from chatbot.ingestion.parsing.archive import Archive, Element, child, descendants, get, local
from chatbot.ingestion.parsing.description import description, several
from chatbot.ingestion.parsing.outline import Outline
from chatbot.ingestion.parsing.sheet import fill

COLUMN = re.compile(r"([A-Z]{1,3})(\d{1,7})")
AREA = re.compile(r"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})")
DATE_FORMATS = frozenset([*range(14, 23), 27, 30, 36, 45, 46, 47, 50, 57])
"""Built-in number formats of dates and times (ECMA-376, part 1, 18.8.30)."""
PERCENT_FORMATS = frozenset([9, 10])
QUOTED = re.compile(r"\"[^\"]*\"|\[[^\]]*\]|\\.")
EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
MOST_COLUMNS = 1_000
MOST_CELLS = 2_000_000
MOST_MERGED = 10_000
"""Areas, and rows of one: a few bytes can claim a million."""


def read(content: bytes, name: str) -> ParsedDocument:
    archive = Archive(content, name, "Excel workbook")
    main = archive.main_part()
    workbook = archive.xml(main)
    if workbook is None:
        raise archive.damaged()
    outline = Outline(archive.most_text)
    reader = _Reader(archive, main, workbook)
    everything = [archive.all_text("xl/drawings"), archive.all_text("xl/charts/chart"), archive.all_text("xl/comments")]
    parts = archive.relations(main)
    for sheet in descendants(workbook, "sheet"):
        title, part = get(sheet, "name") or "", parts.get(get(sheet, "id") or "", ("", ""))[1]
        rows, hidden = reader.rows(part)
        text = "\n".join(" ".join(row) for row in [*(cells for _, cells in rows), *hidden])
        everything += [title, text]
        if get(sheet, "state") in ("hidden", "veryHidden"):
            outline.leave_out("in hidden sheets", f"{title}\n{text}")
            continue
        outline.leave_out("in hidden rows", "\n".join(" ".join(row) for row in hidden))
        outline.heading(2, title)
        reader.repeat_merged(part, rows)
        fill(outline, rows)
        for drawing in archive.related(part, "drawing"):
            chart.add(outline, archive, drawing, with_figures=False)
            root = archive.xml(drawing)
            for shape in descendants(root, "sp") if root is not None else ():
                outline.add("".join(node.text or "" for node in descendants(shape, "t")))
    outline.leave_out("comments", archive.all_text("xl/comments"))
    if reader.uncalculated:
        outline.note(f"formulas without a value: {reader.uncalculated:,}; open the file and save it again")
    if reader.beyond:
        outline.note(f"cells not read, beyond column {MOST_COLUMNS:,} or cell {MOST_CELLS:,}: {reader.beyond:,}")
    properties = archive.properties()
    outline.title = properties.get("title", "")
    cited = description(several(properties.get("creator", "")))
    return outline.document(name, cited, everything="\n".join(everything))


class _Reader:
    def __init__(self, archive: Archive, main: str, workbook: Element) -> None:
        self._archive = archive
        strings = archive.xml(next(iter(archive.related(main, "sharedStrings")), ""))
        self._strings = [_text(each) for each in strings] if strings is not None else []
        styles = archive.xml(next(iter(archive.related(main, "styles")), ""))
        self._dates = _styles_with(styles, DATE_FORMATS, "[dmyhDMYH]") if styles is not None else set()
        uses_1904 = get(child(workbook, "workbookPr"), "date1904") in ("1", "true")
        self._epoch = EPOCH_1904 if uses_1904 else EPOCH
        self._percentages = _styles_with(styles, PERCENT_FORMATS, "%") if styles is not None else set()
        self._cells = 0
        self.uncalculated = self.beyond = 0

    def rows(self, part: str) -> tuple[list[tuple[int, list[str]]], list[list[str]]]:
        """The rows of a sheet that hold anything, by their number; and the cells of those that are hidden."""
        root = self._archive.xml(part)
        rows: list[tuple[int, list[str]]] = []
        hidden: list[list[str]] = []
        if root is None:
            return rows, hidden
        unseen = _hidden_columns(root)
        number = 0
        for row in descendants(root, "row"):
            place = get(row, "r") or ""
            number = int(place) if place.isdigit() else number + 1
            cells, left_out = self._row(row, unseen)
            if get(row, "hidden") in ("1", "true"):
                cells, left_out = [], [*cells, *left_out]
            if left_out:
                hidden.append(left_out)
            if cells:
                rows.append((number, cells))
        return rows, hidden

    def repeat_merged(self, part: str, rows: list[tuple[int, list[str]]]) -> None:
        """What stands in a cell merged over several rows is true of each of them."""
        by_number = dict(rows)
        root = self._archive.xml(part)
        for each in list(descendants(root, "mergeCell"))[:MOST_MERGED] if root is not None else ():
            area = AREA.fullmatch(get(each, "ref") or "")
            if area is None or area[2] == area[4] or _column(area[1]) >= MOST_COLUMNS:
                continue
            column, first = _column(area[1]), by_number.get(int(area[2]), [])
            for number in range(int(area[2]) + 1, min(int(area[4]), int(area[2]) + MOST_MERGED) + 1):
                cells = by_number.get(number)
                if cells and column < len(first) and (column >= len(cells) or not cells[column]):
                    cells += [""] * (column + 1 - len(cells))
                    cells[column] = first[column]

    def _row(self, row: Element, unseen: set[int]) -> tuple[list[str], list[str]]:
        cells: list[str] = []
        left_out: list[str] = []
        for cell in row:
            if local(cell) != "c":
                continue
            self._cells += 1
            found = COLUMN.fullmatch(get(cell, "r") or "")
            column = _column(found[1]) if found else len(cells)
            if column >= MOST_COLUMNS or self._cells > MOST_CELLS:
                self.beyond += 1
                continue
            if not (value := self._value(cell)):
                self.uncalculated += child(cell, "f") is not None and (get(cell, "t") or "n") == "n"
                continue
            if column in unseen:
                left_out.append(value)
                continue
            cells += [""] * (column - len(cells))
            cells[column:] = [value]
        return cells, left_out

    def _value(self, cell: Element) -> str:
        kind, value = get(cell, "t") or "n", child(cell, "v")
        if kind == "inlineStr":
            return _text(cell)
        text = (value.text or "") if value is not None else ""
        if kind == "s":
            return self._strings[int(text)] if text.isdigit() and int(text) < len(self._strings) else ""
        if kind == "b":
            return {"1": "true", "0": "false"}.get(text, text)
        style = int(get(cell, "s") or 0)
        if kind == "n" and style in self._dates:
            return _date(text, self._epoch)
        if kind == "n" and style in self._percentages:
            return _percentage(text)
        return _number(text) if kind == "n" else text


def _hidden_columns(root: Element) -> set[int]:
    unseen: set[int] = set()
    for each in descendants(root, "col"):
        if get(each, "hidden") in ("1", "true"):
            unseen |= set(range(int(get(each, "min") or 1) - 1, min(int(get(each, "max") or 1), MOST_COLUMNS)))
    return unseen


def _text(node: Element) -> str:
    """The runs of a string, without how it is pronounced."""
    return "".join(_runs(node))


def _runs(node: Element) -> Iterator[str]:
    for each in node:
        if local(each) == "t":
            yield each.text or ""
        elif local(each) != "rPh":
            yield from _runs(each)


def _styles_with(styles: Element, built_in: frozenset[int], code: str) -> set[int]:
    """The indices of cell formats that are among the built-in ones, or whose own code has one of these characters."""
    custom = {get(each, "numFmtId"): get(each, "formatCode") or "" for each in descendants(styles, "numFmt")}
    formats = child(styles, "cellXfs")
    found = set()
    for index, each in enumerate(formats if formats is not None else ()):
        id = get(each, "numFmtId") or "0"
        if (id.isdigit() and int(id) in built_in) or re.search(code, QUOTED.sub("", custom.get(id, ""))):
            found.add(index)
    return found


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _date(text: str, epoch: datetime) -> str:
    try:
        days = float(text)
        moment = epoch + timedelta(days=days)
    except (ValueError, OverflowError):
        return text
    rounded = moment + timedelta(microseconds=500_000)
    if days < 1:
        return f"{rounded:%H:%M}"
    return f"{rounded:%Y-%m-%d}" if days == int(days) else f"{rounded:%Y-%m-%d %H:%M}"


def _number(text: str) -> str:
    """0.30000000000000004 as people see it."""
    try:
        return f"{float(text):.15g}" if "." in text or "E" in text else text
    except ValueError:
        return text


def _percentage(text: str) -> str:
    try:
        return f"{float(text) * 100:.10g}%"
    except ValueError:
        return text
