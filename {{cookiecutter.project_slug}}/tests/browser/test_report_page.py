"""The report as people look at it: light and dark, in English and French, on a phone, and printed.

SCREENSHOTS=docs keeps the pictures there.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pypdfium2
import pytest
from playwright.async_api import Page

from chatbot.pipelines.report_page import page as report_page
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.reader import barriers
from tests.test_report import sample

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("fr", "dark")])
async def test_the_report(opened: Callable[..., Awaitable[Page]], tmp_path: Path, language: str, scheme: str) -> None:
    file = tmp_path / "report.html"
    data = {**sample(), "name": "CIRED"}
    file.write_text(report_page(data, language), "utf-8")
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for size in (DESKTOP, PHONE):
        page = await opened(file.as_uri(), viewport=size, color_scheme=scheme)
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        await page.reload()
        assert asked == [file.as_uri()]  # nothing but itself
        await page.locator("summary").first.click()
        assert await barriers(page) == []
        await page.locator("summary").first.click()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if size is DESKTOP:
            await page.screenshot(path=pictures / f"report-{scheme}-{language}.png", full_page=True)
    printed = tmp_path / "report.pdf"
    await page.pdf(path=printed, prefer_css_page_size=True, print_background=True)
    with pypdfium2.PdfDocument(printed) as pdf:
        assert 2 <= len(pdf) <= 3
        text = "".join(pdf[number].get_textpage().get_text_bounded() for number in range(len(pdf)))
    assert "CIRED" in text
    assert "nucléaire" in text
