"""A PDF's page as a picture, with the words of a quote marked: what is shown beside the text of a citation.

    png = draw(content, "report.pdf", page=3, quote="The rent is low.")

It holds what a reader of the file sees, form fields and notes included, and so nothing of its hidden text.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chatbot.domain import NotFound
from chatbot.ingestion.parsing import drawing_time
from chatbot.ingestion.parsing.pdf import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE = 2.0
"""Pixels a point: letters of ten points are sharp on a screen."""
LONGEST_SIDE = 1700
"""Pixels."""
MOST_BYTES = 3_000_000
"""Of the picture: a page of photographs is drawn smaller until it fits."""
SMALLER = 0.7
MARK = (255, 236, 120)
"""Red, green and blue of the marker; letters keep their own colour where it is darker."""
LEAST = 12
"""Letters of a quote's part that can be told from others: a quote may go on in the next column, or on the next page."""

Run = tuple[int, int]
"""The first character of a stretch, and the one after its last."""


def draw(content: bytes, name: str, page: int, quote: str = "") -> bytes:
    """A PNG of the 1-based page. NotFound where the file has no such page; UnreadableDocument."""
    drawing_time.take()
    with opened(content, name) as pdf:
        if page > len(pdf):
            raise NotFound(f"The document has {len(pdf)} pages." if len(pdf) > 1 else "The document has one page.")
        if pdf.get_formtype():
            pdf.init_forms()
        shown = pdf[page - 1]
        boxes = _boxes(shown, quote)
        scale = min(SCALE, LONGEST_SIDE / max(*shown.get_size(), 1.0))
        picture = _picture(shown, scale, boxes)
        while len(picture) > MOST_BYTES:
            scale *= SMALLER
            picture = _picture(shown, scale, boxes)
        return picture


def _picture(page: Any, scale: float, boxes: Sequence[Sequence[float]]) -> bytes:
    import numpy

    from chatbot.ingestion.parsing.pdf_look import pixels_of, placement

    pixels = numpy.array(page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False).to_numpy()[:, :, :3])
    place = placement(page.raw, pixels.shape[1], pixels.shape[0])
    for left, bottom, right, top in boxes:
        area = pixels_of(place, (left, bottom, right, top), pixels.shape)
        pixels[area] = numpy.minimum(pixels[area], MARK)
    return _png(numpy.ascontiguousarray(pixels))


def _png(pixels: NDArray[Any]) -> bytes:
    """https://www.w3.org/TR/png: 8 bits, red, green, blue; each row as its difference to the one above."""
    import numpy

    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    filtered = numpy.full((height, rows.shape[1] + 1), 2, dtype=numpy.uint8)
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(filtered.tobytes(), 6)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _boxes(page: Any, quote: str) -> list[list[float]]:
    """One for each line of the quoted words: left, bottom, right, top, in points."""
    text = page.get_textpage()
    try:
        letters, places = _letters("".join(_characters(text)))
        lines: list[list[float]] = []
        for start, end in find(letters, _letters(quote)[0]):
            last = None
            for place in dict.fromkeys(places[start:end]):
                left, bottom, right, top = text.get_charbox(place, loose=True)
                if last and _is_beside(last, left, bottom, top):
                    last[:] = [last[0], min(last[1], bottom), max(last[2], right), max(last[3], top)]
                else:
                    last = [left, bottom, right, top]
                    lines.append(last)
        return lines
    finally:
        text.close()


def _characters(text: Any) -> Iterator[str]:
    """One for each of pdfium's."""
    import pypdfium2.raw as pdfium

    for index in range(text.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text.raw, index)
        yield chr(code) if 0 < code < 0x110000 else " "


def _is_beside(line: Sequence[float], left: float, bottom: float, top: float) -> bool:
    """Whether a letter goes on in the line, and does not begin another or another column."""
    height = max(line[3] - line[1], 1.0)
    return abs((bottom + top) / 2 - (line[1] + line[3]) / 2) < height / 2 and -height < left - line[2] < 2 * height


def _letters(text: str) -> tuple[str, list[int]]:
    """Letters and digits alone, without case, accents and ligatures, with the place of each: so a quote, which was
    cleaned, is found in what the file says."""
    letters, places = [], []
    for place, character in enumerate(text):
        for letter in unicodedata.normalize("NFKD", character).casefold():
            if letter.isalnum():
                letters.append(letter)
                places.append(place)
    return "".join(letters), places


def find(page: str, quote: str) -> list[Run]:
    """Where the quote stands; where it is not there in one piece, its beginning and the end of the rest."""
    length = _most(len(quote), lambda size: quote[:size] in page)
    runs = [(page.index(quote[:length]), length)] if length >= min(LEAST, len(quote)) > 0 else []
    rest = quote[length:] if runs else quote
    ending = _most(len(rest), lambda size: rest[len(rest) - size :] in page)
    if ending >= LEAST:
        runs.append((page.rindex(rest[len(rest) - ending :]), ending))
    return [(start, start + size) for start, size in runs]


def _most(size: int, fits: Any) -> int:
    """The largest number up to `size` that fits, where each smaller one does too."""
    low, high = 0, size
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
