"""RTF (version 1.9.1): paragraphs, headings by their outline level, tables, notes; hidden text is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing.description import description, several
from chatbot.ingestion.parsing.outline import Outline, one_line

TOKEN = re.compile(rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)")
IGNORED_NAMES = b"""
fonttbl colortbl stylesheet listtable listoverridetable revtbl rsidtbl generator pict object themedata fldinst bkmkstart
colorschememapping latentstyles datastore xmlnstbl mmathPr wgrffmtfilter filetbl bkmkend shppict nonshppict objdata
listpicture panose falt atnid atnauthor atnref atndate atrfstart atrfend pgdsctbl xe tc sp sn sv blipuid txe annotation
"""
IGNORED = frozenset(IGNORED_NAMES.split())
"""Destinations that hold no text of the document."""
KEPT_NAMES = b"""
rtf footnote header headerl headerr headerf footer footerl footerr footerf shptxt shprslt fldrslt shp shpinst listtext
pntext info title author ud upr
"""
KEPT = frozenset(KEPT_NAMES.split())
SIGNS = {
    **{b"par": "\n", b"sect": "\n", b"page": "\n", b"column": "\n", b"line": " ", b"tab": " "},
    **{b"cell": "\x1e", b"nestcell": "\x1e", b"row": "\x1f", b"nestrow": "\x1f", b"emspace": " ", b"enspace": " "},
    **{b"emdash": "—", b"endash": "–", b"bullet": "•", b"lquote": "‘", b"rquote": "’"},
    **{b"ldblquote": "“", b"rdblquote": "”"},
}
CHARSETS = {
    **{0: "cp1252", 2: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5"},
    **{161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251"},
    **{222: "cp874", 238: "cp1250"},
}
FONT = re.compile(rb"\\f(\d+)[^{};]*?\\fcharset(\d+)")
DEEPEST = 500
SMALLEST = 3
"""Half points."""


@dataclass(frozen=True, slots=True)
class State:
    """What a group inherits from the one around it."""

    destination: bytes = b""
    is_hidden: bool = False
    size: int = 24
    skip: int = 1
    """Characters that stand for one of Unicode, for old readers."""
    encoding: str = ""


def read(content: bytes, name: str) -> ParsedDocument:
    outline = Outline()
    reader = _Reader(content, outline, name)
    reader.run()
    outline.title = outline.title or one_line(reader.info.get(b"title", ""))
    cited = description(several(one_line(reader.info.get(b"author", ""))))
    return outline.document(name, cited, everything="".join(reader.everything))


class _Reader:
    def __init__(self, content: bytes, outline: Outline, name: str) -> None:
        self._content, self._outline, self._name = content, outline, name
        page = re.search(rb"\\ansicpg(\d+)", content[:4096])
        mac = b"\\mac" in content[:200]
        self._encoding = "mac_roman" if mac else f"cp{int(page[1])}" if page else "cp1252"
        self._fonts = {int(font): CHARSETS.get(int(charset), "") for font, charset in FONT.findall(content[:200_000])}
        self._stack: list[State] = []
        self._state = State()
        self._bytes = bytearray()
        self._words: list[str] = []
        self._aside: dict[int, list[str]] = {}
        self._notes: list[str] = []
        self._rows: list[list[str]] = []
        self._row: list[str] = []
        self._level: int | None = None
        self._skipped = 0
        self._high = 0
        self._starts_group = False
        self.info: dict[bytes, str] = {}
        self.everything: list[str] = []

    def run(self) -> None:
        at = 0
        while at < len(self._content):
            token = TOKEN.match(self._content, at)
            if token is None:
                at += 1
                continue
            at = token.end()
            word, number, code, sign, brace, text = token.groups()
            if word == b"bin" and number:
                at += max(int(number), 0)
            elif word:
                self._word(word, int(number) if number else None)
            elif code:
                self._byte(bytes([int(code, 16)]))
            elif sign:
                self._sign(sign)
            elif brace:
                self._open() if brace == b"{" else self._close()
            elif text:
                self._byte(text)
        self._paragraph()
        self._end_table()

    def _open(self) -> None:
        self._decode()
        if len(self._stack) > DEEPEST:
            raise RecursionError
        self._stack.append(self._state)
        self._starts_group = True

    def _close(self) -> None:
        self._decode()
        depth, ended = len(self._stack), self._state.destination
        if not self._stack:
            raise UnreadableDocument(f"{self._name} is not a complete RTF document: it is damaged or was cut short.")
        self._state = self._stack.pop()
        if depth in self._aside:
            note = one_line("".join(self._words))
            self._words = self._aside.pop(depth)
            self.everything.append("\n")
            if note:
                self._notes.append(f"Note: {note}" if ended == b"footnote" else note)

    def _word(self, word: bytes, number: int | None) -> None:
        self._decode()
        starts, self._starts_group = self._starts_group, False
        if starts and (word in IGNORED or word in KEPT):
            self._begin(word)
        elif word == b"u" and number is not None:
            self._put(self._unicode(number % 65_536))
            self._skipped = self._state.skip
        elif word == b"uc":
            self._state = replace(self._state, skip=number or 0)
        elif word in (b"v", b"deleted"):
            self._state = replace(self._state, is_hidden=number != 0)
        elif word == b"plain":
            self._state = replace(self._state, is_hidden=False, size=24)
        elif word == b"fs":
            self._state = replace(self._state, size=24 if number is None else number)
        elif word == b"f" and number is not None:
            self._state = replace(self._state, encoding=self._fonts.get(number, ""))
        elif word == b"outlinelevel":
            self._level = number
        elif word == b"pard":
            self._level = None
        elif word in SIGNS:
            self._put(SIGNS[word])

    def _unicode(self, code: int) -> str:
        """A character; one beyond 65,535 comes in two halves."""
        high, self._high = self._high, 0
        if 0xD800 <= code < 0xDC00:
            self._high = code
            return ""
        if 0xDC00 <= code < 0xE000:
            return chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00) if high else ""
        return chr(code)

    def _begin(self, destination: bytes) -> None:
        self._state = replace(self._state, destination=destination)
        if destination == b"footnote" or destination.startswith((b"header", b"footer")):
            self._aside[len(self._stack)] = self._words
            self.everything.append("\n")
            self._words = []

    def _sign(self, sign: bytes) -> None:
        self._decode()
        if sign == b"*":
            self._state = replace(self._state, destination=b"*")
        elif sign == b"~":
            self._put(" ")
        elif sign == b"_":
            self._put("-")
        elif sign in b"\\{}":
            self._put(sign.decode())
        elif sign in b"\r\n":
            self._put("\n")

    def _byte(self, data: bytes) -> None:
        self._starts_group = False
        skipped = min(self._skipped, len(data))
        self._skipped -= skipped
        self._bytes += data[skipped:]

    def _decode(self) -> None:
        """Bytes become text when the last of a run is there: a character may take two."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            try:
                text = data.decode(self._state.encoding or self._encoding, errors="replace")
            except LookupError:
                text = data.decode("cp1252", errors="replace")
            self._put(text)

    def _put(self, text: str) -> None:
        destination = self._state.destination
        if destination in (b"title", b"author"):
            self.info[destination] = self.info.get(destination, "") + text
            return
        if destination in IGNORED or destination in (b"*", b"info"):
            return
        self.everything.append(" " if text in "\x1e\x1f" else text)
        if self._state.is_hidden or self._state.size <= SMALLEST:
            self._outline.leave_out("hidden", text)
        elif text == "\x1e":
            self._row.append(one_line("".join(self._words)))
            self._words.clear()
        elif text == "\x1f":
            self._rows.append(self._row)
            self._row = []
        elif text == "\n" and not self._aside and not self._row:
            self._paragraph()
        else:
            self._words.append(" " if text == "\n" else text)

    def _paragraph(self) -> None:
        text = one_line("".join(self._words))
        self._words.clear()
        if text:
            self._end_table()
            self._outline.title = self._outline.title or one_line(self.info.get(b"title", ""))
            if self._level is not None and self._level < 9:
                self._outline.heading(self._level + 1, text)
            else:
                self._outline.add(text)
        if not self._rows:
            notes, self._notes = self._notes, []
            for note in notes:
                self._outline.add(note)

    def _end_table(self) -> None:
        if self._row:
            self._rows.append(self._row)
            self._row = []
        if self._rows:
            self._outline.table(self._rows)
            self._rows = []
