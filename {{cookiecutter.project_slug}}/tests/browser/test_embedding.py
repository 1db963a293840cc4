"""The chat on a page of another site, where browsers keep no cookie, and perhaps nothing at all."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PHONE, Addresses
from tests.browser.reader import Reader, barriers
from tests.browser.test_chat_page import QUESTION, QUOTED, Opened

pytestmark = pytest.mark.slow

NO_STORAGE = """
for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } });
"""


async def test_a_conversation_in_the_frame(opened: Opened, addresses: Addresses) -> None:
    page = await opened(addresses.host)
    opener = page.get_by_role("button", name="Ask Chatbot")
    await opener.click()
    reader = Reader(page.frame_locator("iframe"))
    await expect(reader.question).to_be_focused()
    await conversation(reader)
    assert await page.context.cookies() == []

    await reader.page.locator("article .marker").first.click()
    await reader.opened(QUOTED)
    await page.keyboard.press("Escape")
    await expect(reader.panel).to_be_hidden()
    await expect(page.locator("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_be_hidden()
    await expect(opener).to_be_focused()
    await expect(opener).to_have_attribute("aria-expanded", "false")


async def test_on_a_phone_it_covers_the_page_and_works_without_any_storage(
    opened: Opened, addresses: Addresses
) -> None:
    page = await opened(addresses.host, viewport=PHONE, reduced_motion="reduce", script=NO_STORAGE)
    await page.get_by_role("button", name="Ask Chatbot").click()
    panel = page.get_by_role("dialog", name="Chatbot")
    assert await panel.bounding_box() == {"x": 0, "y": 0, **PHONE}
    await conversation(Reader(page.frame_locator("iframe")))
    assert await barriers(page) == []
    await page.get_by_role("button", name="Close the chat").click()
    await expect(panel).to_be_hidden()


async def conversation(reader: Reader) -> None:
    """A question and one that goes on from it: the bot knows who asks."""
    await reader.ask(QUESTION)
    await reader.answered()
    await reader.ask("And thatch?")
    await reader.answered(2)
    await expect(reader.page.locator("#list li")).to_have_count(1)


async def test_a_site_that_is_not_named_cannot_show_it(opened: Opened, addresses: Addresses) -> None:
    page = await opened(addresses.stranger)
    await page.get_by_role("button", name="Ask Chatbot").click()
    await expect(page.locator("iframe")).to_be_visible()
    await expect(page.frame_locator("iframe").locator("#question")).to_have_count(0)
    [frame] = page.main_frame.child_frames
    assert frame.url == "chrome-error://chromewebdata/"
