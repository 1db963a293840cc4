"""From the lines of a PDF's pages to its text: columns in reading order, running lines apart, lines made paragraphs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from chatbot.ingestion.parsing.outline import BULLET
from chatbot.ingestion.parsing.pdf_text import Line

EDGE = 3
"""Lines at the top and at the bottom of a page that may be running headers or footers."""
SAME_PLACE = 4.0
"""Points by which a running line moves from page to page."""
GAP, WIDE = 1.6, 1.3
"""How much wider than a line is high, and than the usual distance of two, the gap between running lines and text is."""
ROW = 3
"""Points within which lines stand in one row."""
RUNNING = 3
"""Pages, at least, that have the same line in the same place; and a quarter of all."""
PAGE_LABEL = re.compile(
    r"(?:pages?|p|pp|seite|s|pág|página|pagina|blz|folio|fol)?\W{0,3}(?:\d{1,4}|[ivxl]{1,7})(?:\s?(?:/|of|sur|de|von|di|van)\s?\d{1,4})?\W{0,2}",
    re.IGNORECASE,
)
NUMBER = re.compile(r"\d{1,4}|[ivxl]{1,7}", re.IGNORECASE)
ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}
COLUMN = 4
"""Lines that a column has at least."""
CROSSING = 0.2
"""Share of a page's lines that may cross the gutter: titles, figures."""
PROSE = 0.4
"""Share of the lines in columns that begin in lower case, from which they are sentences and no table."""
STAMPED = 1.5
"""How much higher than the usual line a watermark is."""
STAMP = re.compile(
    r"\W*(?:(?:final |first )?draft|confidential|(?:not |do not )?(?:copy|distribute)|sample|specimen|preprint|proof"
    r"|internal|void|brouillon|provisoire|confidentiel|projet|copie|épreuve|spécimen|document de travail)\W*",
    re.IGNORECASE,
)
FINAL = '.!?:;…»”"'


