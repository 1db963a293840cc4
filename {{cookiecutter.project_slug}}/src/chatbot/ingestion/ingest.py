"""One document in: accepted, read, cut into chunks, found by its words, then by its meaning. Safe to repeat anywhere.

What is accepted is a version. Reading it makes its chunks findable in one transaction, which no older version gets
through (`read`); then whatever is not embedded is (`VectorIndex.fill`). Whatever dies in between leaves a document that
is found as it was, or by its words, and that the next attempt finishes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from chatbot.clients.fetch import Fetcher
from chatbot.domain import (
    WHOLE,
    Claim,
    Document,
    Job,
    JobRequest,
    Metadata,
    ParsedDocument,
    Reading,
    Scalar,
    Unavailable,
    UnreadableDocument,
)
from chatbot.ingestion import chunk
from chatbot.ingestion.parsing import parse, text
from chatbot.ingestion.vector_index import VectorIndex
from chatbot.storage.documents import Description, Documents, NewVersion, Wanted, digest, document_id

Progress = Callable[[float], Awaitable[None]]
"""Told how much of the work is done, 0 to 1."""
Parse = Callable[[bytes, str], Awaitable[ParsedDocument]]
"""From a file and its name to its text, in bounded time and memory. UnreadableDocument."""

log = logging.getLogger(__name__)

DELETED = "The document was deleted before it was read."


@dataclass(frozen=True, slots=True)
class IngestResult:
    document_id: str
    pages: int
    chunks: int
    new_chunks: int
    reading: Reading = WHOLE


class Ingester:
    """Takes documents in and out of everything that is searched. With a claim, what it writes is fenced by it."""

    def __init__(
        self,
        documents: Documents,
        index: VectorIndex,
        chunk_chars: int,
        chunk_overlap: int,
        max_bytes: int,
        parse: Parse,
        fetcher: Fetcher,
    ) -> None:
        self._documents = documents
        self._index = index
        self._chunk_chars = chunk_chars
        self._chunk_overlap = chunk_overlap
        self._max_bytes = max_bytes
        self._parse = parse
        self._fetcher = fetcher

    async def register(
        self,
        source: str,
        name: str,
        content: bytes,
        metadata: Metadata | None = None,
        request: JobRequest | None = None,
    ) -> tuple[Document, Job | None]:
        """Accept the content, and a job for it with that request; no job when all of it can be found already.

        UnreadableDocument when it is too large or of an unsupported type. AlreadyAccepted: see `Documents.accept`.
        """
        if len(content) > self._max_bytes:
            raise UnreadableDocument(f"{name} is larger than {self._max_bytes / 1_000_000:g} MB (MAX_DOCUMENT_MB).")
        media_type, found = await asyncio.to_thread(_inspect, content, name)
        given = _plain(metadata or {})
        known = await self._documents.find(source)
        same = known is not None and known.accepted_hash == found and given.items() <= dict(known.given).items()
        if known and same and known.state == "complete":
            return known, None
        title = known.title if known else PurePosixPath(name).stem
        language = known.language if known else "en"
        new = NewVersion(title, media_type, dict(known.given) if known and same else given, content, language)
        return await self._documents.accept(source, new, request or JobRequest("ingest"))

    async def duplicate(self, source: str, content: bytes) -> Document | None:
        """Another document that can be found and has this very content; None when `source` is to be replaced by it."""
        known = await self._documents.find(source)
        if known and known.chunks:
            return None
        return await self._documents.same_content(await asyncio.to_thread(digest, content), document_id(source))

    async def announce(
        self, url: str, metadata: Metadata | None = None, request: JobRequest | None = None
    ) -> tuple[Document, Job]:
        """Accept a document by its URL, and a job that fetches it.

        UnreadableDocument when it is none that would be fetched. AlreadyAccepted: see `Documents.accept`.
        """
        source = self._fetcher.check(url)
        new = NewVersion(_file_name(source), "application/octet-stream", _plain(metadata or {}))
        document, job = await self._documents.accept(source, new, request or JobRequest("fetch"))
        assert job
        return document, job

    async def fetch(self, id: str, progress: Progress, claim: Claim | None = None) -> IngestResult | None:
        """Get what an announced document's URL holds now, and make it findable; None when all of that can be found.

        Raises as `process`.
        """
        document = await self._documents.get(id)
        if document is None:
            raise UnreadableDocument(DELETED)
        media_type, content = await self._download(document.source)
        found = await asyncio.to_thread(digest, content)
        if document.accepted_hash == found and document.state == "complete":
            return None
        twin = None if document.chunks else await self._documents.same_content(found, id)
        if twin:
            raise UnreadableDocument(f"The URL holds the same as {twin.source}, which can be found already.")
        if not await self._documents.fetched(id, media_type, content, claim):
            raise UnreadableDocument(DELETED)
        return await self.process(id, progress, claim)

    async def download(self, url: str) -> tuple[str, bytes]:
        """A file name that says the type of what the URL holds now, and its content. Raises as `Fetcher.fetch`."""
        media_type, content = await self._download(url)
        return _typed(_file_name(url), media_type), content

    async def _download(self, url: str) -> tuple[str, bytes]:
        """The media type, and the content: text as UTF-8."""
        page = await self._fetcher.fetch(url)
        media_type = await asyncio.to_thread(parse.fetched_type, page.content, page.media_type, _file_name(url))
        if media_type in parse.NOT_TEXT:
            return media_type, page.content
        return media_type, await asyncio.to_thread(text.unicode, page.content, page.charset)

    async def process(self, id: str, progress: Progress, claim: Claim | None = None) -> IngestResult:
        """Make what was accepted last findable, by words and by meaning.

        UnreadableDocument, Unavailable, InvalidConfiguration, or ClaimLost when the job is another worker's.
        """
        read = await self.read(id, claim)

        async def done(embedded: int) -> None:
            await progress(min(1.0, embedded / max(1, read.chunks)))

        new = await self._index.fill(id, claim, done)
        await self._collect()
        return replace(read, new_chunks=new)

    async def read(self, id: str, claim: Claim | None = None) -> IngestResult:
        """Make what was accepted last findable by its words, the first of two steps. Raises as `process`."""
        pages, reading = await self._read(id, claim)
        return IngestResult(id, pages, len(await self._documents.chunk_ids(id)), 0, reading)

    async def _read(self, id: str, claim: Claim | None) -> tuple[int, Reading]:
        """How many pages were read, and how much of them was kept."""
        while True:
            document, wanted = await self._documents.get(id), await self._documents.wanted(id)
            if document is None or wanted is None:
                raise UnreadableDocument(DELETED)
            if document.up_to_date and document.version == wanted.version:
                return 0, document.reading
            parsed = await self._parse(wanted.content, _name(wanted))
            described = replace(parsed, metadata={**parsed.metadata, **wanted.metadata})
            chunks = await asyncio.to_thread(chunk.chunk, id, described, self._chunk_chars, self._chunk_overlap)
            description = Description(parsed.title, parsed.language, described.metadata, parsed.reading)
            if await self._documents.switch(wanted, chunks, description, claim):
                return parsed.pages, parsed.reading
            # Another version was accepted while this one was being read.

    async def remove(self, id: str) -> bool:
        """Take a document out of every search; False when it is not there."""
        removed = await self._documents.delete(id)
        await self._collect()
        return removed

    async def _collect(self) -> None:
        """Remove points that nothing leads to; while the store is down they stay, and whoever comes next does it."""
        try:
            await self._index.collect()
        except Unavailable as error:
            log.warning("points are left to be removed", extra={"problem": str(error)})


def _inspect(content: bytes, name: str) -> tuple[str, str]:
    return parse.media_type(content, name), digest(content)


def _name(wanted: Wanted) -> str:
    """A file name that says the type; a source that is a URL need not."""
    return _typed(_file_name(wanted.source), wanted.media_type)


def _typed(name: str, media_type: str) -> str:
    types = parse.MEDIA_TYPES
    if types.get(PurePosixPath(name.lower()).suffix) == media_type:
        return name
    return name + next(suffix for suffix, kind in types.items() if kind == media_type)


def _file_name(source: str) -> str:
    """The last part of a path, or of a URL's path; a URL without one is called as its host."""
    url = urlsplit(source) if "://" in source else None
    path = unquote(url.path) if url else source
    return PurePosixPath(path).name or (url.netloc if url else source)


def _plain(metadata: Metadata) -> dict[str, Scalar | list[str]]:
    """As JSON gives it back, so that it can be compared with what is stored."""
    return {key: value if isinstance(value, Scalar) else list(value) for key, value in metadata.items()}
