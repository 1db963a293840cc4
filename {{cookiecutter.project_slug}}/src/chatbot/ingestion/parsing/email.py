"""E-mail (.eml): who wrote when about what, the text, and the attachments of every type that can be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing import html
from chatbot.ingestion.parsing.description import description
from chatbot.ingestion.parsing.outline import Outline, clean, one_line, paragraphs
from chatbot.ingestion.parsing.text import decode

SHOWN = ("From", "To", "Cc", "Date")
SHOWN_TYPES = ("text/plain", "text/html")
DEEPEST = 3
"""Messages within messages."""
MOST_ATTACHMENTS = 50


def read(content: bytes, name: str) -> ParsedDocument:
    message = BytesParser(policy=policy.default).parsebytes(content)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise UnreadableDocument(f"{name} is not an e-mail: it has no headers.")
    outline = Outline()
    outline.title = one_line(_header(message, "Subject"))
    pieces: list[str] = []
    _fill(outline, message, pieces, 0)
    senders = [sender for sender, _ in getaddresses([_header(message, "From")])]
    date = ""
    with contextlib.suppress(ValueError, TypeError):
        date = f"{parsedate_to_datetime(_header(message, 'Date')):%Y-%m-%d}"
    return outline.document(name, description(senders, date), everything="\n".join(pieces))


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except Exception:  # the library fails on some of what it meets, in ways of its own
        return ""


def _fill(outline: Outline, message: EmailMessage, pieces: list[str], depth: int) -> None:
    for name in SHOWN:
        if value := one_line(_header(message, name)):
            outline.add(f"{name}: {value}")
            pieces.append(f"{name}: {value}")
    attached = []
    for part in _parts(message):
        if part.get_content_type() in SHOWN_TYPES and not part.is_attachment() and not part.get_filename():
            _add_body(outline, part, pieces)
        else:
            attached.append(part)
    for part in attached[:MOST_ATTACHMENTS]:
        _attachment(outline, part, pieces, depth)


def _parts(message: MIMEPart) -> Iterator[MIMEPart]:
    """What a reader is shown, in order: of versions of the same, one; and what is attached."""
    if message.get_content_maintype() != "multipart":
        yield message
        return
    parts = [part for part in message.iter_parts() if isinstance(part, MIMEPart)]
    if message.get_content_subtype() != "alternative":
        for part in parts:
            yield from _parts(part)
        return
    versions = [[*_parts(part)] for part in parts]
    yield from max(versions, key=_fitness, default=[])


def _fitness(version: Sequence[MIMEPart]) -> float:
    """By its words; plain text counts double, unless it only says that this is no plain text."""
    words = 0.0
    for part in version:
        content = part.get_payload(decode=True)
        if part.get_content_type() in SHOWN_TYPES and isinstance(content, bytes):
            text, _ = decode(content, part.get_content_charset() or "")
            is_html = part.get_content_subtype() == "html"
            words += len(html.everything(text).split()) if is_html else 2 * len(text.split()) + 1
    return words


def _add_body(outline: Outline, body: MIMEPart, pieces: list[str]) -> None:
    content = body.get_payload(decode=True)
    if not isinstance(content, bytes):
        return
    text, encoding = decode(content, body.get_content_charset() or "")
    outline.read_as(encoding)
    if body.get_content_subtype() == "html":
        pieces.append(html.add(outline, text))
        return
    pieces.append(text)
    for paragraph in paragraphs([line.removeprefix(">").removeprefix(" ") for line in clean(text).split("\n")]):
        outline.add(paragraph)


def _attachment(outline: Outline, part: MIMEPart, pieces: list[str], depth: int) -> None:
    """Under a heading of its name; one that cannot be read is named in a note."""
    from chatbot.ingestion.parsing.parse import parse

    if part.get_content_type() == "message/rfc822" and depth < DEEPEST:
        inner = part.get_content()
        outline.heading(2, f"Message: {_header(inner, 'Subject')}")
        _fill(outline, inner, pieces, depth + 1)
        return
    name = one_line(part.get_filename() or "")
    content = part.get_payload(decode=True)
    if (
        not name
        or not isinstance(content, bytes)
        or (part.get_content_disposition() == "inline" and part.get("Content-ID"))
    ):
        return
    try:
        parsed = parse(content, name)
    except UnreadableDocument as error:
        outline.note(f"attachment not read: {str(error).partition(':')[0].rstrip('.')}")
        return
    for section in parsed.sections:
        outline.heading(2, f"Attachment {name}")
        if section.heading:
            outline.heading(3, section.heading)
        outline.add(section.text)
        pieces.append(section.text)