def without_watermarks(pages: Sequence[Sequence[Line]]) -> list[Line]:
    """The first page's lines but for what is stamped over pages: large words like « DRAFT », or what the next page has
    in the same place and as large."""
    following = [(line.text, line.middle) for line in pages[1]] if len(pages) > 1 else []
    usual = median([line.top - line.bottom for line in pages[0]] or [0])
    return [
        line
        for line in pages[0]
        if line.top - line.bottom <= STAMPED * usual
        or not (
            STAMP.fullmatch(line.text)
            or any(line.text == text and abs(line.middle - middle) < SAME_PLACE for text, middle in following)
        )
    ]


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """The lines, column by column where the file has them row by row; in its own order otherwise."""
    gutter = _gutter(lines)
    if gutter is None:
        return _rejoined(lines)
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in lines:
        if line.left < gutter - 1 < line.right - 1:
            ordered += [*in_reading_order(left), *in_reading_order(right), line]
            left, right = [], []
        else:
            (left if line.right <= gutter + 1 else right).append(line)
    return [*ordered, *in_reading_order(left), *in_reading_order(right)]


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the right column begins, on a page whose two columns are mixed line by line; None on any other."""
    starts = Counter(round(line.left / 2) * 2 for line in lines)
    outer = min((line.left for line in lines), default=0.0)
    for start, count in starts.most_common(6):
        gutter = start - 2.0
        if count < COLUMN or start < outer + 100:
            continue
        left = [line for line in lines if line.right <= gutter + 1]
        right = [line for line in lines if line.left >= gutter]
        if min(len(left), len(right)) < COLUMN or len(lines) - len(left) - len(right) > CROSSING * len(lines):
            continue
        sides = [line.left >= gutter for line in lines if line.right <= gutter + 1 or line.left >= gutter]
        changes = sum(one != other for one, other in pairwise(sides))
        if changes > 0.5 * len(sides) and _are_prose([*left, *right]):
            return gutter
    return None


def _are_prose(lines: Sequence[Line]) -> bool:
    lower = sum(line.text[0].islower() for line in lines)
    return lower >= PROSE * len(lines) and median(len(line.text.split()) for line in lines) >= 3


def _rejoined(lines: Sequence[Line]) -> list[Line]:
    """The pieces of a row that are no columns made one line again."""
    rows: list[Line] = []
    for line in lines:
        last = rows[-1] if rows else None
        if last and line.left >= last.right and abs(line.middle - last.middle) < 0.4 * (last.top - last.bottom):
            last.text += f" {line.text}"
            last.right, last.is_hyphenated = line.right, line.is_hyphenated
        else:
            rows.append(line)
    return rows


class Running:
    """The lines that pages share, in the same place: page numbers, headers and footers."""

    def __init__(self, pages: Sequence[Sequence[Line]]) -> None:
        self._numbers, self._first, self._lines = set[int](), set[int](), set[int]()
        places: dict[str, list[tuple[int, Line]]] = defaultdict(list)
        labels: dict[int, list[tuple[int, Line]]] = defaultdict(list)
        edges = [_edges(lines) for lines in pages]
        for page, lines in enumerate(edges):
            for line in lines:
                if PAGE_LABEL.fullmatch(line.text):
                    labels[page - _number(line.text)].append((page, line))
                places[line.text].append((page, line))
        for same in labels.values():
            if len({page for page, _ in same}) > 1:
                self._numbers |= {id(line) for _, line in same}
        enough = max(RUNNING, len(pages) / 4)
        groups = [group for same in places.values() for group in _by_place(same)]
        shared = [group for group in groups if len({page for page, _ in group}) >= enough]
        outermost = self._outermost(pages, {id(line) for group in shared for _, line in group})
        for group in shared:
            running = [line for _, line in group if id(line) in outermost]
            self._first |= {id(line) for line in running[:1]}
            self._lines |= {id(line) for line in running[1:]}

    def _outermost(self, pages: Sequence[Sequence[Line]], shared: set[int]) -> set[int]:
        """Of the lines that pages share, those with no other between them and the edge of the page, and a gap before
        the rest: what stands below a heading or close to other lines is text, though every page may have it."""
        found: set[int] = set()
        candidates = shared | self._numbers
        for lines in pages:
            rows = _rows(lines)
            heights = sorted(rows)
            usual = [after - before for before, after in pairwise(heights)]
            gap = max(GAP * median([line.top - line.bottom for line in lines] or [0]) / ROW,
                      WIDE * median(usual) if len(usual) > 2 * EDGE else 0)  # fmt: skip
            for numbers in (heights, heights[::-1]):
                outer = []
                for row, inner in zip(numbers[:EDGE], [*numbers[1:], None], strict=False):
                    if not any(id(line) in candidates for line in rows[row]):
                        break
                    outer += rows[row]
                    if inner is None or abs(inner - row) >= gap:
                        found |= {id(line) for line in outer}
        return found

    def is_number(self, line: Line) -> bool:
        return id(line) in self._numbers

    def is_first(self, line: Line) -> bool:
        """A line that later pages repeat: this page keeps it."""
        return id(line) in self._first and id(line) not in self._lines

    def is_repeated(self, line: Line) -> bool:
        return id(line) in self._lines


def _edges(lines: Sequence[Line]) -> list[Line]:
    """The lines of the three highest and the three lowest rows."""
    rows = _rows(lines)
    outer = {*sorted(rows)[:EDGE], *sorted(rows)[-EDGE:]}
    return [line for row, found in rows.items() if row in outer for line in found]


def _rows(lines: Sequence[Line]) -> dict[int, list[Line]]:
    """The lines by their height, of which those of one row have the same."""
    rows: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        rows[round(line.middle / ROW)].append(line)
    return rows


def _by_place(same: Iterable[tuple[int, Line]]) -> Iterator[list[tuple[int, Line]]]:
    groups: list[list[tuple[int, Line]]] = []
    for page, line in same:
        fitting = next((each for each in groups if abs(each[-1][1].middle - line.middle) <= SAME_PLACE), None)
        if fitting is None:
            groups.append([(page, line)])
        else:
            fitting.append((page, line))
    yield from groups


def _number(label: str) -> int:
    found = NUMBER.search(re.sub(r"^[a-zá]{2,}|^[ps]\W", "", label.lower()) or label)
    text = found[0].lower() if found else "0"
    if text.isdigit():
        return int(text)
    values = [ROMAN[letter] for letter in text]
    return sum(-one if one < two else one for one, two in zip(values, [*values[1:], 0], strict=True))


def paragraphs(lines: Sequence[Line]) -> list[str]:
    """Wrapped lines as paragraphs: one ends at a gap, at a line that is short for its column, or before a bullet."""
    leading = _leading(lines)
    parts: list[list[Line]] = []
    for index, line in enumerate(lines):
        before = lines[index - 1] if index else None
        if before is None or _begins(before, line, leading, _margin(lines, index - 1)):
            parts.append([line])
        else:
            parts[-1].append(line)
    return [joined(part) for part in parts]


def ends_open(lines: Sequence[Line]) -> bool:
    """Whether the last sentence of a page goes on overleaf: its last line is full, and ends in no final mark."""
    if not lines:
        return False
    last = lines[-1]
    return last.is_hyphenated or (
        last.text[-1] not in FINAL and not _is_short(last, _margin(lines, len(lines) - 1), 0.8)
    )


def joined(lines: Sequence[Line]) -> str:
    """« adap- » and « tation » make one word again; "COVID-" before a capital or a digit keeps its hyphen."""
    text = ""
    for line in lines:
        if text.endswith("\u00ad"):
            text = text[:-1] + (line.text if line.text[0].islower() else f"-{line.text}")
        elif text.endswith("-") and text[-2:-1].isalpha() and line.text[0].islower():
            text = text[:-1] + line.text
        elif text.endswith("-") and text[-2:-1].isalpha():
            text += line.text
        else:
            text += f" {line.text}" if text else line.text
        if line.is_hyphenated:
            text += "\u00ad"
    return text[:-1] + "-" if text.endswith("\u00ad") else text


def _leading(lines: Sequence[Line]) -> float:
    steps = [one.middle - two.middle for one, two in pairwise(lines) if one.middle > two.middle + 1]
    return median(steps) if steps else 0.0


def _margin(lines: Sequence[Line], index: int) -> tuple[float, float]:
    """Left and right edge of the column in which a line stands: those of the lines around it that overlap it."""
    line = lines[index]
    near = lines[max(index - 25, 0) : index + 25]
    around = [each for each in near if each is line or (each.left < line.right and line.left < each.right)]
    rights = sorted(each.right for each in around)
    return min(each.left for each in around), rights[int(0.75 * (len(rights) - 1) + 0.5)]


def _is_short(line: Line, margin: tuple[float, float], share: float) -> bool:
    left, right = margin
    return line.right - left < share * (right - left)


def _begins(before: Line, line: Line, leading: float, margin: tuple[float, float]) -> bool:
    """Whether a line begins a paragraph, given the one before it."""
    if before.is_hyphenated:
        return False
    if line.is_alone or before.is_alone or BULLET.match(line.text):
        return True
    is_final = before.text[-1] in FINAL
    if abs(before.size - line.size) > 0.15 * max(before.size, line.size, 0.1) and before.size > 1 and line.size > 1:
        return True
    if line.text[0].islower() and not is_final:
        return False
    step = before.middle - line.middle
    if step > 1.4 * leading > 0 or (is_final and line.left > before.left + 6 and before.left <= margin[0] + 3):
        return True
    return _is_short(before, margin, 0.85 if is_final else 0.6) and not line.text[0].islower()
