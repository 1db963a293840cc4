"""Pages of the web as an archive: what a sitemap lists (https://www.sitemaps.org), or a file with one URL a line."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from lxml import etree

from chatbot.clients.fetch import Fetcher
from chatbot.domain import ChatbotError, Unavailable, UnreadableDocument
from chatbot.ingestion.records import Item, Record

MOST_SITEMAPS = 1000
"""Of an index of sitemaps: each may list 50,000 pages."""
LARGEST = 50 * 1024 * 1024
"""Bytes of a sitemap, unpacked: the protocol's own limit."""
GZIP = b"\x1f\x8b"
Download = Callable[[str], Awaitable[tuple[str, bytes]]]
"""What a URL holds, and a file name that says its type. See `Ingester.download`."""


class Pages:
    """URLs with the times of their last changes, "" where nobody says; see `records.Source`."""

    def __init__(self, fetcher: Fetcher, download: Download, collection: str) -> None:
        self._fetcher, self._download, self._collection = fetcher, download, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        for url, modified in (await self._pages()).items():
            source = self._normal(url)
            yield Record(source, source, "", {"collection": self._collection}, modified=modified)

    async def present(self) -> None:
        return None

    async def item(self, record: Record) -> Item:
        try:
            name, content = await self._download(record.source)
        except Unavailable as error:  # one page's server that is down holds up no other page
            raise UnreadableDocument(str(error)) from None
        return Item(record.source, name, lambda: content, record.metadata)

    async def _pages(self) -> dict[str, str]:
        raise NotImplementedError

    def _normal(self, url: str) -> str:
        """As it is called when it is ingested by itself. What is no URL stays: its turn comes to say why."""
        try:
            return self._fetcher.check(url)
        except UnreadableDocument:
            return url


class Sitemap(Pages):
    """Sitemaps that list sitemaps are followed, packed ones are unpacked."""

    def __init__(self, url: str, fetcher: Fetcher, download: Download, collection: str) -> None:
        super().__init__(fetcher, download, collection)
        self._url = url

    async def _pages(self) -> dict[str, str]:
        pages: dict[str, str] = {}
        waiting, seen = [self._url], {self._url}
        while waiting and len(seen) <= MOST_SITEMAPS:
            tree = await self._tree(waiting.pop())
            entries = {_text(entry, "loc"): _text(entry, "lastmod") for entry in tree.iterchildren("{*}*")}
            entries.pop("", None)
            if etree.QName(tree).localname == "sitemapindex":
                waiting += [url for url in entries if url not in seen]
                seen |= {*entries}
            else:
                pages |= entries
        return pages

    async def _tree(self, url: str) -> etree._Element:
        try:
            content = (await self._fetcher.fetch(url)).content
            if content.startswith(GZIP):
                content = await asyncio.to_thread(_unpacked, content)
            return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        except (etree.XMLSyntaxError, zlib.error):
            raise Unavailable(f"The sitemap {url}", "it gave no list of pages; check its URL.") from None
        except UnreadableDocument as error:
            raise ChatbotError(f"The sitemap {url} cannot be read: {error}") from None


class UrlList(Pages):
    """Empty lines, and those that begin with #, are left out."""

    def __init__(self, path: Path, fetcher: Fetcher, download: Download, collection: str) -> None:
        super().__init__(fetcher, download, collection)
        self._path = path

    async def _pages(self) -> dict[str, str]:
        try:
            text = await asyncio.to_thread(self._path.read_text, "utf-8")
        except (OSError, UnicodeDecodeError):
            raise ChatbotError(f"{self._path}: no such file with one URL a line.") from None
        lines = [line.strip() for line in text.splitlines()]
        return {line: "" for line in lines if line and not line.startswith("#")}


def _unpacked(content: bytes) -> bytes:
    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, LARGEST)


def _text(entry: etree._Element, name: str) -> str:
    found = entry.find(f"{{*}}{name}")
    return (found.text or "").strip() if found is not None else ""
