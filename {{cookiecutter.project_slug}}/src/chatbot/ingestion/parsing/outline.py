"""What the formats share: text that PostgreSQL accepts, lines made paragraphs again, sections under their headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import PurePath

from chatbot.domain import Metadata, ParsedDocument, Section
from chatbot.ingestion.parsing import instructions
from chatbot.ingestion.parsing.reading import weigh
from chatbot.text.analysis import detect_language
from chatbot.text.sanitize import visible

UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u2060\ufffe\uffff]")
"""NUL and lone surrogates, which PostgreSQL refuses; control characters; what `safe.visible` leaves, word joiners."""
LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
BULLET = re.compile(r"\s*(?:[•▪◦‣*-]|\d{1,2}[.)])\s")
INDENT = "    "
TITLE_CHARS = HEADING_CHARS = 300
"""Of the title and of each heading; what is longer is text too, lest it be lost."""
CODE_PAGES = {
    "cp1252": "Windows-1252",
    "mac_roman": "Mac Roman",
    "cp850": "DOS code page 850",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
"""What people call them."""
LONG_TABLE = 700
"""Characters of a table from which it may be cut: see CHUNK_CHARS."""
NUMERIC = re.compile(r"[-+]?[\d.,\s%€$£]*\d[\d.,\s%€$£]*")
HYPHENS = "-\u2010\u00ad"


def clean(text: str) -> str:
    """The text in composed Unicode with plain line ends, without what cannot be stored, searched or seen."""
    text = LINE_ENDS.sub("\n", text).translate(LIGATURES)
    return unicodedata.normalize("NFC", UNWANTED.sub("", visible(text)))


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def code(text: str) -> str:
    """A listing, indented so that its lines stay together (see analysis.BREAK)."""
    return "\n".join(INDENT + line for line in clean(text).rstrip().split("\n") if line.strip())


def paragraphs(lines: Sequence[str]) -> list[str]:
    """Wrapped lines as paragraphs: one ends at a blank line, at a line markedly short, or before a bullet."""
    lengths = sorted(len(line) for line in lines if line.strip())
    width = lengths[len(lengths) * 3 // 4] if lengths else 0
    parts: list[list[str]] = []
    ended = True
    for line in lines:
        stripped = line.strip()
        if not stripped:
            ended = True
        elif not parts or (ended and not stripped[0].islower()) or BULLET.match(line):
            parts.append([stripped])
            ended = _ends(stripped, width)
        else:
            parts[-1].append(stripped)
            ended = _ends(stripped, width)
    return ["".join(_hyphens_joined(part)) for part in parts]


def _ends(line: str, width: int) -> bool:
    return len(line) < (0.85 if line[-1] in ".!?:;" else 0.6) * width


def _hyphens_joined(lines: Sequence[str]) -> Iterator[str]:
    """« adap- » and « tation » make one word again; "COVID-" before a capital or a digit keeps its hyphen."""
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if not after:
            yield line
        elif line[-1] not in HYPHENS or not line[-2:-1].isalpha():
            yield line + " "
        else:
            yield line[:-1] if after[0].islower() else line


class Outline:
    """Collects paragraphs in reading order, and gives them back as sections under the headings above them.

    What a format leaves out on purpose goes to `leave_out`, so that it can be counted (see reading.py).
    """

    def __init__(self, most: int | None = None) -> None:
        """`most`: characters of text from which it is a bomb, and OverflowError."""
        self.title = ""
        self._most, self._characters = most, 0
        self._path: list[tuple[int, str]] = []
        self._bare: str | None = None
        self._sections: list[tuple[str, int | None, bool, list[str]]] = []
        self._page: int | None = None
        self._headings: list[str] = []
        self._left_out: dict[str, list[str]] = {}
        self._notes: list[str] = []

    @property
    def has_headings(self) -> bool:
        """Its title is one."""
        return bool(self.title or self._headings)

    def heading(self, level: int, text: str, page: int | None = None) -> None:
        """The first heading of level 1 is the document's title, unless it has one; it heads no section.

        A heading with nothing below it is text, lest it be lost.
        """
        text = one_line(text)
        if self._path and self._path[-1][0] >= level:
            self._keep_bare_heading()
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if level == 1 and (not self.title or text == self.title):
            self.title = text
            self._headings.append(text)
        elif text:
            self._headings.append(text)
            self._path.append((level, text[:HEADING_CHARS]))
            self._bare, self._page = text, page
            if len(text) > HEADING_CHARS:
                self.add(text, page)

    def add(self, text: str, page: int | None = None, is_continued: bool = False) -> None:
        """`is_continued`: its first sentence began on the page before."""
        text = clean(text).strip("\n").rstrip()
        if not text:
            return
        self._bare = None
        self._add(text, page, self._path, is_continued)

    def table(self, rows: Sequence[Sequence[str]], page: int | None = None) -> None:
        """Row by row; in a table that will be cut, each row has its column names, so that it can be quoted alone."""
        rows = [[one_line(cell) for cell in row] for row in rows if any(cell.strip() for cell in row)]
        if sum(len(cell) + 3 for row in rows for cell in row) > LONG_TABLE and _has_names(rows):
            self.add(" | ".join(rows[0]), page)
            for row in rows[1:]:
                self.add(named(rows[0], row), page)
        else:
            for row in rows:
                self.add(" | ".join(row), page)

    def leave_out(self, reason: str, text: str) -> None:
        """`reason` as it is shown: "20 hidden"."""
        if text.strip():
            self._left_out.setdefault(reason, []).append(text)

    def note(self, sentence: str) -> None:
        """Something about how the file was read, for whoever added it."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def read_as(self, encoding: str) -> None:
        if encoding.replace("_", "-") not in ("utf-8", "ascii"):
            windows = re.sub(r"^cp(125\d)$", r"Windows-\1", encoding)
            self.note(f"read as {CODE_PAGES.get(encoding, windows)}")

    def document(
        self, name: str, metadata: Metadata | None = None, pages: int = 1, everything: str = ""
    ) -> ParsedDocument:
        """`name`, the file's, is its title for want of a better one. `everything`: see `reading.weigh`."""
        self._keep_bare_heading()
        if len(self.title) > TITLE_CHARS:
            self._sections.insert(0, ("", None, False, [self.title]))
        sections = [
            Section("\n\n".join(texts), heading, page, is_continued)
            for heading, page, is_continued, texts in self._sections
        ]
        if self.title and not sections:
            sections = [Section(self.title)]
        if warning := instructions.note(sections):
            self.note(warning)
        title = one_line(self.title or PurePath(name).stem)[:TITLE_CHARS]
        language = detect_language(_sample(section.text for section in sections))
        kept = [*self._headings, *(section.text for section in sections)]
        reading = weigh(everything, kept, self._left_out, self._notes)
        return ParsedDocument(title, sections, language, metadata or {}, pages, reading)

    def _keep_bare_heading(self) -> None:
        if self._bare is not None:
            self._headings.pop()
            self._add(self._bare, self._page, self._path[:-1])
            self._bare = None

    def _add(self, text: str, page: int | None, path: Sequence[tuple[int, str]], is_continued: bool = False) -> None:
        heading = " > ".join(title for _, title in path)
        if not self._sections or self._sections[-1][:2] != (heading, page):
            self._sections.append((heading, page, is_continued, []))
        self._sections[-1][3].append(text)
        self._characters += len(text)
        if self._most is not None and self._characters > self._most:
            raise OverflowError


def named(names: Sequence[str], row: Sequence[str]) -> str:
    """E.g. "Year: 1985 | Apples: 41": what is empty is left out."""
    return " | ".join(
        f"{name}: {cell}" if name and name != cell else cell
        for name, cell in zip_longest(names, row, fillvalue="")
        if cell
    )


def _has_names(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row can be column names: different words, none of them a mere number."""
    names = [name for name in rows[0] if name]
    return len(rows) > 2 and 1 < len(names) == len({*names}) and not any(NUMERIC.fullmatch(name) for name in names)


def _sample(texts: Iterable[str], characters: int = 20_000) -> str:
    sample = ""
    for text in texts:
        sample += text[:characters] + "\n"
        if len(sample) > characters:
            break
    return sample
