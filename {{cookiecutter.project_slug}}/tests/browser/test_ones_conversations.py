"""One's conversations on the page: asked otherwise, searched, renamed, downloaded, shared and taken back."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PHONE, Addresses
from tests.browser.reader import Reader, barriers
from tests.browser.test_chat_page import QUESTION, QUOTED, Opened

pytestmark = pytest.mark.slow

THATCH = "How fast do thatch roofs shed rain water?"


async def test_a_conversation_is_changed_found_named_kept_and_shared(opened: Opened, addresses: Addresses) -> None:
    page = await opened(addresses.bot, permissions=["clipboard-read", "clipboard-write"])
    reader = Reader(page)
    await expect(page.get_by_text("A machine answers here").first).to_be_visible()
    await page.locator("#suggestions button").first.click()
    await reader.answered()
    await reader.ask(QUESTION)
    await reader.answered(2)

    await reader.button("edit").last.click()
    field = page.locator(".edit:visible textarea")
    await expect(field).to_have_value(QUESTION)
    assert await barriers(page) == []
    await field.fill(THATCH)
    await field.press("Enter")
    await expect(page.locator("article .answer").last).to_contain_text("Thatch roofs shed rain water within 3 minutes.")
    await expect(page.locator("article")).to_have_count(2)
    await page.locator("article .actions:visible").last.get_by_role("button", name=reader.say("again")).click()
    await reader.answered(2)

    await reader.button("rename").click()
    await page.locator("#name").fill("About thatch")
    assert await barriers(page) == []
    await reader.button("save").click()
    await expect(page.locator("#title")).to_have_text("About thatch")
    await page.get_by_label(reader.say("search")).fill("snow")
    await expect(page.get_by_text(reader.say("none_found"))).to_be_visible()
    await page.get_by_label(reader.say("search")).fill("THATCH")
    await expect(page.locator("#list li")).to_have_count(1)

    async with page.expect_download() as download:
        await reader.button("export").click()
    kept = (await (await download.value).path()).read_text("utf-8")
    assert kept.startswith("# About thatch\n")
    assert f"## {THATCH}" in kept
    assert f"{addresses.bot}/#passage=" in kept

    own = page.url
    await page.reload()
    await reader.answered(2)
    stranger = await opened(own)
    await expect(Reader(stranger).status).to_have_text(reader.say("not_yours"))

    await reader.button("share_conversation").click()
    await reader.button("make_link").click()
    await expect(reader.button("copy_link")).to_be_visible()
    address = await page.get_by_label(reader.say("link"), exact=True).input_value()
    assert await barriers(page) == []
    other = Reader(await opened(address, viewport=PHONE, locale="fr-FR"), "fr")
    await expect(other.page.get_by_text(other.say("read_only"))).to_be_visible()
    await expect(other.page.locator("article .answer").last).to_contain_text("Thatch roofs")
    assert await other.page.locator("[data-do=up]:visible").count() == 0
    assert await barriers(other.page) == []  # type: ignore[arg-type]
    await reader.button("drop_link").click()
    await expect(reader.status).to_have_text(reader.say("unshared"))
    await other.page.reload()  # type: ignore[union-attr]
    await expect(other.status).to_have_text(other.say("not_shared"))


async def test_each_marker_opens_its_own_words_beside_the_answer(opened: Opened, addresses: Addresses) -> None:
    page = await opened(addresses.bot, viewport={"width": 1440, "height": 900})
    reader = Reader(page)
    await reader.ask("How fast do zinc roofs and thatch roofs shed rain water?")
    await reader.answered()
    markers = page.locator("article .answer .marker")
    for number in range(await markers.count()):
        said = await markers.nth(number).locator("xpath=..").inner_text()
        await markers.nth(number).click()
        marked = await reader.panel.locator("mark").inner_text()
        assert " ".join(marked.split()) in said
        await expect(reader.panel.locator("mark")).to_be_in_viewport()
    answer, panel = await page.locator("article .answer").bounding_box(), await reader.panel.bounding_box()
    assert answer
    assert panel
    assert answer["x"] + answer["width"] <= panel["x"]  # beside it, not over it
    close = await reader.button("close").bounding_box()
    assert close
    assert close["height"] < 48
    assert QUOTED in await page.locator("article").inner_text()
    await reader.button("close").click()
    await expect(reader.panel).to_be_hidden()
