"""The machine's Tesseract, where it is installed: from a picture to its text, within the time that is left for it."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from typing import Any

from chatbot.ingestion.parsing import drawing_time

ADVICE = "apt install tesseract-ocr tesseract-ocr-fra"
FOLDERS = "/usr/bin:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin:/bin"
"""Where it is looked for: a parser's process has no environment."""
LANGUAGES = ("eng", "fra")
DOTS = 200
"""Dots an inch at which a page is drawn for it: letters of ten points are then 28 pixels high."""

LONGEST_SIDE = 5000
"""Pixels."""


@lru_cache(maxsize=1)
def is_installed() -> str:
    """The path of the program; "" when there is none."""
    return shutil.which("tesseract", path=FOLDERS) or shutil.which("tesseract") or ""


def page_text(page: Any) -> str:
    """The text of a PDF's page as it is drawn; "" when nothing can read it."""
    if not is_installed() or drawing_time.left() <= 0:
        return ""
    drawing_time.take()
    import ctypes

    import pypdfium2.raw as pdfium

    sides = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = min(DOTS / 72, LONGEST_SIDE / max(*sides, 1.0))
    width, height = (max(int(side * scale), 1) for side in sides)
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    if not bitmap:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_GRAYSCALE)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    rows = (pixels[row * stride : row * stride + width] for row in range(height))
    return text_of(b"P5 %d %d 255\n" % (width, height) + b"".join(rows))


def text_of(picture: bytes) -> str:
    """The text in a PNG, JPEG, TIFF or PNM picture; "" when it has none, or the time is up."""
    if drawing_time.left() <= 0:
        return ""
    command = [is_installed(), "stdin", "stdout", "-l", _languages(), "--dpi", str(DOTS)]
    try:
        done = subprocess.run(
            command,
            input=picture,
            capture_output=True,
            timeout=drawing_time.left(),
            env={"OMP_THREAD_LIMIT": "1"},
            preexec_fn=drawing_time.take,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.decode("utf-8", errors="replace").replace("\f", "\n")


@lru_cache(maxsize=1)
def _languages() -> str:
    listed = subprocess.run([is_installed(), "--list-langs"], capture_output=True, timeout=10, env={}, check=False)
    installed = listed.stdout.decode(errors="replace").split()
    return "+".join(each for each in LANGUAGES if each in installed) or "eng"
