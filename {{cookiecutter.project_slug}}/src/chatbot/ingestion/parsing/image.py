"""Pictures of text (.png, .jpg, .tif), read by OCR."""

from __future__ import annotations

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing import ocr
from chatbot.ingestion.parsing.outline import Outline, paragraphs


def read(content: bytes, name: str) -> ParsedDocument:
    if not ocr.is_installed():
        raise UnreadableDocument(f"{name} is a picture: install Tesseract to have its text read ({ocr.ADVICE}).")
    text = ocr.text_of(content)
    outline = Outline()
    for paragraph in paragraphs(text.split("\n")):
        outline.add(paragraph)
    outline.note("read by OCR")
    return outline.document(name, everything=text)
