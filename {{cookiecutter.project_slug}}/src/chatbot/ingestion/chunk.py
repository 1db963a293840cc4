"""Cuts a parsed document into chunks: whole sentences under one heading, balanced in size, overlapping by sentences.

Before them stands the document's bibliographic reference, where more than its title is known.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from math import ceil
from typing import Any

from chatbot.domain import Chunk, ParsedDocument, Section
from chatbot.text.analysis import detect_language, sentence_spans
from chatbot.text.reference import reference

Span = tuple[int, int]


def chunk(document_id: str, parsed: ParsedDocument, size: int, overlap: int) -> list[Chunk]:
    """The document's chunks, of about `size` characters, up to `overlap` of which repeat the chunk before.

    The id of a chunk is a digest of all that is indexed of it, so that a chunk which did not change keeps its
    embedding when its document is ingested again.
    """
    chunks: list[Chunk] = []
    seen: dict[str, int] = {}
    for text, heading, pages in _texts(parsed, size, overlap):
        language = detect_language(text, parsed.language)
        key = "\x1f".join((document_id, parsed.title, heading, ",".join(map(str, pages)), language, text))
        seen[key] = occurrence = seen.get(key, -1) + 1
        identity = sha256(f"{key}\x1f{occurrence}".encode()).hexdigest()[:32]
        chunks.append(Chunk(identity, document_id, len(chunks), text, heading, pages[0], language, tuple(pages[1:])))
    return chunks


def _texts(parsed: ParsedDocument, size: int, overlap: int) -> Iterator[tuple[str, str, list[Any]]]:
    """Text, heading and pages of each chunk, as `_pieces` has them."""
    if known := reference(parsed.title, parsed.metadata):
        yield known, "", [parsed.sections[0].page if parsed.sections else None]
    for heading, group in groupby(parsed.sections, key=lambda section: section.heading):
        for text, pages in _pieces([*group], size, min(overlap, size // 2)):
            if text != known:
                yield text, heading, pages


def indexed_text(title: str, chunk: Chunk) -> str:
    """What of a chunk is indexed, by words and by its embedding: a passage rarely repeats what its headings say."""
    return "\n".join(part for part in (title, chunk.heading, chunk.text) if part)


def _pieces(sections: Sequence[Section], size: int, overlap: int) -> Iterator[tuple[str, list[Any]]]:
    """The text of each chunk; the page on which it begins, then the offset of each page after it, and that page."""
    text, starts = _joined(sections)
    spans = [part for span in sentence_spans(text) for part in _cut(text, span, size)]
    for first, last in _packed(spans, size, overlap):
        start, end = spans[first][0], spans[last][1]
        section = bisect_right(starts, start) - 1
        pages: list[Any] = [sections[section].page]
        for later in range(section + 1, bisect_right(starts, end - 1)):
            pages += [starts[later] - start, sections[later].page]
        yield text[start:end], pages


def _joined(sections: Sequence[Section]) -> tuple[str, list[int]]:
    """The sections as one text, and where each starts. A sentence that goes on overleaf stays one sentence."""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for section in sections:
        text = section.text.strip()
        goes_on = section.is_continued or text[:1].islower()
        glue = "" if not parts else " " if goes_on else "\n\n"
        if goes_on and parts and parts[-1].endswith("-") and text[:1].islower():
            parts[-1], glue = parts[-1][:-1], ""
            length -= 1
        parts += [glue, text]
        starts.append(length + len(glue))
        length += len(glue) + len(text)
    return "".join(parts), starts


def _cut(text: str, span: Span, size: int) -> Iterator[Span]:
    """A sentence longer than a chunk (a table, a listing, text without full stops) in parts, at blanks if it can be."""
    start, end = span
    while end - start > size:
        blank = max(text.rfind(" ", start + size // 2, start + size), text.rfind("\n", start + size // 2, start + size))
        cut = blank if blank > start else start + size
        yield start, cut
        start = cut + (cut == blank)
    if start < end:
        yield start, end


def _packed(spans: Sequence[Span], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The first and last sentence of each chunk, the repeated ones included; each brings about the same new text."""
    if not spans:
        return
    total = spans[-1][1] - spans[0][0]
    count = 1 if total <= size else ceil((total - overlap) / (size - overlap))
    target = total / count
    first = 0
    for index, (start, end) in enumerate(spans):
        if index > first and start - spans[first][0] + (end - start) / 2 > target:
            yield _reach(spans, first, overlap), index - 1
            first = index
    yield _reach(spans, first, overlap), len(spans) - 1


def _reach(spans: Sequence[Span], first: int, overlap: int) -> int:
    """How far back a chunk begins so that it repeats at most `overlap` characters."""
    start = first
    while start > 0 and spans[first][0] - spans[start - 1][0] <= overlap:
        start -= 1
    return start
