"""Takes out of a PDF's page, before its text is read, the text that nobody sees: it may be there to instruct a model.

That is text drawn invisibly or transparent, in the colour of what is behind it, smaller than a point, or off the page.
The exception is a scanned page, whose picture is what a reader sees: there the invisible layer of its OCR is the text.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""
Transform = tuple[float, float, float, float, float, float]

TEXT, PATH, IMAGE, SHADING, FORM = 1, 2, 3, 4, 5
"""Types of page objects."""
INVISIBLE_MODES = (3, 7)
"""Text rendering modes that paint nothing: invisible, and clip only."""
STROKED_MODES = (1, 5)
SMALLEST = 1.0
"""Points."""
NEAR = 32
"""Two colours that differ by less in all channels, of 255, look the same."""
OPAQUE = 13
"""Alpha, of 255, below which text cannot be seen."""
BACKGROUND = 50.0
"""Square points from which a painted surface may be what text stands on."""
SCANNED = 0.75
"""Share of the page that a scanned page's picture covers."""
DEEPEST = 8
"""Forms within forms."""
WHITE: Colour = (255, 255, 255)
IDENTITY: Transform = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Object:
    """A text object of a page, in the page's own coordinates; `take_out` removes it."""

    mode: int
    colour: Colour | None
    """None for a pattern."""
    alpha: int
    size: float
    box: Box
    behind: Colour | None
    """What the middle of its box stands on; None for a picture."""
    take_out: Callable[[], None]


def remove(page: PdfPage) -> None:
    """Change the page in memory: its text page, made afterwards, has only what can be seen."""
    width, height = page.get_size()
    objects, pictures = _read(page)
    if not objects:
        return
    visible_box = page.get_bbox()
    hidden = [each for each in objects if _is_hidden(each, visible_box)]
    unpainted = [each for each in hidden if each.mode in INVISIBLE_MODES]
    if len(unpainted) > len(objects) - len(hidden) and max(pictures, default=0) > SCANNED * width * height:
        hidden = [each for each in hidden if each.mode not in INVISIBLE_MODES]
    for each in reversed(hidden):
        each.take_out()


def _is_hidden(text: Object, page: Box) -> bool:
    left, bottom, right, top = text.box
    return (
        text.mode in INVISIBLE_MODES
        or text.alpha < OPAQUE
        or text.size < SMALLEST
        or right <= page[0]
        or left >= page[2]
        or top <= page[1]
        or bottom >= page[3]
        or (text.colour is not None and text.behind is not None and _alike(text.colour, text.behind))
    )


def _alike(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) < NEAR for a, b in zip(one, other, strict=True))


def _read(page: PdfPage) -> tuple[list[Object], list[float]]:
    """The page's text objects in the order they are painted, and the areas of its pictures."""
    import pypdfium2.raw as pdfium

    texts: list[Object] = []
    pictures: list[float] = []
    surfaces: list[tuple[Box, Colour | None]] = []
    for item, transform, parent in _walk(pdfium, page.raw, None, IDENTITY, 0):
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == TEXT:
            texts.append(_text(pdfium, page.raw, item, parent, transform, surfaces))
        elif kind in (PATH, IMAGE, SHADING) and (box := _box(pdfium, item, transform)):
            area = (box[2] - box[0]) * (box[3] - box[1])
            if kind == IMAGE:
                pictures.append(area)
            if area >= BACKGROUND and (kind != PATH or _is_filled(pdfium, item)):
                colour, alpha = _colour(pdfium.FPDFPageObj_GetFillColor, item) if kind == PATH else (None, 255)
                if alpha >= OPAQUE:
                    surfaces.append((box, colour))
    return texts, pictures


def _walk(pdfium: Any, page: Any, form: Any, transform: Transform, depth: int) -> Iterator[tuple[Any, Transform, Any]]:
    """Every object with what it is drawn through and the form it stands in, if any."""
    count = pdfium.FPDFFormObj_CountObjects(form) if form else pdfium.FPDFPage_CountObjects(page)
    for index in range(count):
        item = pdfium.FPDFFormObj_GetObject(form, index) if form else pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(item) != FORM:
            yield item, transform, form
        elif depth < DEEPEST:
            yield from _walk(pdfium, page, item, _joined(_matrix(pdfium, item), transform), depth + 1)


def _text(
    pdfium: Any, page: Any, item: Any, form: Any, transform: Transform, surfaces: list[tuple[Box, Colour | None]]
) -> Object:
    mode = pdfium.FPDFTextObj_GetTextRenderMode(item)
    paint = pdfium.FPDFPageObj_GetStrokeColor if mode in STROKED_MODES else pdfium.FPDFPageObj_GetFillColor
    colour, alpha = _colour(paint, item)
    size = ctypes.c_float()
    pdfium.FPDFTextObj_GetFontSize(item, size)
    a, b, c, d, _, _ = _joined(_matrix(pdfium, item), transform)
    box = _box(pdfium, item, transform) or (0.0, 0.0, 0.0, 0.0)

    def take_out() -> None:
        removed = pdfium.FPDFFormObj_RemoveObject(form, item) if form else pdfium.FPDFPage_RemoveObject(page, item)
        if removed:
            pdfium.FPDFPageObj_Destroy(item)

    points = abs(size.value) * min(hypot(a, b), hypot(c, d))
    return Object(mode, colour, alpha, points, box, _behind(box, surfaces), take_out)


def _behind(box: Box, surfaces: list[tuple[Box, Colour | None]]) -> Colour | None:
    """The colour of the last surface painted below the middle of the box; white where there is only paper."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for (left, bottom, right, top), colour in reversed(surfaces):
        if left <= x <= right and bottom <= y <= top:
            return colour
    return WHITE


def _colour(get: Any, item: Any) -> tuple[Colour | None, int]:
    """Colour and alpha; no colour, opaque, for a pattern."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not get(item, red, green, blue, alpha):
        return None, 255
    return (red.value, green.value, blue.value), alpha.value


def _is_filled(pdfium: Any, item: Any) -> bool:
    mode, stroked = ctypes.c_int(), ctypes.c_int()
    return bool(pdfium.FPDFPath_GetDrawMode(item, mode, stroked)) and mode.value != 0


def _matrix(pdfium: Any, item: Any) -> Transform:
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


def _box(pdfium: Any, item: Any, transform: Transform) -> Box | None:
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
