"""The lines of a PDF's page, with where they stand, from pdfium's text page.

Accents that TeX sets apart come back to their letters, superscripts off their words, and what the page hides is left
out letter by letter where an object is hidden in part.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from chatbot.ingestion.parsing.pdf_look import Look
from chatbot.ingestion.parsing.pdf_objects import Box, Text

BREAK = re.compile("\r\n|[\r\n]|\ufffe|\x02")
HYPHENS = ("\ufffe", "\x02")
"""pdfium's signs for a hyphen at the end of a line, whose break it leaves out."""
ACCENTS = {"´": "\u0301", "`": "\u0300", "ˆ": "\u0302", "^": "\u0302", "¨": "\u0308", "˜": "\u0303", "~": "\u0303",
           "¸": "\u0327", "˚": "\u030a", "¯": "\u0304", "˘": "\u0306", "˙": "\u0307", "˝": "\u030b", "ˇ": "\u030c",
           "˛": "\u0328", "\u0301": "\u0301", "\u0300": "\u0300", "\u0302": "\u0302", "\u0308": "\u0308"}  # fmt: skip
ACCENT = re.compile(f"[{''.join(map(re.escape, ACCENTS))}]")
DOTLESS = {"ı": "i", "ȷ": "j"}
RAISED = re.compile(
    r"(?<=[^\W_])\d{1,4}(?!\w)|(?<=[.,;:!?»”)])\d{1,3}(?=\s|$)|(?<=[^\W_])[-−+]\d{1,2}(?!\w)|\d{2,6}(?!\w)"
)
UNIT = re.compile(r"(?:^|[\W\d_])[^\W\d_]{1,2}$|\d$")
SUPERSCRIPT = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
SMALLER = 0.9
"""Size of a superscript beside that of its line."""
GAP = 12.0
"""Points between two pieces of a line from which they may be in two columns."""
SHADOW = 3.0
"""Points by which a shadow lies beside its text."""
MEANINGLESS = 0.5
"""Share of characters that are none, from which a page's fonts do not say what their glyphs mean."""
SAMPLE = 150


