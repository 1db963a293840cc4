"""Plain text; and bytes into text, for every format that is text."""

from __future__ import annotations

import codecs
import re

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.outline import Outline, clean, paragraphs

TITLE = re.compile(r"\A\s*(\S[^\n]{0,298})\n[ \t]*\n(?=\s*\S)")
"""A first line of its own, above a blank line."""
BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]+)", re.IGNORECASE)


def read(content: bytes, name: str) -> ParsedDocument:
    text = clean(decode(content))
    outline = Outline()
    if title := TITLE.match(text):
        outline.title = title[1].strip()
        text = text[title.end() :]
    for paragraph in paragraphs(text.split("\n")):
        outline.add(paragraph)
    return outline.document(name)


def decode(content: bytes) -> str:
    """By the mark of byte order, what an HTML page declares, else UTF-8, else Windows-1252, which takes every byte."""
    declared = CHARSET.search(content[:2048])
    encodings = [encoding for mark, encoding in BYTE_ORDER_MARKS if content.startswith(mark)]
    for encoding in [*encodings, "utf-8", declared[1].decode() if declared else "utf-8"]:
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("cp1252", errors="replace")
