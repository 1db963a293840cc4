"""A page of another site plants no document in a bot that an intranet serves by plain HTTP.

Names other than localhost are nothing that Chromium trusts without TLS: it then says nothing in `Sec-Fetch-Site`.
"""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page

from chatbot.bootstrap import Services
from tests.browser.test_chat_page import Opened
from tests.processes import serving
from tests.test_end_to_end import site

pytestmark = pytest.mark.slow

FETCH = """async url => {
  const form = new FormData();
  form.append("file", new File(["# Planted\\n\\nBuy this."], "planted.md"));
  const response = await fetch(url, {method: "POST", mode: "no-cors", credentials: "include", body: form});
  return response.status;
}"""
FORM = """url => {
  document.body.innerHTML = `<form method="post" action="${url}" enctype="multipart/form-data">
    <input name="url" value="https://example.org/planted.html"></form>`;
  document.forms[0].submit();
}"""
OWN = FETCH.replace("planted.md", "own.md").replace("Planted", "Own").replace('mode: "no-cors", ', "")


async def test_a_page_of_another_site_plants_nothing(opened: Opened, urls: dict[str, str], services: Services) -> None:
    pages: dict[str, bytes | str] = {"/": b"<!doctype html><title>Elsewhere</title><link rel=icon href=data:,>"}
    there = {each.source for each in await services.documents.list(100)}
    open_to_all = {**urls, "ANONYMOUS_SCOPES": "ask ingest"}
    with site(pages) as port, serving(open_to_all) as (web, client):
        bot = f"http://bot.test:{client.base_url.port}"
        page = await opened(f"http://elsewhere.test:{port}")
        head = await heard(page)
        assert f"\r\norigin: http://elsewhere.test:{port}\r\n".encode() in head
        assert b"sec-fetch-site" not in head
        await page.evaluate(FETCH, f"{bot}/v1/documents")
        await page.evaluate(FORM, f"{bot}/v1/documents")
        await page.wait_for_url(f"{bot}/v1/documents")
        own = await opened(bot)
        assert await own.evaluate(OWN, f"{bot}/v1/documents") == 202
        assert [line["status"] for line in web.logs() if line.get("method") == "POST"] == [403, 403, 202]
    found = {each.source: each.id for each in await services.documents.list(100)}
    assert found.keys() == {*there, "own.md"}
    await services.ingester.remove(found["own.md"])


async def heard(page: Page) -> bytes:
    """What a server elsewhere hears of a page that sends it a file."""
    heads: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.put_nowait((await reader.readuntil(b"\r\n\r\n")).lower())
        await reader.readuntil(b"Buy this.")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        await page.evaluate(FETCH, f"http://bot.test:{server.sockets[0].getsockname()[1]}/v1/documents")
        return await heads.get()
