"""What stands on a PDF's page, as pdfium lists it, and whether that alone says that all of its text is seen."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import hypot
from typing import Any

import pypdfium2.raw as pdfium

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""
Transform = tuple[float, float, float, float, float, float]

TEXT, PATH, IMAGE, SHADING, FORM = 1, 2, 3, 4, 5
"""Types of page objects."""
FILLED = 0
"""The text rendering mode of nearly all text."""
UNPAINTED = (3, 7)
"""Text rendering modes that paint nothing: invisible, and clip only."""
PLAINLY = 96
"""Two colours that differ by so much in one channel, of 255, are told apart at a glance."""
READABLE = 4.0
"""Points."""
SURFACE = 50.0
"""Square points from which something painted may be what text stands on, or is covered by."""
DEEPEST = 8
"""Forms within forms."""
RECTANGLE = 6
"""Segments of a path, at most."""
IDENTITY: Transform = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Text:
    """A text object, in the page's coordinates."""

    item: Any
    mode: int
    size: float
    """Of its font as it is drawn, in points."""
    box: Box
    is_plain: bool
    """Opaque, of a readable size and a font of outlines, in no form, no layer, and not clipped."""
    colour: Colour | None
    is_renamed: bool = False
    """The file says of its glyphs that they mean something else (/ActualText), which no reader sees."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Something painted that has an area."""

    box: Box
    colour: Colour | None
    """None for a picture, a shading, a pattern, and whatever lets something through."""
    order: int
    """How many text objects were painted before it."""
    is_picture: bool


def read(page: Any) -> tuple[list[Text], list[Surface]]:
    """The page's text and surfaces, each in the order it is painted."""
    texts: list[Text] = []
    surfaces: list[Surface] = []
    for item, transform, in_form in _walk(page, None, IDENTITY, 0):
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == TEXT:
            texts.append(_text(item, transform, in_form))
        elif kind in (PATH, IMAGE, SHADING):
            box = _box(item, transform)
            if (
                box is None
                or (box[2] - box[0]) * (box[3] - box[1]) < SURFACE
                or (kind == PATH and not _is_filled(item))
            ):
                continue
            colour, alpha = _colour(item) if kind == PATH else (None, 255)
            is_solid = alpha == 255 and not pdfium.FPDFPageObj_HasTransparency(item)
            surfaces.append(Surface(box, colour if is_solid else None, len(texts), kind == IMAGE))
    return texts, surfaces


def are_plainly_seen(texts: list[Text], surfaces: list[Surface], page: Box) -> bool:
    """Whether there is no need to look: dark text on paper, or on a surface of another colour painted before it."""
    for order, text in enumerate(texts):
        if not text.is_plain or not _overlap(text.box, page) or text.colour is None:
            return False
        behind = WHITE
        for surface in surfaces:
            if _overlap(surface.box, text.box):
                if surface.colour is None or surface.order > order:
                    return False
                behind = surface.colour
                if not _differ(text.colour, behind):
                    return False
        if not _differ(text.colour, behind):
            return False
    return True


def _differ(one: Colour, other: Colour) -> bool:
    return any(abs(a - b) >= PLAINLY for a, b in zip(one, other, strict=True))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _walk(page: Any, form: Any, transform: Transform, depth: int) -> Iterator[tuple[Any, Transform, bool]]:
    """Every object with what it is drawn through, and whether it stands in a form."""
    count = pdfium.FPDFFormObj_CountObjects(form) if form else pdfium.FPDFPage_CountObjects(page)
    for index in range(count):
        item = pdfium.FPDFFormObj_GetObject(form, index) if form else pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(item) != FORM:
            yield item, transform, form is not None
        elif depth < DEEPEST:
            yield from _walk(page, item, _joined(_matrix(item), transform), depth + 1)


