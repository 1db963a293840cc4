"""Pages of the web as an archive: what a sitemap lists (https://www.sitemaps.org), or a file with one URL a line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
from lxml import etree

from chatbot.domain import ChatbotError, Unavailable
from chatbot.ingestion.records import Record

TIMEOUT = 30
"""Seconds."""
MOST_SITEMAPS = 1000
"""Of an index of sitemaps: each may list 50,000 pages."""


class Sitemap:
    """See `records.Source`. Sitemaps that list sitemaps are followed."""

    def __init__(self, url: str, collection: str) -> None:
        self._url, self._collection = url, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        for url, modified in (await self._pages()).items():
            if modified >= since or not modified:
                yield _record(url, self._collection, modified)

    async def present(self) -> set[str]:
        return {*await self._pages()}

    async def _pages(self) -> dict[str, str]:
        """By URL, when the page was changed last; "" when the sitemap does not say."""
        pages: dict[str, str] = {}
        waiting, seen = [self._url], {self._url}
        async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as client:
            while waiting and len(seen) <= MOST_SITEMAPS:
                tree = await self._tree(client, waiting.pop())
                entries = {_text(entry, "loc"): _text(entry, "lastmod") for entry in tree}
                entries.pop("", None)
                if etree.QName(tree).localname == "sitemapindex":
                    waiting += [url for url in entries if url not in seen]
                    seen |= {*entries}
                else:
                    pages |= entries
        return pages

    async def _tree(self, client: httpx2.AsyncClient, url: str) -> etree._Element:
        try:
            response = (await client.get(url)).raise_for_status()
            return etree.fromstring(response.content, etree.XMLParser(resolve_entities=False, no_network=True))
        except (httpx2.HTTPError, etree.XMLSyntaxError):
            raise Unavailable(f"The sitemap {url}", "it gave no list of pages; check its URL.") from None


class UrlList:
    """See `records.Source`. Empty lines, and those that begin with #, are left out."""

    def __init__(self, path: Path, collection: str) -> None:
        self._path, self._collection = path, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        for url in await self._urls():
            yield _record(url, self._collection, "")

    async def present(self) -> set[str]:
        return {*await self._urls()}

    async def _urls(self) -> list[str]:
        try:
            text = await asyncio.to_thread(self._path.read_text, "utf-8")
        except (OSError, UnicodeDecodeError):
            raise ChatbotError(f"{self._path}: no such file with one URL a line.") from None
        return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _record(url: str, collection: str, modified: str) -> Record:
    """Without text of its own: the page is all there is. A new date makes it be fetched again."""
    return Record(url, url, "", {"collection": collection}, modified=modified, file=url)


def _text(entry: etree._Element, name: str) -> str:
    found = next((each for each in entry if etree.QName(each).localname == name), None)
    return (found.text or "").strip() if found is not None else ""
