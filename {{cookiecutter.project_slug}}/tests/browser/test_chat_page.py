"""The chat page as people use it: on a screen and a phone, light and dark, in English and French, by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from chatbot.bootstrap import Services
from tests.browser.conftest import DESKTOP, NAMED, PHONE, Addresses
from tests.browser.reader import Reader, barriers
from tests.processes import NOWHERE, serving

pytestmark = pytest.mark.slow

QUESTION = "How fast do zinc roofs shed rain water?"
QUOTED = "Zinc roofs shed rain water within 6 minutes."
Opened = Callable[..., Awaitable[Page]]


@pytest.mark.parametrize(
    ("language", "options"),
    [
        ("en", {"viewport": DESKTOP, "color_scheme": "light"}),
        ("fr", {"viewport": PHONE, "color_scheme": "dark", "has_touch": True, "locale": "fr-FR"}),
    ],
    ids=["desktop-light-en", "phone-dark-fr"],
)
async def test_a_conversation_from_question_to_deletion(
    opened: Opened, addresses: Addresses, language: str, options: dict[str, Any]
) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    page = await opened(addresses.bot, permissions=permissions, **options)
    reader = Reader(page, language)
    await expect(page.locator("html")).to_have_attribute("lang", language)  # the browser's, not the bot's
    assert await barriers(page) == []

    await reader.ask(QUESTION)
    await reader.answered()
    await page.locator("article .marker").first.click()
    await reader.opened(QUOTED)
    for word, first in (("before", "Slate"), ("after", "Glass")):
        await reader.button(word).click()
        await expect(reader.panel).to_contain_text(f"{first} roofs")
        await expect(reader.button(word)).to_be_hidden()
        await expect(page.locator("#source-text")).to_be_focused()
    assert await reader.panel.get_by_role("heading", level=3).count() == 9
    assert await barriers(page) == []
    await page.keyboard.press("Escape")

    await page.reload()
    await expect(reader.status).to_have_text(reader.say("opened"))
    await expect(page.locator("article .answer")).to_contain_text(QUOTED)
    await reader.button("down").click()
    await expect(reader.button("down")).to_have_attribute("aria-pressed", "true")
    await page.get_by_label(reader.say("comment")).fill("Slate is missing")
    assert await barriers(page) == []
    await reader.button("send_comment").click()
    await expect(reader.status).to_have_text(reader.say("thanks"))

    await reader.button("copy").click()
    await expect(reader.status).to_have_text(reader.say("copied"))
    copied = await page.evaluate("navigator.clipboard.readText()")
    address, *_ = re.findall(r"http://127\S+#passage=\S+", copied)
    await page.goto(address)
    await reader.opened(QUOTED)
    await page.reload()  # a fragment alone loads nothing
    await reader.opened(QUOTED)
    await reader.button("close").click()
    await expect(page).to_have_url(re.compile("/$"))

    await reader.button("other_language").click()
    reader.language = {"en": "fr", "fr": "en"}[language]
    await expect(page.locator("html")).to_have_attribute("lang", reader.language)
    await expect(reader.question).to_be_visible()

    if options["viewport"] is PHONE:
        await reader.button("conversations").click()
        assert await barriers(page) == []
    await page.locator("#list li").hover()
    await reader.button("delete", QUESTION).click()
    sure = page.get_by_role("dialog", name=reader.say("sure"))
    await expect(reader.button("no", within=sure)).to_be_focused()
    assert await barriers(page) == []
    await reader.button("yes", within=sure).click()
    await expect(reader.status).to_have_text(reader.say("deleted"))
    await expect(page.locator("article, #list li")).to_have_count(0)


async def test_the_keyboard_is_enough(opened: Opened, addresses: Addresses) -> None:
    page = await opened(addresses.bot, reduced_motion="reduce")
    reader = Reader(page)
    await expect(reader.question).to_be_focused()
    await page.keyboard.type("How long do clay walls take to dry?")
    await page.keyboard.press("Enter")
    await reader.answered()
    await expect(reader.question).to_be_focused()
    marker = page.locator("article .marker").first
    for _ in range(12):
        await page.keyboard.press("Shift+Tab")
        if await marker.evaluate("node => node === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await reader.opened("nine weeks")
    await expect(reader.button("close")).to_be_focused()
    link = page.get_by_role("link", name=reader.say("open"))
    assert await link.get_attribute("href") == (
        "https://example.org/walls.html#:~:text=Clay%20walls%20dry%20within%20nine%20weeks%20of%20summer."
    )
    await page.keyboard.press("Escape")
    await expect(marker).to_be_focused()


async def test_a_key_is_asked_for_and_kept_in_the_tab(opened: Opened, urls: dict[str, str], services: Services) -> None:
    model = {"LLM_URL": "http://127.0.0.1:1/v1", "LLM_MODEL": "none"}
    _, key = await services.keys.create("a reader", frozenset({"ask"}))
    with serving({**urls, **NAMED, **model, "ANONYMOUS_SCOPES": "none"}) as (_, client):
        page = await opened(str(client.base_url))
        reader = Reader(page)
        field = page.get_by_label(reader.say("key_label"))
        await expect(page.get_by_text(reader.say("key_needed"))).to_be_visible()
        assert await barriers(page) == []
        await reader.ask(QUESTION)
        await expect(reader.alert).to_contain_text(reader.say("status_401"))
        for wrong in ("clé", f"cb_{'A' * 43}"):
            await field.fill(wrong)
            await reader.button("key_use").click()
            await expect(page.get_by_text(reader.say("key_wrong"))).to_be_visible()
        await field.fill(key)
        await field.press("Enter")
        await expect(reader.status).to_have_text(reader.say("key_taken"))
        await expect(field).to_be_hidden()

        await reader.button("again").click()
        await expect(reader.alert).to_contain_text(reader.say("model_down"))
        assert await barriers(page) == []
        await reader.button("quotes").click()
        await reader.answered()
        await reader.button("up").click()
        await expect(reader.status).to_have_text(reader.say("thanks"))
        await page.reload()
        await expect(page.locator("article .answer")).to_contain_text(QUOTED)

        await page.get_by_role("link", name=reader.say("privacy_link")).click()
        english = page.locator("#en")
        await english.get_by_label("I agree").check()
        await expect(english.get_by_role("status")).to_have_text("Your choice is saved.")
        assert await barriers(page) == []
        async with page.expect_download() as download:
            await english.get_by_role("link", name="Download everything").click()
        exported = (await (await download.value).path()).read_text("utf-8")
        assert QUESTION in exported
        await english.get_by_role("button", name="Erase everything").click()
        await page.get_by_role("button", name="Erase", exact=True).click()
        await expect(english.get_by_role("status")).to_have_text("Everything is erased.")

        await page.goto(str(client.base_url))
        await expect(page.locator("#list li")).to_have_count(0)
        await reader.button("forget").click()
        await expect(field).to_be_visible()
        stored = await page.evaluate("Object.values({...sessionStorage, ...localStorage}).join()")
        assert key not in stored


async def test_what_is_down_is_said_in_the_reader_s_language(opened: Opened, addresses: Addresses) -> None:
    with serving({**NOWHERE, **NAMED}) as (_, client):
        page = await opened(f"{client.base_url}?language=fr")
        reader = Reader(page, "fr")
        await reader.ask("Qui paie ?")
        await expect(reader.alert).to_contain_text(reader.say("status_503"))
        await expect(reader.alert).to_contain_text(reader.say("later", "5 s"))
        assert await barriers(page) == []
    await reader.button("again").click()
    await expect(reader.alert).to_contain_text(reader.say("unreachable"))
    await page.context.set_offline(True)
    await reader.button("again").click()
    await expect(reader.alert).to_contain_text(reader.say("offline"))
