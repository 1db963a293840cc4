"""PDF: the text of each page that a reader sees, by pdfium, under the headings of the outline where there is one."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing import pdf_layout
from chatbot.ingestion.parsing.outline import Outline, one_line, paragraphs
from chatbot.ingestion.parsing.pdf_title import describe, title_of

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

    from chatbot.ingestion.parsing.pdf_text import Line

PASSWORD_ERROR = 4
"""FPDF_ERR_PASSWORD."""
NUMBERING = re.compile(r"^(?:(?:[\dIVX]+[.)]?)*\s+|(?:\d+[.)])+)")
MOST_PAGES = 10_000
"""A few kilobytes can claim to be a million pages."""
FEW_WORDS = 10
"""Words of a page that is a picture, below which it is read by OCR: a stamp, a number."""
WRAPPED = 4
"""Lines that a heading takes at most."""

_pdfium = threading.Lock()
"""pdfium is not thread-safe, not even for two different documents."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the outline's headings."""

    level: int
    text: str
    top: float | None
    """How far up the page it points to, in points."""


@dataclass(slots=True)
class Page:
    lines: list[Line]
    everything: str
    """All text of it, whether it is seen or not."""
    hidden: str = ""
    remarks: Sequence[str] = ()
    is_meaningless: bool = False
    read_by_ocr: str = ""


def read(content: bytes, name: str) -> ParsedDocument:
    with _pdfium:
        properties, entries, pages = _extract(content, name)
    if not any(page.lines or page.read_by_ocr.strip() for page in pages):
        raise UnreadableDocument(_why_there_is_none(name, pages))
    _move_to_their_lines(entries, pages)
    outline = Outline()
    outline.title = title_of(properties.get("Title", ""), pdf_layout.without_watermarks([page.lines for page in pages]))
    metadata = describe(properties, pages[0].lines, outline.title)
    _note(outline, pages)
    running = pdf_layout.Running([page.lines for page in pages])
    open_before = False
    for index, page in enumerate(pages):
        for paragraph in paragraphs(page.read_by_ocr.split("\n")):
            outline.add(paragraph, index + 1)
        lines = _without_running_lines(outline, page.lines, running)
        _fill(outline, lines, entries.get(index, []), index + 1, open_before)
        open_before = pdf_layout.ends_open(lines)
    everything = "\n".join(page.everything for page in pages)
    return outline.document(name, metadata, pages=len(pages), everything=everything)


def _extract(content: bytes, name: str) -> tuple[dict[str, str], dict[int, list[Entry]], list[Page]]:
    """Properties, outline by 0-based page, and pages. All that touches pdfium is here, and is closed here."""
    with opened(content, name) as pdf:
        if len(pdf) > MOST_PAGES:
            raise UnreadableDocument(f"{name} has more than {MOST_PAGES:,} pages: split it.")
        if pdf.get_formtype():
            pdf.init_forms()
        return pdf.get_metadata_dict(), _entries(pdf), [_page(pdf, index) for index in range(len(pdf))]


@contextmanager
def opened(content: bytes, name: str) -> Iterator[PdfDocument]:
    """The file as pdfium has it. UnreadableDocument where it is damaged, or protected by a password."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(content) as pdf:
            yield pdf
    except PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD_ERROR:
            raise UnreadableDocument(f"{name} is protected by a password: save a copy without one.") from None
        raise UnreadableDocument(f"{name} is not a complete PDF: it is damaged or was cut short.") from None


def _page(pdf: PdfDocument, index: int) -> Page:
    from chatbot.ingestion.parsing import ocr, pdf_forms
    from chatbot.ingestion.parsing.pdf_look import look, put_away
    from chatbot.ingestion.parsing.pdf_objects import UNPAINTED, call_by_their_glyphs
    from chatbot.ingestion.parsing.pdf_text import TextPage

    page = pdf[index]
    seen = look(page.raw)
    text = TextPage(page.raw)
    if any(each.is_renamed for each in seen.texts):
        call_by_their_glyphs(seen.texts)
        drawn = TextPage(page.raw)
        text, other = (text, drawn) if drawn.is_meaningless() else (drawn, text)
        other.close()
    try:
        everything = text.everything
        draws_unread = not everything.strip() and any(each.mode not in UNPAINTED for each in seen.texts)
        is_meaningless = draws_unread or text.is_meaningless()
        if seen.hidden:
            put_away(text.without_shadows(seen))
            text.close()
            text = TextPage(page.raw)
        if is_meaningless:
            read = ocr.page_text(page.raw)
            return Page([], read or everything, is_meaningless=not read.strip(), read_by_ocr=read)
        if seen.is_picture and len(text.text.split()) < FEW_WORDS:
            read = ocr.page_text(page.raw)
            if len(read.split()) > len(text.text.split()):
                return Page([], read, read_by_ocr=read)
        lines = pdf_layout.in_reading_order(text.lines(seen))
        form = pdf.formenv.raw if pdf.formenv else None
        added, remarks = pdf_forms.additions(page.raw, form, page.get_bbox())
        lines = pdf_forms.placed(lines, added)
        hidden = everything if seen.hidden or seen.partly else ""
        return Page(lines, "\n".join([everything, *(each.text for each in added), *remarks]), hidden, remarks)
    finally:
        text.close()
        page.close()


def _entries(pdf: PdfDocument) -> dict[int, list[Entry]]:
    entries: dict[int, list[Entry]] = defaultdict(list)
    for bookmark in pdf.get_toc():
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        text = one_line(bookmark.get_title())
        if destination and page is not None and text:
            entries[page].append(Entry(bookmark.level + 2, text, _top(destination)))
    return entries


def _move_to_their_lines(entries: dict[int, list[Entry]], pages: Sequence[Page]) -> None:
    """An entry that points where the one before it does has no place of its own, as TeX writes those of sections
    without a number: it belongs to its line, if a later page has it, lest it head the other's text."""
    for index in sorted(entries):
        for before, entry in [*pairwise(entries[index])]:
            if entry.top != before.top or _is_on(pages[index], entry):
                continue
            later = (at for at in range(index + 1, len(pages)) if _is_on(pages[at], entry))
            if (found := next(later, None)) is not None:
                entries[index].remove(entry)
                entries[found] = [replace(entry, top=None), *entries.get(found, [])]


