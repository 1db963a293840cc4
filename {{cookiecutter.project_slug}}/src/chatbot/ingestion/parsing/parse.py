"""Turns a file into text: finds out what it really is, and refuses in one sentence what cannot be read.

parsed = parse(Path("report.pdf").read_bytes(), "report.pdf")
parsed.sections[0]     Section(text='…', heading='Introduction', page=1)
"""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePosixPath

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing.limits import most_text
from chatbot.ingestion.parsing.text import utf_16

PDF = "application/pdf"
OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX = f"{OFFICE}.wordprocessingml.document"
PPTX = f"{OFFICE}.presentationml.presentation"
XLSX = f"{OFFICE}.spreadsheetml.sheet"
ODT, EPUB, RTF = "application/vnd.oasis.opendocument.text", "application/epub+zip", "application/rtf"
MARKDOWN, HTML, TEXT, CSV, TSV = "text/markdown", "text/html", "text/plain", "text/csv", "text/tab-separated-values"
EMAIL, LATEX = "message/rfc822", "application/x-tex"
PNG, JPEG, TIFF = "image/png", "image/jpeg", "image/tiff"

MEDIA_TYPES = {
    ".pdf": PDF,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".docx": DOCX,
    ".docm": DOCX,
    ".dotx": DOCX,
    ".txt": TEXT,
    ".odt": ODT,
    ".pptx": PPTX,
    ".pptm": PPTX,
    ".ppsx": PPTX,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".csv": CSV,
    ".tsv": TSV,
    ".epub": EPUB,
    ".rtf": RTF,
    ".eml": EMAIL,
    ".tex": LATEX,
    ".png": PNG,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".tif": TIFF,
    ".tiff": TIFF,
}
SUFFIXES = frozenset(MEDIA_TYPES)
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
FORMATS = {
    PDF: "pdf",
    DOCX: "docx",
    MARKDOWN: "markdown",
    HTML: "html",
    TEXT: "text",
    ODT: "odt",
    PPTX: "pptx",
    XLSX: "xlsx",
    CSV: "csv",
    TSV: "csv",
    EPUB: "epub",
    RTF: "rtf",
    EMAIL: "email",
    LATEX: "latex",
    PNG: "image",
    JPEG: "image",
    TIFF: "image",
}
"""The module of `chatbot.ingestion.parsing` that reads each."""

SIGNATURES = (
    (b"%PDF-", PDF, "a PDF"),
    (b"PK\x03\x04", "application/zip", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "an old or password-protected Office file"),
    (b"\x89PNG\r\n", PNG, "a PNG image"),
    (b"\xff\xd8\xff", JPEG, "a JPEG image"),
    (b"GIF8", "image/gif", "a GIF image"),
    (b"II*\x00", TIFF, "a TIFF image"),
    (b"MM\x00*", TIFF, "a TIFF image"),
    (b"\x1f\x8b", "application/gzip", "a gzip archive"),
    (b"7z\xbc\xaf'\x1c", "application/x-7z-compressed", "a 7z archive"),
    (b"\x7fELF", "application/x-executable", "a program"),
    (b"MZ\x90\x00", "application/x-executable", "a program"),
    (b"{\\rtf", RTF, "an RTF document"),
)
ARCHIVES = (
    (DOCX, b"word/", "a Word document"),
    (PPTX, b"ppt/", "a PowerPoint presentation"),
    (XLSX, b"xl/", "an Excel workbook"),
    (ODT, b"opendocument.text", "an OpenDocument text"),
    (EPUB, b"META-INF/container.xml", "an EPUB book"),
)
"""What stands, unpacked, in a ZIP archive of each kind: a name of a part, or the media type that comes first."""
PARTS = b"[Content_Types].xml"
"""Every Office file has it."""
NOT_TEXT = frozenset({PDF, RTF, PNG, JPEG, TIFF, *(kind for kind, _, _ in ARCHIVES)})
"""What is known by its content."""

HTML_PAGE = "an HTML page"


