"""What the formats share: text that PostgreSQL accepts, lines made paragraphs again, sections under their headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from chatbot.domain import Metadata, ParsedDocument, Section
from chatbot.text.analysis import detect_language
from chatbot.text.sanitize import visible

UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u2060\ufffe\uffff]")
"""NUL and lone surrogates, which PostgreSQL refuses; control characters; what `safe.visible` leaves, word joiners."""
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
BULLET = re.compile(r"\s*(?:[•▪◦‣*-]|\d{1,2}[.)])\s")
INDENT = "    "
TITLE_CHARS = 300


def clean(text: str) -> str:
    """The text in composed Unicode with plain line ends, without what cannot be stored, searched or seen."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(LIGATURES)
    return unicodedata.normalize("NFC", UNWANTED.sub("", visible(text)))


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def code(text: str) -> str:
    """A listing, indented so that its lines stay together (see analyse.BREAK)."""
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
        elif not line.endswith("-") or not line[-2:-1].isalpha():
            yield line + " "
        else:
            yield line[:-1] if after[0].islower() else line


class Outline:
    """Collects paragraphs in reading order, and gives them back as sections under the headings above them."""

    def __init__(self) -> None:
        self.title = ""
        self._path: list[tuple[int, str]] = []
        self._sections: list[tuple[str, int | None, list[str]]] = []

    def heading(self, level: int, text: str) -> None:
        """The first heading of level 1 is the document's title, unless it has one; it heads no section."""
        text = one_line(text)
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if level == 1 and (not self.title or text == self.title):
            self.title = text
        elif text:
            self._path.append((level, text))

    def add(self, text: str, page: int | None = None) -> None:
        text = clean(text).strip("\n").rstrip()
        heading = " > ".join(title for _, title in self._path)
        if not text:
            return
        if not self._sections or self._sections[-1][:2] != (heading, page):
            self._sections.append((heading, page, []))
        self._sections[-1][2].append(text)

    def document(self, name: str, metadata: Metadata | None = None, pages: int = 1) -> ParsedDocument:
        """`name`, the file's, is its title for want of a better one."""
        sections = [Section("\n\n".join(texts), heading, page) for heading, page, texts in self._sections]
        if self.title and not sections:
            sections = [Section(self.title)]
        title = one_line(self.title or PurePath(name).stem)[:TITLE_CHARS]
        language = detect_language(_sample(section.text for section in sections))
        return ParsedDocument(title, sections, language, metadata or {}, pages)


def _sample(texts: Iterable[str], characters: int = 20_000) -> str:
    sample = ""
    for text in texts:
        sample += text[:characters] + "\n"
        if len(sample) > characters:
            break
    return sample