def _is_on(page: Page, entry: Entry) -> bool:
    return _matching([_bare(line.text) for line in page.lines], 0, _bare(entry.text)) is not None


def _top(destination: Any) -> float | None:
    import pypdfium2.raw as pdfium

    mode, view = destination.get_view()
    if mode == pdfium.PDFDEST_VIEW_XYZ and len(view) > 1 and view[1]:
        return float(view[1])
    return (
        float(view[0]) if mode in (pdfium.PDFDEST_VIEW_FITH, pdfium.PDFDEST_VIEW_FITBH) and view and view[0] else None
    )


def _why_there_is_none(name: str, pages: Sequence[Page]) -> str:
    if any(page.is_meaningless for page in pages):
        return f"{name} does not say which characters its glyphs are: export it again, or run OCR on it first."
    return f"{name} holds no text, only images: run OCR on it first."


def _note(outline: Outline, pages: Sequence[Page]) -> None:
    """Say what is left out of the pages, and which have no text."""
    for page in pages:
        outline.leave_out("hidden", page.hidden)
        outline.leave_out("remarks", "\n".join(page.remarks))
        outline.leave_out("meaningless", page.everything if page.is_meaningless else "")
    unread = [index + 1 for index, page in enumerate(pages) if page.is_meaningless]
    scanned = [index + 1 for index, page in enumerate(pages) if page.read_by_ocr.strip()]
    empty = [
        index + 1
        for index, page in enumerate(pages)
        if not page.lines and not page.is_meaningless and not page.read_by_ocr.strip()
    ]
    if scanned:
        outline.note(f"{_pages(scanned)} read by OCR")
    if unread:
        outline.note(f"{_pages(unread)} without readable characters: export it again, or run OCR on it")
    if empty:
        outline.note(f"{_pages(empty)} without text: a scan needs OCR first")


def _pages(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
    return f"page {shown}" if len(numbers) == 1 else f"{len(numbers)} pages ({shown})"


def _without_running_lines(outline: Outline, lines: Sequence[Line], running: pdf_layout.Running) -> list[Line]:
    """Those that the page has for the first time come first, lest they stand in the midst of a sentence."""
    first, kept = [], []
    for line in lines:
        if running.is_number(line):
            outline.leave_out("page numbers", line.text)
        elif running.is_repeated(line):
            outline.leave_out("repeated lines", line.text)
        elif running.is_first(line):
            line.is_alone = True
            first.append(line)
        else:
            kept.append(line)
    return [*first, *kept]


def _fill(outline: Outline, lines: Sequence[Line], entries: Sequence[Entry], page: int, is_continued: bool) -> None:
    for entry, block in _blocks(lines, entries):
        if entry:
            outline.heading(entry.level, entry.text, page)
            is_continued = False
        for paragraph in pdf_layout.paragraphs(block):
            outline.add(paragraph, page, is_continued)
            is_continued = False


def _blocks(lines: Sequence[Line], entries: Sequence[Entry]) -> Iterator[tuple[Entry | None, list[Line]]]:
    """The page cut at the lines that are the outline's headings, or where the outline points to."""
    cuts = _cuts(lines, entries)
    start, entry = 0, None
    for at, length, found in cuts:
        yield entry, [*lines[start:at]]
        entry, start = found, at + length
    yield entry, [*lines[start:]]


def _cuts(lines: Sequence[Line], entries: Sequence[Entry]) -> list[tuple[int, int, Entry]]:
    """Where each heading is found, and how many lines it takes; 0 when only the outline says that it is there."""
    cuts: list[tuple[int, int, Entry]] = []
    texts = [_bare(line.text) for line in lines] if entries else []
    start = 0
    for entry in entries:
        found = _matching(texts, start, _bare(entry.text))
        if found is not None and (number := NUMBERING.match(lines[found[0]].text)):
            entry = replace(entry, text=f"{number[0].strip()} {NUMBERING.sub('', entry.text)}")
        if found is None and entry.top is not None:
            below = (at for at, line in enumerate(lines) if at >= start and line.middle <= entry.top + 1)
            found = (next(below, len(lines)), 0)
        if found is not None:
            cuts.append((*found, entry))
            start = sum(found)
    return cuts


def _matching(texts: Sequence[str], start: int, wanted: str) -> tuple[int, int] | None:
    """The first lines that are the heading, which may be wrapped."""
    for at in range(start, len(texts)):
        text = ""
        for length, line in enumerate(texts[at : at + WRAPPED], start=1):
            text = text.removesuffix("-") + line
            if text == wanted:
                return at, length
            if not wanted.replace("-", "").startswith(text.replace("-", "")):
                break
    return None


def _bare(text: str) -> str:
    """Without its number and blanks, for comparison."""
    return "".join(NUMBERING.sub("", text).casefold().split())
