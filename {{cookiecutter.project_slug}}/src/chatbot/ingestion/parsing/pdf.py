"""PDF: the text of each page that a reader sees, by pdfium, under the headings of the outline where there is one."""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing import pdf_hidden
from chatbot.ingestion.parsing.outline import Outline, clean, one_line, paragraphs

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

PASSWORD_ERROR = 4
"""FPDF_ERR_PASSWORD."""
NUMBER = re.compile(r"\d+")
NUMBERING = re.compile(r"^(?:[\dIVX]+[.)]?)*\s*")
MOST_PAGES = 10_000
"""A few kilobytes can claim to be a million pages."""
EDGE = 3
"""Lines at the top and at the bottom of a page that may be a running header or footer."""

_pdfium = threading.Lock()
"""pdfium is not thread-safe, not even for two different documents."""

Headings = dict[int, list[tuple[int, str]]]
"""Level and title of the outline's entries, by 0-based page."""


def read(content: bytes, name: str) -> ParsedDocument:
    with _pdfium:
        title, headings, pages = _extract(content, name)
    if not any(line.strip() for page in pages for line in page):
        raise UnreadableDocument(f"{name} holds no text, only images: run OCR on it first.")
    outline = Outline()
    outline.title = title or _first_line(pages)
    for index, lines in enumerate(_without_running_lines(pages)):
        for level, heading, block in _blocks(lines, headings.get(index, [])):
            if heading:
                outline.heading(level, heading)
            for paragraph in paragraphs(block):
                outline.add(paragraph, page=index + 1)
    return outline.document(name, pages=len(pages))


def _extract(content: bytes, name: str) -> tuple[str, Headings, list[list[str]]]:
    """Title, outline, and lines of each page. All that touches pdfium is here, and is closed here."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(content) as pdf:
            if len(pdf) > MOST_PAGES:
                raise UnreadableDocument(f"{name} has more than {MOST_PAGES:,} pages: split it.")
            title = one_line(pdf.get_metadata_dict().get("Title", ""))
            return title, _headings(pdf), [_lines(pdf, index) for index in range(len(pdf))]
    except PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD_ERROR:
            raise UnreadableDocument(f"{name} is protected by a password: save a copy without one.") from None
        raise UnreadableDocument(f"{name} is not a complete PDF: it is damaged or was cut short.") from None


def _lines(pdf: PdfDocument, index: int) -> list[str]:
    page = pdf[index]
    pdf_hidden.remove(page)
    text_page = page.get_textpage()
    try:
        return clean(text_page.get_text_bounded()).split("\n")
    finally:
        text_page.close()
        page.close()


def _headings(pdf: PdfDocument) -> Headings:
    headings: Headings = defaultdict(list)
    for bookmark in pdf.get_toc():
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        if page is not None:
            headings[page].append((bookmark.level + 2, one_line(bookmark.get_title())))
    return headings


def _blocks(lines: Sequence[str], headings: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str, list[str]]]:
    """The page cut at the lines that are the outline's next heading: level, heading, lines below it."""
    level, heading = 0, ""
    block: list[str] = []
    waiting = list(reversed(headings))
    for line in lines:
        if waiting and _bare(line) == _bare(waiting[-1][1]):
            yield level, heading, block
            level, heading = waiting.pop()
            block = []
        else:
            block.append(line)
    yield level, heading, block


def _bare(heading: str) -> str:
    """A heading without its number, for comparison."""
    return NUMBERING.sub("", one_line(heading)).casefold()


def _without_running_lines(pages: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The pages without the first and last lines that most of them share, numbers apart."""
    counts = Counter(line for page in pages for line in {_pattern(line) for line in [*page[:EDGE], *page[-EDGE:]]})
    running = {line for line, count in counts.items() if count > max(1, len(pages) / 2)}
    for page in pages:
        last = len(page) - EDGE
        yield [x for i, x in enumerate(page) if EDGE <= i < last or _pattern(x) not in running] or [*page]


def _pattern(line: str) -> str:
    return NUMBER.sub("#", line.strip())


def _first_line(pages: Sequence[Sequence[str]]) -> str:
    return next(line.strip() for page in pages for line in page if line.strip())
