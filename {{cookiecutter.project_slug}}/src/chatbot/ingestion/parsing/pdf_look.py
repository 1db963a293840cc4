"""Which text of a PDF's page a reader sees: the page is drawn with and without it, and the pixels are compared.

Operators tell little: a colour may be that of what is behind it, text may be covered, clipped, in a layer that is off,
beside the page. So where a page is not plainly seen (see pdf_objects.py), text that changes no pixel is hidden: it may
be there to instruct a model. The exception is a scanned page, whose picture is what a reader sees: there the invisible
layer of its OCR is the text.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from chatbot.ingestion.parsing import drawing_time, pdf_objects
from chatbot.ingestion.parsing.pdf_objects import UNPAINTED, Box, Surface, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_SIDE = 2000
"""Pixels; a page is drawn at one a point, or smaller."""
SMALLEST = 1.0
"""Points."""
CHANGED = 16
"""How much a pixel has to change, of 255 in one channel, for anybody to see it."""
INK = 0.006
"""Share of an object's box that its glyphs change at least; thin letters, set wide, change a few hundredths."""
WHOLE = 0.9
"""Share of an object's width, from which on all of it counts as seen; words apart leave gaps."""
SHORT = 40
"""Pixels of a text object's length, below which a part of it is not looked at by itself."""
OVERLAPPING = 0.25
"""Share of an object's box that others may cover, for both to be drawn at once."""
MOST_DRAWINGS = 6
PICTURE = 0.4
"""Share of a page that pictures cover, from which it may be a scan."""
CONTRAST = 48
"""By how much a scan's darkest and lightest pixels differ where there is a word."""


@dataclass(frozen=True, slots=True)
class Look:
    """What looking at a page found out."""

    hidden: Sequence[Text] = ()
    partly: Sequence[Text] = ()
    """Text objects of which a part is hidden: there `sees` tells, for the box of each character."""
    _pixels: Any = None
    _place: Any = None
    texts: Sequence[Text] = field(default=())
    is_picture: bool = False
    """Pictures cover much of the page."""

    def sees(self, box: Box) -> bool:
        if self._pixels is None:
            return True
        area = self._pixels[pixels_of(self._place, box, self._pixels.shape)]
        return bool(area.any())


def look(page: Any) -> Look:
    """Look at a page that pdfium holds. Nothing of it is changed: see `put_away`."""
    texts, surfaces = pdf_objects.read(page)
    box = _page_box(page)
    is_picture = _area(surfaces) > PICTURE * (box[2] - box[0]) * (box[3] - box[1])
    if not texts or pdf_objects.are_plainly_seen(texts, surfaces, box):
        return Look(texts=texts, is_picture=is_picture)
    return replace(_Drawings(page, texts, surfaces, box).compare(), is_picture=is_picture)


def _area(surfaces: Sequence[Surface]) -> float:
    boxes = [surface.box for surface in surfaces if surface.is_picture]
    return sum((right - left) * (top - bottom) for left, bottom, right, top in boxes)


def put_away(texts: Sequence[Text]) -> None:
    """Take objects off the page: neither drawn nor in a text page that is made from now on."""
    for text in texts:
        pdfium.FPDFPageObj_SetIsActive(text.item, False)


