"""Turns a file into text: finds out what it really is, and refuses in one sentence what cannot be read.

parsed = parse(Path("report.pdf").read_bytes(), "report.pdf")
parsed.sections[0]     Section(text='…', heading='Introduction', page=1)
"""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePosixPath

from chatbot.domain import ParsedDocument, UnreadableDocument

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MARKDOWN, HTML, TEXT = "text/markdown", "text/html", "text/plain"

MEDIA_TYPES = {
    ".pdf": PDF,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".docx": DOCX,
    ".txt": TEXT,
}
SUFFIXES = frozenset(MEDIA_TYPES)
FORMATS = {PDF: "pdf", DOCX: "docx", MARKDOWN: "markdown", HTML: "html", TEXT: "text"}
"""The module of `chatbot.ingestion.parsing` that reads each."""

SIGNATURES = (
    (b"%PDF-", PDF, "a PDF"),
    (b"PK\x03\x04", "application/zip", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "an old or password-protected Office file"),
    (b"\x89PNG\r\n", "image/png", "a PNG image"),
    (b"\xff\xd8\xff", "image/jpeg", "a JPEG image"),
    (b"GIF8", "image/gif", "a GIF image"),
    (b"II*\x00", "image/tiff", "a TIFF image"),
    (b"\x1f\x8b", "application/gzip", "a gzip archive"),
    (b"7z\xbc\xaf'\x1c", "application/x-7z-compressed", "a 7z archive"),
    (b"\x7fELF", "application/x-executable", "a program"),
    (b"MZ\x90\x00", "application/x-executable", "a program"),
    (b"{\\rtf", "application/rtf", "an RTF document"),
)


WORD_TEXT, ZIP_END = b"word/document.xml", b"PK\x05\x06"
HTML_PAGE = "an HTML page"

CHARACTERS = 5_000_000
EXPANSION = 20
"""A document may hold so many characters of text, or so many a byte: more is a bomb, of repeated text."""


def parse(content: bytes, name: str) -> ParsedDocument:
    """Read a file, a matter of seconds for a large one. Raises UnreadableDocument."""
    reader = import_module(f"chatbot.ingestion.parsing.{FORMATS[media_type(content, name)]}")
    parsed: ParsedDocument = reader.read(content, short_name(name))
    if not parsed.sections:
        raise UnreadableDocument(f"{short_name(name)} holds no text.")
    most = max(CHARACTERS, EXPANSION * len(content))
    if sum(len(section.text) for section in parsed.sections) > most:
        raise UnreadableDocument(f"{short_name(name)} unpacks to more than {most:,} characters of text: split it.")
    return parsed


def media_type(content: bytes, name: str) -> str:
    """What the file is, by its name; UnreadableDocument when its content says otherwise, or nothing can read it."""
    short = short_name(name)
    expected = MEDIA_TYPES.get(PurePosixPath(short.lower()).suffix)
    if expected is None:
        raise UnreadableDocument(f"{short} is of a type that cannot be read: take {', '.join(sorted(SUFFIXES))}.")
    if not content.strip():
        raise UnreadableDocument(f"{short} is empty.")
    actual, description = _sniff(content)
    if actual != (expected if expected in (PDF, DOCX) else TEXT):
        raise UnreadableDocument(f"{short} is not what its name says: it is {description}.")
    return expected


def fetched_type(content: bytes, declared: str, name: str) -> str:
    """What a URL gave: what its content shows, else what its server declared, else what its name says.

    UnreadableDocument when nothing can read it, or a name that ends in .pdf or .docx has something else behind it.
    """
    short = short_name(name)
    expected = MEDIA_TYPES.get(PurePosixPath(short.lower()).suffix, TEXT)
    if not content.strip():
        raise UnreadableDocument("The URL gives an empty document.")
    actual, description = _sniff(content)
    if expected in (PDF, DOCX) and actual != expected:
        raise UnreadableDocument(f"{short} is not what its name says: it is {description}.")
    if actual not in (PDF, DOCX, TEXT):
        raise UnreadableDocument(f"The URL gives {description}, which cannot be read.")
    if actual != TEXT:
        return actual
    if description == HTML_PAGE or declared in (HTML, "application/xhtml+xml"):
        return HTML
    return MARKDOWN if declared == MARKDOWN else expected


def _sniff(content: bytes) -> tuple[str, str]:
    """Media type, and what to call it; text/plain for any kind of text."""
    head = content[:1024].lstrip()
    for signature, kind, description in SIGNATURES:
        if head.startswith(signature):
            return (DOCX, "a Word document") if kind == "application/zip" and _is_word(content) else (kind, description)
    if b"%PDF-" in head:
        return PDF, "a PDF"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return TEXT, HTML_PAGE
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or not _is_binary(content[:65_536]):
        return TEXT, "plain text"
    return "application/octet-stream", "binary data"


def _is_binary(sample: bytes) -> bool:
    """Text has next to no control characters (NUL for one), whatever its encoding; a stray one is cleaned later."""
    controls = sum(sample.count(code) for code in range(32) if code not in b"\t\n\f\r\x1b")
    return controls > len(sample) / 100


def _is_word(content: bytes) -> bool:
    """Whether a ZIP archive is a .docx, by the names in it, which are not packed; one cut short may be.

    The archive is not opened: its directory may be made to fill the memory. Whoever parses it has limits.
    """
    return WORD_TEXT in content or (ZIP_END not in content[-65_557:] and b"word/" in content)


def short_name(name: str) -> str:
    """The last part of a path or URL, which is all that a message should show."""
    return PurePosixPath(name.replace("\\", "/")).name or name