def parse(content: bytes, name: str) -> ParsedDocument:
    """Read a file, a matter of seconds for a large one. Raises UnreadableDocument."""
    reader = import_module(f"chatbot.ingestion.parsing.{FORMATS[media_type(content, name)]}")
    most = most_text(content)
    try:
        parsed: ParsedDocument = reader.read(content, short_name(name))
        if sum(len(section.text) for section in parsed.sections) > most:
            raise OverflowError
    except OverflowError:
        raise UnreadableDocument(
            f"{short_name(name)} unpacks to more than {most:,} characters of text: split it."
        ) from None
    if not parsed.sections:
        raise UnreadableDocument(f"{short_name(name)} holds no text.")
    return parsed


def prepare(name: str) -> None:
    """Import what will read a file of that name, while it may still be read from anywhere."""
    if found := MEDIA_TYPES.get(PurePosixPath(short_name(name).lower()).suffix):
        import_module(f"chatbot.ingestion.parsing.{FORMATS[found]}")


def media_type(content: bytes, name: str) -> str:
    """What the file is, by its name; UnreadableDocument when its content says otherwise, or nothing can read it."""
    short = short_name(name)
    expected = MEDIA_TYPES.get(PurePosixPath(short.lower()).suffix)
    if expected is None:
        raise UnreadableDocument(f"{short} is of a type that cannot be read: take {', '.join(sorted(SUFFIXES))}.")
    if not content.strip():
        raise UnreadableDocument(f"{short} is empty.")
    actual, description = _sniff(content, expected)
    if actual != (expected if expected in NOT_TEXT else TEXT):
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
    actual, description = _sniff(content, expected if expected in NOT_TEXT else declared)
    if expected in NOT_TEXT and actual != expected:
        raise UnreadableDocument(f"{short} is not what its name says: it is {description}.")
    if actual not in FORMATS:
        raise UnreadableDocument(f"The URL gives {description}, which cannot be read.")
    if actual != TEXT:
        return actual
    if description == HTML_PAGE or declared in (HTML, "application/xhtml+xml"):
        return HTML
    return declared if declared in (MARKDOWN, CSV, TSV, EMAIL) else expected


def _sniff(content: bytes, expected: str) -> tuple[str, str]:
    """Media type, and what to call it; text/plain for any kind of text."""
    head = content[:1024].lstrip()
    for signature, kind, description in SIGNATURES:
        if head.startswith(signature) and (expected == kind or not _only_mentions(content, signature, kind)):
            return _archive(content, expected) if kind == "application/zip" else (kind, description)
    if b"%PDF-" in head and (expected in NOT_TEXT or b"\nendobj" in content[:65_536]):
        return PDF, "a PDF"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return TEXT, HTML_PAGE
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or utf_16(content) or not _is_binary(content[:65_536]):
        return TEXT, "plain text"
    return "application/octet-stream", "binary data"


def _only_mentions(content: bytes, signature: bytes, kind: str) -> bool:
    """Whether a text begins with the signature as with any word: « GIF89a is a format »."""
    if not signature.isascii() or not signature.decode().isprintable() or _is_binary(content[:65_536]):
        return False
    return not (kind == PDF and b"endobj" in content) and kind != RTF


def _is_binary(sample: bytes) -> bool:
    """Text has next to no control characters (NUL for one), whatever its encoding; a stray one is cleaned later."""
    controls = sum(sample.count(code) for code in range(32) if code not in b"\t\n\f\r\x1b")
    return controls > max(2, len(sample) / 100)


def _archive(content: bytes, expected: str) -> tuple[str, str]:
    """Which ZIP archive it is, by the names in it, which are not packed.

    The archive is not opened: its directory may be made to fill the memory. Whoever parses it has limits. It may hold
    archives of other kinds, and an Office file may call its parts as it likes.
    """
    kinds = {kind: description for kind, mark, description in ARCHIVES if mark in content}
    if expected in kinds:
        return expected, kinds[expected]
    if kinds:
        return next(iter(kinds.items()))
    if (PARTS in content and expected in (DOCX, PPTX, XLSX)) or (b"content.xml" in content and expected == ODT):
        return expected, "an Office file"
    return "application/zip", "a ZIP archive"


def short_name(name: str) -> str:
    """The last part of a path or URL, which is all that a message should show."""
    return PurePosixPath(name.replace("\\", "/")).name or name