class _Drawings:
    def __init__(self, page: Any, texts: list[Text], surfaces: list[Surface], box: Box) -> None:
        self._page, self._texts, self._surfaces, self._box = page, texts, surfaces, box
        width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
        scale = min(1.0, LONGEST_SIDE / max(width, height, 1.0))
        self._size = max(int(width * scale + 0.5), 1), max(int(height * scale + 0.5), 1)
        self._place = placement(page, *self._size)

    def compare(self) -> Look:
        import numpy

        drawing_time.take()

        empty = self._drawn([])
        changed = numpy.zeros(empty.shape[:2], dtype=bool)
        hidden, partly = [], []
        for group in self._groups():
            pixels = _changes(numpy, empty, self._drawn(group))
            for text in group:
                share, width = self._seen(pixels, text.box)
                if text.size < SMALLEST or share < INK:
                    hidden.append(text)
                elif width < WHOLE:
                    partly.append(text)
            changed |= pixels
        self._switch(self._texts, True)
        painted = len(self._texts) - len(hidden)
        unpainted = [text for text in hidden if text.mode in UNPAINTED]
        covered = [text for order, text in self._numbered(hidden) if self._is_under(text, order)]
        read = self._of_scan(unpainted, painted, painted > 0, empty) | self._of_scan(covered, painted, True, empty)
        hidden = [text for text in hidden if id(text) not in read]
        return Look(hidden, partly, changed, self._place, self._texts)

    def _groups(self) -> Iterator[list[Text]]:
        """Text objects that can be drawn at once, since none stands on another: mostly, all of a page."""
        import numpy

        remaining = list(self._texts)
        for drawing in range(MOST_DRAWINGS):
            taken = numpy.zeros((self._size[1], self._size[0]), dtype=bool)
            group, later = [], []
            for text in remaining:
                area = taken[pixels_of(self._place, _core(text.box), taken.shape, 0)]
                if drawing < MOST_DRAWINGS - 1 and area.size and int(area.sum()) > OVERLAPPING * area.size:
                    later.append(text)
                else:
                    area[:] = True
                    group.append(text)
            if group:
                yield group
            remaining = later

    def _drawn(self, shown: Sequence[Text]) -> NDArray[Any]:
        """The page with these text objects and no other, as an array of height, width, 4 channels."""
        import numpy

        self._switch(self._texts, False)
        self._switch(shown, True)
        width, height = self._size
        bitmap = pdfium.FPDFBitmap_Create(width, height, 0)
        if not bitmap:
            raise MemoryError
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
            pdfium.FPDF_RenderPageBitmap(bitmap, self._page, 0, 0, width, height, 0, 0)
            stride = pdfium.FPDFBitmap_GetStride(bitmap)
            buffer = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)
        return numpy.frombuffer(buffer, dtype=numpy.uint8).reshape(height, stride // 4, 4)[:, :width]

    def _switch(self, texts: Sequence[Text], active: bool) -> None:
        for text in texts:
            pdfium.FPDFPageObj_SetIsActive(text.item, active)

    def _seen(self, pixels: NDArray[Any], box: Box) -> tuple[float, float]:
        """The share of the box that changed, and the share of its length in which anything did."""
        area = pixels[pixels_of(self._place, box, pixels.shape)]
        if not area.size:
            return 0.0, 0.0
        share = int(area.sum()) / area.size
        long = max(area.shape)
        if share < INK or long < SHORT:
            return share, 1.0
        return share, _reach(area.max(axis=0 if area.shape[1] == long else 1))

    def _of_scan(self, unseen: Sequence[Text], painted: int, needs_ink: bool, empty: NDArray[Any]) -> set[int]:
        """The unseen text objects that say what a picture shows: if they are more than the others, and stand on ink."""
        on_pictures = [text for text in unseen if self._lies_on_picture(text)]
        blank = sum(not _has_ink(empty[pixels_of(self._place, text.box, empty.shape)]) for text in on_pictures)
        if len(on_pictures) <= painted or (needs_ink and blank > len(on_pictures) / 2):
            return set()
        return {id(text) for text in on_pictures}

    def _numbered(self, texts: Sequence[Text]) -> list[tuple[int, Text]]:
        """With how many text objects were painted before each."""
        wanted = {id(text) for text in texts}
        return [(order, text) for order, text in enumerate(self._texts) if id(text) in wanted]

    def _is_under(self, text: Text, order: int) -> bool:
        """Whether a picture covers it, as some programs that read scans have it: text first, the scan over it."""
        left, bottom, right, top = text.box
        return any(
            surface.is_picture
            and surface.order > order
            and surface.box[0] <= left + 1
            and surface.box[1] <= bottom + 1
            and surface.box[2] >= right - 1
            and surface.box[3] >= top - 1
            for surface in self._surfaces
        )

    def _lies_on_picture(self, text: Text) -> bool:
        x, y = (text.box[0] + text.box[2]) / 2, (text.box[1] + text.box[3]) / 2
        pictures = (surface.box for surface in self._surfaces if surface.is_picture)
        return any(left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1 for left, bottom, right, top in pictures)


def _changes(numpy: Any, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """Which pixels differ so that it can be seen."""
    changed: NDArray[Any] = (before.view(numpy.uint32) != after.view(numpy.uint32))[:, :, 0]
    rows, columns = changed.nonzero()
    one, other = before[rows, columns].astype(numpy.int16), after[rows, columns].astype(numpy.int16)
    changed[rows, columns] = abs(one - other).max(axis=1) >= CHANGED
    return changed


def _reach(line: NDArray[Any]) -> float:
    """How far what changed reaches, gaps of words included: share of cells within 12 of one that changed."""
    import numpy

    if not line.any():
        return 0.0
    window = min(25, len(line))
    return float((numpy.convolve(line, numpy.ones(window), mode="same") > 0.5).mean())


def _has_ink(area: NDArray[Any]) -> bool:
    return bool(area.size) and int(area[:, :, :3].max()) - int(area[:, :, :3].min()) >= CONTRAST


def _core(box: Box) -> Box:
    """The box without the room for accents and tails, which reaches into the lines around."""
    left, bottom, right, top = box
    margin = (top - bottom) * 0.2
    return left, bottom + margin, right, top - margin


def _page_box(page: Any) -> Box:
    box = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, box)
    return box.left, box.bottom, box.right, box.top


def placement(page: Any, width: int, height: int) -> tuple[float, ...]:
    """From points of the page to pixels, whatever its rotation: x = a·x + c·y + e, y = b·x + d·y + f."""
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for point in ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)):
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, *point, x, y)
        corners.append((x.value, y.value))
    (e, f), (ax, ay), (cx, cy) = corners
    return (ax - e) / 1000, (ay - f) / 1000, (cx - e) / 1000, (cy - f) / 1000, float(e), float(f)


def pixels_of(place: tuple[float, ...], box: Box, shape: Sequence[int], margin: int = 1) -> tuple[slice, slice]:
    """The pixels of a box, and so many around it."""
    a, b, c, d, e, f = place
    left, bottom, right, top = box
    xs = (a * left + c * bottom + e, a * right + c * bottom + e, a * left + c * top + e, a * right + c * top + e)
    ys = (b * left + d * bottom + f, b * right + d * bottom + f, b * left + d * top + f, b * right + d * top + f)
    height, width = shape[:2]
    return (
        slice(min(max(int(min(ys)) - margin, 0), height), min(max(int(max(ys)) + 1 + margin, 0), height)),
        slice(min(max(int(min(xs)) - margin, 0), width), min(max(int(max(xs)) + 1 + margin, 0), width)),
    )
