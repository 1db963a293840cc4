"""PowerPoint (.pptx): the text of each slide, top to bottom, under its number and title; tables, diagrams, notes."""

from __future__ import annotations

from collections.abc import Iterator

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing import chart
from chatbot.ingestion.parsing.archive import Archive, Element, child, descendants, get, has, local
from chatbot.ingestion.parsing.description import description, several
from chatbot.ingestion.parsing.outline import Outline, one_line

TITLES = ("title", "ctrTitle")
FURNITURE = ("sldNum", "dt", "ftr", "hdr", "sldImg")
"""Placeholders for what every slide repeats."""
SHAPES = ("sp", "graphicFrame", "grpSp", "cxnSp", "pic")


def read(content: bytes, name: str) -> ParsedDocument:
    archive = Archive(content, name, "PowerPoint presentation")
    main = archive.main_part()
    root = archive.xml(main)
    if root is None:
        raise archive.damaged()
    outline = Outline(archive.most_text)
    parts = archive.relations(main)
    slides = [parts.get(_relation(each), ("", ""))[1] for each in descendants(root, "sldId")]
    for number, part in enumerate(slides, start=1):
        slide = archive.xml(part)
        if slide is None:
            continue
        if get(slide, "show") in ("0", "false"):
            outline.leave_out("in hidden slides", "\n".join(node.text or "" for node in descendants(slide, "t")))
        else:
            _slide(outline, archive, part, slide, number)
    properties = archive.properties()
    outline.title = properties.get("title", "") or outline.title
    outline.leave_out("repeated on slides", archive.all_text("ppt/slides"))
    everything = (
        archive.all_text("ppt/slides/")
        + archive.all_text("ppt/notesSlides/")
        + archive.all_text("ppt/diagrams/data")
        + archive.all_text("ppt/charts/chart")
    )
    cited = description(several(properties.get("creator", "")))
    return outline.document(name, cited, pages=len(slides), everything=everything)


def _slide(outline: Outline, archive: Archive, part: str, slide: Element, number: int) -> None:
    shapes = sorted(_shapes(slide), key=lambda shape: (not _is_title(shape), *_place(shape)))
    title = next((_plain(shape) for shape in shapes if _is_title(shape)), "")
    if number == 1 and title:
        outline.title = title
    outline.heading(2, f"Slide {number}: {title}" if title else f"Slide {number}")
    for shape in shapes:
        if _is_title(shape):
            continue
        if _placeholder(shape) in FURNITURE:
            continue
        for table in descendants(shape, "tbl"):
            outline.table(
                [[_plain(cell) for cell in row if local(cell) == "tc"] for row in table if local(row) == "tr"]
            )
        if not has(shape, "tbl"):
            for paragraph in descendants(shape, "p"):
                outline.add(_paragraph(paragraph))
    chart.add(outline, archive, part)
    for diagram in archive.related(part, "diagramData"):
        root = archive.xml(diagram)
        for point in descendants(root, "pt") if root is not None else ():
            outline.add(_plain(point))
    for notes in archive.related(part, "notesSlide"):
        root = archive.xml(notes)
        texts = [
            _plain(shape)
            for shape in (_shapes(root) if root is not None else ())
            if _placeholder(shape) not in FURNITURE
        ]
        if said := " ".join(filter(None, texts)):
            outline.add(f"Notes: {said}")


def _shapes(parent: Element) -> Iterator[Element]:
    """Shapes, those of groups one by one."""
    for node in parent:
        if local(node) == "grpSp" or local(node) not in SHAPES:
            yield from _shapes(node)
        elif get(next(iter(descendants(node, "cNvPr")), None), "hidden") not in ("1", "true"):
            yield node


def _place(shape: Element) -> tuple[int, int]:
    """Top and left, in rows of half an inch; placeholders without a place keep their order."""
    offset = next(descendants(shape, "off"), None)
    if offset is None:
        return -1, 0
    return int(get(offset, "y") or 0) // 457_200, int(get(offset, "x") or 0)


def _placeholder(shape: Element) -> str:
    return get(next(descendants(shape, "ph"), None), "type") or ""


def _is_title(shape: Element) -> bool:
    return _placeholder(shape) in TITLES


def _plain(node: Element) -> str:
    return one_line(" ".join(_paragraph(each) for each in descendants(node, "p")))


def _paragraph(paragraph: Element) -> str:
    parts = []
    for node in descendants(paragraph, "t", "br"):
        parts.append(" " if local(node) == "br" else node.text or "")
    text = one_line("".join(parts))
    properties = child(paragraph, "pPr")
    has_bullet = properties is not None and any(local(each) in ("buChar", "buAutoNum") for each in properties)
    return f"- {text}" if text and has_bullet else text


def _relation(slide_id: Element) -> str:
    """Its relation's id, which has the namespace that its own id has not."""
    return next((value for key, value in slide_id.attrib.items() if key.endswith("}id")), "")
