"""Word (.docx): paragraphs under the headings their styles make, lists, tables row by row."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing.outline import Outline, one_line

LARGEST = 200_000_000
"""Bytes a file may unpack to: a few kilobytes can claim to be gigabytes."""

SWITCHED_ON = "[not(@w:val) or not(@w:val='0' or @w:val='false' or @w:val='off')]"
ON_PAPER = "[not(w:rPr/w:shd or w:rPr/w:highlight or ancestor::w:p[1]/w:pPr/w:shd or ancestor::w:tc)]"
HIDDEN_RUNS = (
    f".//w:r[w:rPr/w:vanish{SWITCHED_ON} or w:rPr/w:sz[@w:val<=3]]"
    f" | .//w:r[w:rPr/w:color[@w:val='FFFFFF' or @w:val='ffffff']]{ON_PAPER}"
)


def read(content: bytes, name: str) -> ParsedDocument:
    word = _open(content, name)
    _remove_hidden(word.element.body)
    styles = {style.style_id: str(style.name) for style in word.styles}
    outline = Outline()
    for block in word.element.body.iterchildren():
        kind = block.tag.rpartition("}")[2]
        if kind == "p":
            _paragraph(outline, block, styles.get(block.style, ""))
        elif kind == "tbl":
            for row in block.tr_lst:
                outline.add(" | ".join(one_line(" ".join(p.text for p in cell.p_lst)) for cell in row.tc_lst))
    outline.title = outline.title or one_line(word.core_properties.title or "")
    return outline.document(name)


def _open(content: bytes, name: str) -> Any:
    from docx import Document
    from docx.opc.exceptions import PackageNotFoundError
    from lxml.etree import XMLSyntaxError

    try:
        with ZipFile(BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > LARGEST:
                raise UnreadableDocument(f"{name} unpacks to more than {LARGEST // 1_000_000} MB.")
        return Document(BytesIO(content))
    except XMLSyntaxError as error:
        if not error.lineno:  # all that libxml2 says when there is no memory left
            raise MemoryError from None
        if "depth" in str(error):
            raise RecursionError from None
        raise UnreadableDocument(f"{name} is not a complete Word document: it is damaged or was cut short.") from None
    except (BadZipFile, PackageNotFoundError, KeyError, ValueError):
        raise UnreadableDocument(f"{name} is not a complete Word document: it is damaged or was cut short.") from None


def _remove_hidden(body: Any) -> None:
    """Take out what a reader does not see and a model would: hidden text, smaller than two points, white on paper."""
    for run in body.xpath(HIDDEN_RUNS):
        run.getparent().remove(run)


def _paragraph(outline: Outline, paragraph: Any, style: str) -> None:
    text = one_line(paragraph.text)
    level = style.removeprefix("Heading ")
    if style == "Title":
        outline.heading(1, text)
    elif style.startswith("Heading ") and level.isdigit():
        outline.heading(int(level) + (1 if outline.title else 0), text)
    else:
        outline.add(f"- {text}" if text and style.startswith("List ") else text)