def _text(item: Any, transform: Transform, in_form: bool) -> Text:
    mode = pdfium.FPDFTextObj_GetTextRenderMode(item)
    colour, alpha = _colour(item)
    size = ctypes.c_float()
    pdfium.FPDFTextObj_GetFontSize(item, size)
    a, b, c, d, _, _ = _joined(_matrix(item), transform)
    points = abs(size.value) * min(hypot(a, b), hypot(c, d))
    box = _box(item, transform) or (0.0, 0.0, 0.0, 0.0)
    is_plain = (
        mode == FILLED
        and alpha == 255
        and points >= READABLE
        and not in_form
        and (box[2] - box[0]) * (box[3] - box[1]) > 1  # glyphs may be drawn as nothing
        and _has_outlines(item)
        and not pdfium.FPDFPageObj_HasTransparency(item)
        and not _may_be_off(item)
        and not _is_clipped(item, box)
    )
    return Text(item, mode, points, box, is_plain, colour, any(_renaming_marks(item)))


def call_by_their_glyphs(texts: Iterable[Text]) -> None:
    """Take the marks off that say otherwise: a text page that is made from now on reads what is drawn."""
    for text in texts:
        for mark in _renaming_marks(text.item) if text.is_renamed else ():
            pdfium.FPDFPageObj_RemoveMark(text.item, mark)


def _renaming_marks(item: Any) -> list[Any]:
    marks = (pdfium.FPDFPageObj_GetMark(item, index) for index in range(max(pdfium.FPDFPageObj_CountMarks(item), 0)))
    return [mark for mark in marks if pdfium.FPDFPageObjMark_GetParamValueType(mark, b"ActualText") > 0]


def _has_outlines(item: Any) -> bool:
    """Whether the font is one of outlines, and no Type 3, whose glyphs may draw anything: that has no name."""
    return bool(pdfium.FPDFFont_GetBaseFontName(pdfium.FPDFTextObj_GetFont(item), None, 0) > 1)


def _may_be_off(item: Any) -> bool:
    """Whether the object belongs to a layer, which may be switched off."""
    for index in range(max(pdfium.FPDFPageObj_CountMarks(item), 0)):
        name, length = (ctypes.c_ushort * 4)(), ctypes.c_ulong()
        pdfium.FPDFPageObjMark_GetName(pdfium.FPDFPageObj_GetMark(item, index), name, 8, length)
        if length.value == 6 and bytes(name)[:4] == b"O\0C\0":
            return True
    return False


def _is_clipped(item: Any, box: Box) -> bool:
    """Whether anything but a rectangle around all of it limits where the object is painted."""
    clip = pdfium.FPDFPageObj_GetClipPath(item)
    for path in range(max(pdfium.FPDFClipPath_CountPaths(clip), 0) if clip else 0):
        count = pdfium.FPDFClipPath_CountPathSegments(clip, path)
        if not 0 < count <= RECTANGLE:
            return True
        points = []
        for index in range(count):
            x, y = ctypes.c_float(), ctypes.c_float()
            pdfium.FPDFPathSegment_GetPoint(pdfium.FPDFClipPath_GetPathSegment(clip, path, index), x, y)
            points.append((x.value, y.value))
        xs, ys = zip(*points, strict=True)
        if min(xs) > box[0] + 1 or min(ys) > box[1] + 1 or max(xs) < box[2] - 1 or max(ys) < box[3] - 1:
            return True
    return False


def _colour(item: Any) -> tuple[Colour | None, int]:
    """Fill colour and alpha; no colour, opaque, for a pattern."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(item, red, green, blue, alpha):
        return None, 255
    return (red.value, green.value, blue.value), alpha.value


def _is_filled(item: Any) -> bool:
    mode, stroked = ctypes.c_int(), ctypes.c_int()
    return bool(pdfium.FPDFPath_GetDrawMode(item, mode, stroked)) and mode.value != 0


def _matrix(item: Any) -> Transform:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, matrix):
        return IDENTITY
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _joined(first: Transform, then: Transform) -> Transform:
    if then is IDENTITY:
        return first
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _box(item: Any, transform: Transform) -> Box | None:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return None
    box = left.value, bottom.value, right.value, top.value
    if transform is IDENTITY:
        return box
    a, b, c, d, e, f = transform
    corners = [(x * a + y * c + e, x * b + y * d + f) for x in box[::2] for y in box[1::2]]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
