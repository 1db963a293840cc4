"""The page of the documents: looked through by a reader, added to and looked after by those who may."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from chatbot.bootstrap import Services
from tests.browser.conftest import NAMED, PHONE, Addresses
from tests.browser.reader import Reader, barriers
from tests.browser.test_chat_page import Opened
from tests.processes import chatbot, serving
from tests.unit.pdfs import document, lines

pytestmark = pytest.mark.slow

TIDES = document([lines(["Tides", "The tide turns twice a day."]), lines(["Boats wait for it."])], title="Tides")
NETS = b"<title>Nets</title><h2>Nets</h2><p>Nets are mended.</p><p hidden>Nobody sees this.</p><nav>Home About</nav>"
BARNS = b"# Barns\n\nBarns keep hay dry for two winters."


async def test_a_reader_filters_the_documents_and_reads_one(opened: Opened, addresses: Addresses) -> None:
    page = await opened(f"{addresses.bot}/documents", viewport=PHONE, locale="fr-FR", color_scheme="dark")
    reader = Reader(page, "fr")
    rows = page.locator("#documents li")
    await expect(rows).to_have_count(2)
    assert await barriers(page) == []
    await page.get_by_label(reader.say("format")).select_option("text/html")
    await expect(rows).to_have_count(1)
    await expect(page.locator("#count")).to_have_text(reader.say("documents_1"))
    await page.get_by_label(reader.say("format")).select_option("")
    await page.get_by_label(reader.say("search_documents")).fill("rain on")
    await expect(rows).to_have_count(1)
    await rows.get_by_role("button", name="Rain on roofs", exact=True).click()
    await expect(reader.panel).to_contain_text("Slate roofs shed rain water")
    assert await barriers(page) == []
    await page.keyboard.press("Escape")
    await expect(reader.panel).to_be_hidden()


async def test_those_who_may_add_documents_and_look_after_the_service(
    opened: Opened, urls: dict[str, str], services: Services
) -> None:
    environ = {**urls, **NAMED, "ANONYMOUS_SCOPES": "ask ingest admin"}
    with serving(environ) as (_, client), chatbot("worker", environ=environ):
        page = await opened(str(client.base_url.join("/documents")))
        reader = Reader(page)
        jobs = page.locator("#jobs li")
        await page.locator("#files").set_input_files(
            [{"name": "barns.md", "mimeType": "text/markdown", "buffer": BARNS}]
        )
        await expect(jobs.first).to_contain_text(reader.say("job_succeeded"))
        await page.locator("#files").set_input_files(
            [{"name": "again.md", "mimeType": "text/markdown", "buffer": BARNS}]
        )
        await expect(jobs.first).to_contain_text(reader.say("upload_duplicate"))
        await page.locator("#files").set_input_files(
            [{"name": "bad.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\nbroken"}]
        )
        await expect(jobs.first).to_contain_text(reader.say("job_failed"))
        await page.locator("#url").fill("http://127.0.0.1/")
        await reader.button("fetch").click()
        await expect(jobs.first).to_contain_text(reader.say("status_422"))
        await expect(page.locator("#documents li").filter(has_text="Barns")).to_be_visible()

        for word in ("failed_jobs", "feedback", "unanswered", "keys"):
            await page.locator("summary", has_text=reader.say(word)).click()
        await expect(
            page.locator("[data-list=jobs] li").filter(has_text=reader.say("job_failed")).first
        ).to_be_visible()
        await page.get_by_label(reader.say("key_name")).fill("the intranet")
        await reader.button("make_key").click()
        await expect(page.locator("#new-key")).to_be_visible()
        secret = await page.locator("#new-key code").inner_text()
        assert client.get("/v1/me", headers={"X-API-Key": secret}).json() == {"scopes": ["ask"]}
        assert await barriers(page) == []
        row = page.locator("[data-list=keys] li").filter(has_text="the intranet")
        await row.get_by_role("button", name=reader.say("revoke")).click()
        await reader.button("yes").click()
        await expect(row).to_contain_text(reader.say("revoked"))

        await reader.button("remove", "Barns").click()
        await reader.button("yes").click()
        await expect(reader.status).to_have_text(reader.say("removed"))
        await expect(page.locator("#documents li").filter(has_text="Barns")).to_have_count(0)


async def test_a_page_is_shown_as_an_image_and_as_text_again(
    opened: Opened, urls: dict[str, str], services: Services
) -> None:
    tides, _ = await services.ingester.register("tides.pdf", "tides.pdf", TIDES)
    await services.ingester.process(tides.id, _unwatched)
    with serving({**urls, **NAMED, "ANONYMOUS_SCOPES": "ask ingest"}) as (_, client):
        [passage, *_] = client.get(f"/v1/documents/{tides.id}/passages").json()["passages"]
        page = await opened(str(client.base_url.join(f"/#passage={tides.id}/{passage['chunk_id']}")))
        reader = Reader(page)
        await expect(reader.panel).to_contain_text("The tide turns twice a day.")
        await reader.button("as_page").click()
        image = page.locator("#source-image")
        await expect(image).to_be_visible()
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("node => node.naturalWidth") > 100
        assert await barriers(page) == []
        await reader.button("as_text").click()
        await expect(image).to_be_hidden()
        await expect(reader.panel).to_contain_text("The tide turns twice a day.")
    await services.ingester.remove(tides.id)


async def test_the_page_says_in_its_language_why_words_were_left_out(
    opened: Opened, addresses: Addresses, services: Services
) -> None:
    nets, _ = await services.ingester.register("nets.html", "nets.html", NETS)
    await services.ingester.process(nets.id, _unwatched)
    page = await opened(f"{addresses.bot}/documents", locale="fr-FR")
    row = page.locator("#documents li").filter(has_text="Nets")
    for word in ("hidden", "menus"):
        await expect(row).to_contain_text(Reader(page, "fr").say(f"reason: {word}"))
    await services.ingester.remove(nets.id)


async def _unwatched(_: float) -> None: ...
