"""Turns a file into text: finds out what it really is, and refuses in one sentence what cannot be read.

parsed = parse(Path("report.pdf").read_bytes(), "report.pdf")
parsed.sections[0]     Section(text='…', heading='Introduction', page=1)
"""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from pathlib import PurePosixPath
from zipfile import BadZipFile, ZipFile

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
"""The module of `chatbot.rag.formats` that reads each."""

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


def parse(content: bytes, name: str) -> ParsedDocument:
    """Read a file, a matter of seconds for a large one. Raises UnreadableDocument."""
    reader = import_module(f"chatbot.rag.formats.{FORMATS[media_type(content, name)]}")
    parsed: ParsedDocument = reader.read(content, _short(name))
    if not parsed.sections:
        raise UnreadableDocument(f"{_short(name)} holds no text.")
    return parsed


def media_type(content: bytes, name: str) -> str:
    """What the file is, by its name; UnreadableDocument when its content says otherwise, or nothing can read it."""
    short = _short(name)
    expected = MEDIA_TYPES.get(PurePosixPath(short.lower()).suffix)
    if expected is None:
        raise UnreadableDocument(f"{short} is of a type that cannot be read: take {', '.join(sorted(SUFFIXES))}.")
    if not content.strip():
        raise UnreadableDocument(f"{short} is empty.")
    actual, description = _sniff(content)
    if actual != (expected if expected in (PDF, DOCX) else TEXT):
        raise UnreadableDocument(f"{short} is not what its name says: it is {description}.")
    return expected


def _sniff(content: bytes) -> tuple[str, str]:
    """Media type, and what to call it; text/plain for any kind of text."""
    head = content[:1024].lstrip()
    for signature, kind, description in SIGNATURES:
        if head.startswith(signature):
            return (DOCX, "a Word document") if kind == "application/zip" and _is_word(content) else (kind, description)
    if b"%PDF-" in head:
        return PDF, "a PDF"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or not _is_binary(content[:65_536]):
        return TEXT, "plain text"
    return "application/octet-stream", "binary data"


def _is_binary(sample: bytes) -> bool:
    """Text has next to no control characters (NUL for one), whatever its encoding; a stray one is cleaned later."""
    controls = sum(sample.count(code) for code in range(32) if code not in b"\t\n\f\r\x1b")
    return controls > len(sample) / 100


def _is_word(content: bytes) -> bool:
    """Whether a ZIP archive is a .docx; one that is cut short is given the benefit of the doubt."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            return "word/document.xml" in archive.namelist()
    except BadZipFile:
        return b"word/" in content


def _short(name: str) -> str:
    """The last part of a path or URL, which is all that a message should show."""
    return PurePosixPath(name.replace("\\", "/")).name or name