@dataclass(slots=True)
class Line:
    """What stands on one line of one column, left to right. Points, from the page's lower left corner."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float
    """Of its first letter."""
    is_hyphenated: bool = False
    """Its last word goes on in the next line; its hyphen is not in `text`."""
    is_alone: bool = False
    """A paragraph of its own."""

    @property
    def middle(self) -> float:
        return (self.bottom + self.top) / 2


class TextPage:
    """pdfium's text of a page, as it is drawn now."""

    def __init__(self, page: Any) -> None:
        self._page = pdfium.FPDFText_LoadPage(page)
        self._count = max(pdfium.FPDFText_CountChars(self._page), 0) if self._page else 0
        self.text = self._text()
        self._letters = list(self.text)
        self._join_accents(self._letters)
        self._set_superscripts_apart(self._letters)

    @property
    def everything(self) -> str:
        """All that the page says, seen or not."""
        return "".join(self._letters)

    def close(self) -> None:
        if self._page:
            pdfium.FPDFText_ClosePage(self._page)

    def _text(self) -> str:
        """One character for each of pdfium's."""
        buffer = (ctypes.c_ushort * (self._count + 1))()
        written = pdfium.FPDFText_GetText(self._page, 0, self._count, buffer) if self._count else 0
        text = bytes(buffer)[: 2 * max(written - 1, 0)].decode("utf-16-le", errors="replace")
        if len(text) == self._count:
            return text
        codes = (pdfium.FPDFText_GetUnicode(self._page, index) for index in range(self._count))
        return "".join(chr(code) if 0 < code < 0x110000 else "\x00" for code in codes)

    def is_meaningless(self) -> bool:
        """Whether the fonts do not tell which characters their glyphs are, so that the text is none."""
        every = range(0, self._count, max(self._count // SAMPLE, 1))
        sample = [index for index in every if not self.text[index].isspace() and self.text[index] not in HYPHENS]
        wrong = sum(_is_no_character(self.text[i]) or self._is_unmapped(i) for i in sample)
        return len(sample) > 20 and wrong > MEANINGLESS * len(sample)

    def _is_unmapped(self, index: int) -> bool:
        return bool(pdfium.FPDFText_HasUnicodeMapError(self._page, index) == 1)

    def without_shadows(self, look: Look) -> list[Text]:
        """The hidden objects but those that are drawn once more in their place, as shadows and bold letters are: of
        the same text at the same place pdfium keeps the first alone, and the one that is seen has none."""
        hidden = {id(text) for text in look.hidden}
        again = [text.box for text in look.texts if id(text) not in hidden and not self._has_text(text)]
        return [text for text in look.hidden if not any(_coincide(text.box, box) for box in again)]

    def _has_text(self, text: Text) -> bool:
        return bool(pdfium.FPDFTextObj_GetText(text.item, self._page, None, 0) > 2)

    def lines(self, look: Look) -> list[Line]:
        letters = list(self._letters)
        if look.partly:
            self._leave_out_unseen(letters, look)
        wide = self._gaps()
        lines: list[Line] = []
        start = 0
        for end, hyphenated in [
            *((m.start(), m[0] in HYPHENS) for m in BREAK.finditer(self.text)),
            (self._count, False),
        ]:
            if start < end:
                self._add(lines, letters, start, end, hyphenated, wide)
            start = max(end + 1, start)
        return lines

    def box(self, index: int) -> Box:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        pdfium.FPDFText_GetCharBox(self._page, index, left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    def _add(
        self, lines: list[Line], letters: list[str], start: int, end: int, hyphenated: bool, wide: Sequence[Box]
    ) -> None:
        """The line between two indices, cut where it has a wide gap."""
        shown = [index for index in range(start, end) if letters[index].strip()]
        if not shown:
            return
        cuts = self._cuts(shown, wide)
        for first, last in zip([0, *cuts], [*cuts, len(shown)], strict=True):
            one, other = shown[first], shown[last - 1]
            text = "".join(letters[one : other + 1]).strip()
            if not text:
                continue
            is_last = last == len(shown)
            soft = is_last and (hyphenated or (text[-1] in "‐\u00ad" and text[-2:-1].isalpha()))
            size = pdfium.FPDFText_GetFontSize(self._page, one)
            low, high = self._heights(one), self._heights(other)
            left, right = self.box(one)[0], self.box(other)[2]
            line = Line(text, left, min(low[0], high[0]), right, max(low[1], high[1]), size, soft)
            if soft:
                line.text = text.rstrip("‐\u00ad")
            lines.append(line)

    def _heights(self, index: int) -> tuple[float, float]:
        box = pdfium.FS_RECTF()
        if pdfium.FPDFText_GetLooseCharBox(self._page, index, box) and box.top > box.bottom:
            return box.bottom, box.top
        _, bottom, _, top = self.box(index)
        return bottom, top

    def _gaps(self) -> list[Box]:
        """The wide gaps between two runs of one line: right edge, height and left edge of what is on both sides."""
        found: list[Box] = []
        before: Box | None = None
        for index in range(max(pdfium.FPDFText_CountRects(self._page, 0, -1), 0)):
            left, top, right, bottom = (ctypes.c_double() for _ in range(4))
            pdfium.FPDFText_GetRect(self._page, index, left, top, right, bottom)
            run = (left.value, bottom.value, right.value, top.value)
            if before and run[0] - before[2] >= GAP and run[1] < before[3] and before[1] < run[3]:
                found.append((before[2], max(before[1], run[1]), run[0], min(before[3], run[3])))
            before = run
        return found

    def _cuts(self, shown: Sequence[int], wide: Sequence[Box]) -> list[int]:
        if not wide:
            return []
        first, last = self.box(shown[0]), self.box(shown[-1])
        low, high = min(first[1], last[1]) - 1, max(first[3], last[3]) + 1
        here = [gap for gap in wide if gap[1] < high and low < gap[3] and gap[0] >= first[0] and gap[2] <= last[2]]
        if not here:
            return []
        starts = [n for n in range(1, len(shown)) if shown[n] - shown[n - 1] > 1]
        return [n for n in starts if any(abs(self.box(shown[n])[0] - gap[2]) < 3 for gap in here)]

    def _leave_out_unseen(self, letters: list[str], look: Look) -> None:
        boxes = [text.box for text in look.partly]
        for index, letter in enumerate(letters):
            if letter.isspace():
                continue
            left, bottom, right, top = box = self.box(index)
            x, y = (left + right) / 2, (bottom + top) / 2
            in_doubt = any(a - 1 <= x <= c + 1 and b - 1 <= y <= d + 1 for a, b, c, d in boxes)
            if in_doubt and not look.sees(box):
                letters[index] = ""

    def _join_accents(self, letters: list[str]) -> None:
        """« d´ecid´ee » as it is drawn: an accent belongs to the letter that it stands over."""
        for found in ACCENT.finditer(self.text):
            index = found.start()
            left, _, right, _ = self.box(index)
            middle = (left + right) / 2
            for other in (index + 1, index + 2, index - 1, index - 2):
                if not 0 <= other < len(letters) or not letters[other].isalpha() or len(letters[other]) > 1:
                    continue
                base = DOTLESS.get(letters[other], letters[other])
                composed = unicodedata.normalize("NFC", base + ACCENTS[found[0]])
                if len(composed) == 1 and self._stands_over(other, middle):
                    letters[other], letters[index] = composed, ""
                    for between in range(min(index, other) + 1, max(index, other)):
                        letters[between] = ""
                    break

    def _stands_over(self, index: int, middle: float) -> bool:
        left, _, right, _ = self.box(index)
        slack = 0.15 * (right - left)
        return left - slack <= middle <= right + slack

    def _set_superscripts_apart(self, letters: list[str]) -> None:
        """10³ and m² as they are; the mark of a note is no part of the word, or the number, before it."""
        for found in RAISED.finditer(self.text):
            first, last = found.start(), found.end() - 1
            if first == 0 or not self._is_raised(last, first if self.text[first - 1] in "([/ \n" else first - 1):
                continue
            index = next(at for at in range(first, last + 1) if self._is_raised(at, max(at - 1, 0)) or at == last)
            blank = "" if UNIT.search("".join(letters[max(index - 20, 0) : index])) else " "
            for place in range(index, last + 1):
                letters[place] = letters[place].translate(SUPERSCRIPT)
            letters[index] = blank + letters[index]

    def _is_raised(self, index: int, base: int) -> bool:
        """Whether a digit stands higher than the letter at `base`, and is smaller."""
        if index == base:
            return False
        one, other = self.box(index), self.box(base)
        if one[1] <= other[1] + 0.1 * (other[3] - other[1]) or one[0] < other[0]:
            return False
        sizes = [pdfium.FPDFText_GetFontSize(self._page, at) for at in (index, base)]
        is_lower = one[3] - one[1] <= 0.85 * (other[3] - other[1]) and self.text[base].isalnum()
        return sizes[0] <= SMALLER * sizes[1] or is_lower


def _coincide(one: Box, other: Box) -> bool:
    return all(abs(a - b) <= SHADOW for a, b in zip(one, other, strict=True))


def _is_no_character(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Co", "Cn", "Cs") or letter == "\ufffd"
