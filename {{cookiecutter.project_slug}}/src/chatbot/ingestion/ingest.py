"""One document in: read, cut into chunks, embedded, findable. Safe to repeat at any point.

What is new is embedded and upserted first, then PostgreSQL switches to the new chunks and records the content hash in
one transaction, then the vectors of chunks that are gone are deleted. Whatever dies in between leaves a document
that is still found as it was, and that the next attempt finishes.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from chatbot.clients.fetch import Fetcher
from chatbot.domain import (
    WHOLE,
    Chunk,
    Document,
    InvalidConfiguration,
    Language,
    Metadata,
    ParsedDocument,
    Point,
    Reading,
    Scalar,
    UnreadableDocument,
)
from chatbot.ingestion import chunk
from chatbot.ingestion.parsing import parse
from chatbot.ports import Embedder, VectorStore
from chatbot.storage.documents import Documents, document_id, index_name

BATCH = 16
"""Chunks embedded and stored at a time: small enough for progress to move, large enough for a remote API."""

Progress = Callable[[float], Awaitable[None]]
"""Told how much of the work is done, 0 to 1."""
Parse = Callable[[bytes, str], Awaitable[ParsedDocument]]
"""From a file and its name to its text, in bounded time and memory. UnreadableDocument."""

DELETED = "The document was deleted before it was read."


@dataclass(frozen=True, slots=True)
class IngestResult:
    document_id: str
    pages: int
    chunks: int
    new_chunks: int
    reading: Reading = WHOLE


class Ingester:
    """Takes documents in and out of everything that is searched."""

    def __init__(
        self,
        documents: Documents,
        vectors: VectorStore,
        embedder: Embedder,
        chunk_chars: int,
        chunk_overlap: int,
        max_bytes: int,
        parse: Parse,
        fetcher: Fetcher,
    ) -> None:
        self._documents = documents
        self._vectors = vectors
        self._embedder = embedder
        self._chunk_chars = chunk_chars
        self._chunk_overlap = chunk_overlap
        self._max_bytes = max_bytes
        self._parse = parse
        self._fetcher = fetcher

    async def register(
        self, source: str, name: str, content: bytes, metadata: Metadata | None = None
    ) -> tuple[Document, bool]:
        """Keep the original; True when it differs from what is searchable, so that `process` has work to do.

        UnreadableDocument when it is too large or of an unsupported type.
        """
        if len(content) > self._max_bytes:
            raise UnreadableDocument(f"{name} is larger than {self._max_bytes / 1_000_000:g} MB (MAX_DOCUMENT_MB).")
        media_type, digest = await asyncio.to_thread(_inspect, content, name)
        given = _plain(metadata or {})
        known = await self._documents.find(source)
        if known and known.content_hash and given.items() <= dict(known.metadata).items():
            if known.content_hash == digest:
                return known, False
        elif known and known.content_hash:
            # Points carry the metadata for filters: with other metadata each has to be made again.
            await self.remove(known.id)
            known = None
        title = known.title if known else PurePosixPath(name).stem
        language = known.language if known else "en"
        document = await self._documents.register(source, title, media_type, language, given, content)
        return document, True

    async def duplicate(self, source: str, content: bytes) -> Document | None:
        """Another document that can be found and has this very content; None when `source` is to be replaced by it."""
        known = await self._documents.find(source)
        if known and known.chunks:
            return None
        return await self._documents.same_content(await asyncio.to_thread(_digest, content), document_id(source))

    async def announce(self, url: str, metadata: Metadata | None = None) -> Document:
        """Keep a document by its URL, for `fetch`. UnreadableDocument when it is none that would be fetched."""
        source = self._fetcher.check(url)
        return await self._documents.announce(source, _file_name(source), _plain(metadata or {}))

    async def fetch(self, id: str, progress: Progress) -> IngestResult | None:
        """Get what an announced document's URL holds now, and make it findable; None when that can be found already.

        Raises as `process`.
        """
        document = await self._documents.get(id)
        if document is None:
            raise UnreadableDocument(DELETED)
        page = await self._fetcher.fetch(document.source)
        name = _file_name(document.source)
        media_type = await asyncio.to_thread(parse.fetched_type, page.content, page.media_type, name)
        digest = await asyncio.to_thread(_digest, page.content)
        if document.content_hash == digest:
            return None
        twin = None if document.chunks else await self._documents.same_content(digest, id)
        if twin:
            raise UnreadableDocument(f"The URL holds the same as {twin.source}, which can be found already.")
        if not await self._documents.keep(id, media_type, page.content):
            raise UnreadableDocument(DELETED)
        return await self.process(id, progress)

    async def process(self, id: str, progress: Progress) -> IngestResult:
        """Make a registered document findable. UnreadableDocument, Unavailable or InvalidConfiguration otherwise."""
        document, content = await self._documents.get(id), await self._documents.original(id)
        if document is None or content is None:
            raise UnreadableDocument(DELETED)
        parsed = await self._parse(content, _name(document))
        metadata = {**parsed.metadata, **document.metadata}
        described = replace(parsed, metadata=metadata)
        chunks = await asyncio.to_thread(chunk.chunk, id, described, self._chunk_chars, self._chunk_overlap)
        digest = await asyncio.to_thread(_digest, content)
        index = await ensure_index(self._documents, self._vectors, self._embedder)
        # Points carry the metadata for filters, which may have changed: that of the document itself, or a URL's.
        again = parsed.metadata or document.content_hash is None
        known = set() if again else await self._documents.chunk_ids(id)
        new = [each for each in chunks if each.id not in known]
        await self._embed(index, new, parsed, metadata, progress)
        await self._documents.describe(
            id, title=parsed.title, language=parsed.language, metadata=metadata, reading=parsed.reading
        )
        try:
            await self._documents.replace_chunks(id, chunks, digest)
        except UnreadableDocument:  # removed meanwhile
            await self._vectors.delete(index, id)
            raise
        await self._vectors.delete(index, id, keep=[each.id for each in chunks])
        if await self._documents.original(id) != content:  # replaced meanwhile: the last one has to win
            return await self.process(id, progress)
        return IngestResult(id, parsed.pages, len(chunks), len(new), parsed.reading)

    async def remove(self, id: str) -> bool:
        """Take a document out of every search; False when it is not there."""
        active = await self._documents.active_index()
        if active:
            await self._vectors.delete(active.name, id)
        return await self._documents.delete(id)

    async def _embed(
        self, index: str, chunks: Sequence[Chunk], parsed: ParsedDocument, metadata: Metadata, progress: Progress
    ) -> None:
        done = 0
        for batch in batches(chunks):
            texts = [chunk.indexed_text(parsed.title, each) for each in batch]
            vectors = await self._embedder.embed_passages(texts)
            await self._vectors.upsert(index, points(batch, vectors, metadata, parsed.language))
            done += len(batch)
            await progress(done / len(chunks))


async def ensure_index(documents: Documents, vectors: VectorStore, embedder: Embedder) -> str:
    """The name of the active vector index, made on first use.

    InvalidConfiguration when it was built with another model: vectors of two models cannot be compared.
    """
    active = await documents.active_index()
    await learn_dimension(embedder)
    if active is None:
        name = index_name(embedder.model, embedder.dimension)
        await vectors.create(name, embedder.dimension)
        await documents.activate_index(name, embedder.model, embedder.dimension)
        return name
    if (active.model, active.dimension) != (embedder.model, embedder.dimension):
        raise InvalidConfiguration(
            f"The index was built with {active.model} ({active.dimension} dimensions), but EMBEDDINGS_MODEL is "
            f"{embedder.model} ({embedder.dimension}): set it back, or rebuild with `chatbot run index`."
        )
    return active.name


async def learn_dimension(embedder: Embedder) -> None:
    """An API tells the dimension of its model only by embedding something."""
    if not embedder.dimension:
        await embedder.embed_query("dimension")


def points(
    chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], metadata: Metadata, language: Language
) -> list[Point]:
    """The chunks as the vector store keeps them; searches may filter on the document's metadata and language."""
    payload = {**metadata, "language": language}
    return [Point(each.id, each.document_id, v, payload) for each, v in zip(chunks, vectors, strict=True)]


def batches(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    remaining = iter(chunks)
    while batch := list(itertools.islice(remaining, BATCH)):
        yield batch


def _inspect(content: bytes, name: str) -> tuple[str, str]:
    return parse.media_type(content, name), _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _name(document: Document) -> str:
    """A file name that says the type; a source that is a URL need not."""
    name = _file_name(document.source)
    types = parse.MEDIA_TYPES
    if types.get(PurePosixPath(name.lower()).suffix) == document.media_type:
        return name
    return name + next(suffix for suffix, kind in types.items() if kind == document.media_type)


def _file_name(source: str) -> str:
    """The last part of a path, or of a URL's path; a URL without one is called as its host."""
    url = urlsplit(source) if "://" in source else None
    path = unquote(url.path) if url else source
    return PurePosixPath(path).name or (url.netloc if url else source)


def _plain(metadata: Metadata) -> dict[str, Scalar | list[str]]:
    """As JSON gives it back, so that it can be compared with what is stored."""
    return {key: value if isinstance(value, Scalar) else list(value) for key, value in metadata.items()}
