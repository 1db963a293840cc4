"""What a PDF's page shows besides its content: the values in the fields of its form, and notes typed on to it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium

from chatbot.ingestion.parsing.outline import one_line
from chatbot.ingestion.parsing.pdf_objects import Box
from chatbot.ingestion.parsing.pdf_text import Line

NOT_SHOWN = 2 | 32
"""Flags of an annotation: hidden, and not on screens."""
PASSWORD = 1 << 13
CHECKBOXES = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
REMARKS = (pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE, pdfium.FPDF_ANNOT_POPUP,
           pdfium.FPDF_ANNOT_STRIKEOUT, pdfium.FPDF_ANNOT_SQUIGGLY)  # fmt: skip
MOST = 5_000
"""Annotations of a page."""


def additions(page: Any, form: Any, box: Box) -> tuple[list[Line], list[str]]:
    """The lines that fields and typed notes add to the page; and the remarks, which only open on a click."""
    lines: list[Line] = []
    remarks: list[str] = []
    for annotation in _annotations(page):
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        place = pdfium.FS_RECTF()
        pdfium.FPDFAnnot_GetRect(annotation, place)
        area = (place.left, place.bottom, place.right, place.top)
        if kind in REMARKS:
            remarks.append(_string(annotation, b"Contents"))
        elif not pdfium.FPDFAnnot_GetFlags(annotation) & NOT_SHOWN and _is_on(area, box):
            text = _value(annotation, form) if kind == pdfium.FPDF_ANNOT_WIDGET else ""
            if kind == pdfium.FPDF_ANNOT_FREETEXT:
                text = one_line(_string(annotation, b"Contents"))
            if text:
                lines.append(Line(text, *area, 0.0, is_alone=True))
    return lines, [remark for remark in remarks if remark]


def placed(lines: list[Line], added: list[Line]) -> list[Line]:
    """The lines of the page with those added, each behind its label: what stands left of it, or else above."""
    result = list(lines)
    for each in sorted(added, key=lambda line: (-line.middle, line.left)):
        beside = [
            at for at, line in enumerate(result) if line.bottom < each.middle < line.top and line.left < each.left + 1
        ]
        above = [at for at, line in enumerate(result) if line.middle >= each.middle]
        if beside:
            label = result[beside[-1]]
            label.text += f" {each.text}"
            label.right, label.is_alone = max(label.right, each.right), True
        else:
            result.insert(above[-1] + 1 if above else 0, each)
    return result


def _annotations(page: Any) -> Iterator[Any]:
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), MOST)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if annotation:
            try:
                yield annotation
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _value(annotation: Any, form: Any) -> str:
    """What was filled in. An option that was ticked says its name; one that was not says nothing."""
    if not form:
        return one_line(_string(annotation, b"V"))
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    flags = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation)
    if kind in CHECKBOXES:
        if not pdfium.FPDFAnnot_IsChecked(form, annotation):
            return ""
        option = one_line(_read(pdfium.FPDFAnnot_GetFormFieldExportValue, form, annotation))
        return f"[x] {option}" if kind == pdfium.FPDF_FORMFIELD_RADIOBUTTON and option else "[x]"
    if kind in (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE) or flags & PASSWORD:
        return ""
    return one_line(_read(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))


def _string(annotation: Any, key: bytes) -> str:
    return _read(pdfium.FPDFAnnot_GetStringValue, annotation, key)


def _read(get: Any, *about: Any) -> str:
    """What one of pdfium's functions writes, once it has said how long it is."""
    length = get(*about, None, 0)
    buffer = (ctypes.c_ushort * (length // 2 + 1))()
    get(*about, buffer, length)
    return bytes(buffer)[: max(length - 2, 0)].decode("utf-16-le", errors="replace")


def _is_on(area: Box, page: Box) -> bool:
    left, bottom, right, top = area
    return (
        right - left > 1
        and top - bottom > 1
        and left < page[2]
        and right > page[0]
        and bottom < page[3]
        and top > page[1]
    )
