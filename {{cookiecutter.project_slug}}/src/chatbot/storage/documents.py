"""Documents, their originals, chunks and postings in PostgreSQL, and which vector index is searched.

    document = await documents.register("docs/start.md", "Start", "text/markdown", "en", {}, content)
    await documents.replace_chunks(document.id, chunks, content_hash)
    passages = await documents.passages(hits)

The content hash of a document is set in the transaction that makes its chunks findable, and never before.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from chatbot.domain import WHOLE, Chunk, Document, Hit, Language, Metadata, Passage, Reading, UnreadableDocument
from chatbot.storage.database import Database
from chatbot.text.analysis import terms

DOCUMENTS = """
SELECT documents.*, (SELECT count(*) FROM chunks WHERE document_id = documents.id) AS chunks FROM documents
"""
REGISTER = """
INSERT INTO documents (id, source, title, media_type, language, metadata)
VALUES (%(id)s, %(source)s, %(title)s, %(media_type)s, %(language)s, %(metadata)s)
ON CONFLICT (id) DO UPDATE SET title = excluded.title, media_type = excluded.media_type, language = excluded.language,
    metadata = excluded.metadata, updated_at = now()
"""
ANNOUNCE = """
INSERT INTO documents (id, source, title, media_type, language, metadata)
VALUES (%(id)s, %(source)s, %(title)s, 'application/octet-stream', 'en', %(metadata)s)
ON CONFLICT (id) DO UPDATE SET updated_at = now(), metadata = documents.metadata || excluded.metadata,
    content_hash = CASE WHEN documents.metadata @> excluded.metadata THEN documents.content_hash END
"""
FOUND = "UPDATE documents SET media_type = %(media_type)s, updated_at = now() WHERE id = %(id)s RETURNING id"
SAME_CONTENT = f"{DOCUMENTS} WHERE content_hash = %(digest)s AND id <> %(id)s ORDER BY created_at, id LIMIT 1"
KEEP_ORIGINAL = """
INSERT INTO originals (document_id, content) VALUES (%(id)s, %(content)s)
ON CONFLICT (document_id) DO UPDATE SET content = excluded.content
"""
DESCRIBE = """
UPDATE documents SET title = %(title)s, language = %(language)s, metadata = %(metadata)s, reading = %(reading)s,
    updated_at = now() WHERE id = %(id)s
"""
WRITE_CHUNK = """
INSERT INTO chunks (id, document_id, position, text, heading, page, language, page_breaks, length)
VALUES (%(id)s, %(document_id)s, %(position)s, %(text)s, %(heading)s, %(page)s, %(language)s, %(page_breaks)s,
    %(length)s)
ON CONFLICT (id) DO UPDATE SET position = excluded.position, language = excluded.language, length = excluded.length,
    page_breaks = excluded.page_breaks
"""
WRITE_POSTINGS = """
INSERT INTO postings (term, chunk_key, frequency, length)
SELECT * FROM unnest(%(terms)s::text[], %(keys)s::bigint[], %(frequencies)s::smallint[], %(lengths)s::int[])
"""
CHUNKS = """
SELECT * FROM chunks WHERE document_id = %(id)s AND position >= %(start)s ORDER BY position LIMIT %(limit)s
"""
PASSAGES = """
SELECT chunks.*, documents.title, documents.source, documents.metadata
FROM chunks JOIN documents ON documents.id = document_id WHERE chunks.id = ANY(%(ids)s)
"""
OPENINGS = """
SELECT chunks.*, documents.title, documents.source, documents.metadata
FROM chunks JOIN documents ON documents.id = document_id
WHERE document_id = ANY(%(ids)s) AND position = 0 ORDER BY array_position(%(ids)s::text[], document_id)
"""
ACTIVATE = """
INSERT INTO indexes (name, model, dimension, active) VALUES (%(name)s, %(model)s, %(dimension)s, true)
ON CONFLICT (name) DO UPDATE SET model = excluded.model, dimension = excluded.dimension, active = true
"""


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """A vector index and the model whose vectors it holds; searches use the active one."""

    name: str
    model: str
    dimension: int
    active: bool


def document_id(source: str) -> str:
    """The same source is the same document: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def index_name(model: str, dimension: int) -> str:
    """A name that every vector database takes: [a-z0-9_-], 3 to 50 characters, e.g. multilingual-e5-small_384."""
    suffix = f"_{dimension}"
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-") or "model"
    return plain[: 50 - len(suffix)] + suffix


class Documents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(
        self, source: str, title: str, media_type: str, language: Language, metadata: Metadata, content: bytes
    ) -> Document:
        """Keep the document and its original; what can be found of it stays as it was until `replace_chunks`."""
        id = document_id(source)
        described = {"title": title, "media_type": media_type, "language": language, "metadata": Jsonb(dict(metadata))}
        async with self._database.transaction() as connection:
            await connection.execute(REGISTER, {"id": id, "source": source, **described})
            await connection.execute(KEEP_ORIGINAL, {"id": id, "content": content})
            row = await (await connection.execute(f"{DOCUMENTS} WHERE id = %(id)s", {"id": id})).fetchone()
            assert row
            return _document(row)

    async def announce(self, source: str, title: str, metadata: Metadata) -> Document:
        """Keep a document whose content is still to be fetched; what can be found of it stays until then.

        With other metadata than before its content hash is taken away, so that all of it is made again.
        """
        values = {"id": document_id(source), "source": source, "title": title, "metadata": Jsonb(dict(metadata))}
        await self._database.rows(ANNOUNCE, values)
        document = await self.find(source)
        assert document
        return document

    async def keep(self, id: str, media_type: str, content: bytes) -> bool:
        """Keep what was fetched for an announced document; False when it was removed meanwhile."""
        async with self._database.transaction() as connection:
            found = await connection.execute(FOUND, {"id": id, "media_type": media_type})
            if await found.fetchone() is None:
                return False
            await connection.execute(KEEP_ORIGINAL, {"id": id, "content": content})
            return True

    async def same_content(self, digest: str, id: str) -> Document | None:
        """Another document than `id` that can be found and has this content; the oldest."""
        row = await self._database.row(SAME_CONTENT, {"digest": digest, "id": id})
        return None if row is None else _document(row)

    async def get(self, id: str) -> Document | None:
        row = await self._database.row(f"{DOCUMENTS} WHERE id = %(id)s", {"id": id})
        return None if row is None else _document(row)

    async def find(self, source: str) -> Document | None:
        row = await self._database.row(f"{DOCUMENTS} WHERE source = %(source)s", {"source": source})
        return None if row is None else _document(row)

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        """Up to `limit` documents in the order of their ids, from the one that follows `after`."""
        page = f"{DOCUMENTS} WHERE id > %(after)s ORDER BY id LIMIT %(limit)s"
        return [_document(row) for row in await self._database.rows(page, {"after": after or "", "limit": limit})]

    async def original(self, id: str) -> bytes | None:
        row = await self._database.row("SELECT content FROM originals WHERE document_id = %(id)s", {"id": id})
        return None if row is None else row["content"]

    async def describe(
        self, id: str, *, title: str, language: Language, metadata: Metadata, reading: Reading = WHOLE
    ) -> None:
        """Record what parsing found out."""
        values = {"id": id, "title": title, "language": language, "metadata": Jsonb(dict(metadata))}
        values["reading"] = Jsonb(asdict(reading))
        await self._database.rows(DESCRIBE, values)

    async def chunk_ids(self, id: str) -> set[str]:
        rows = await self._database.rows("SELECT id FROM chunks WHERE document_id = %(id)s", {"id": id})
        return {row["id"] for row in rows}

    async def chunks(self, id: str, start: int = 0, limit: int | None = None) -> Sequence[Chunk]:
        """The document's chunks in reading order, from that position on; so many, or all."""
        rows = await self._database.rows(CHUNKS, {"id": id, "start": start, "limit": limit})
        return [_chunk(row) for row in rows]

    async def position(self, id: str, chunk_id: str) -> int | None:
        """Where in the document the chunk stands; None when it is gone."""
        wanted = "SELECT position FROM chunks WHERE id = %(chunk_id)s AND document_id = %(id)s"
        row = await self._database.row(wanted, {"chunk_id": chunk_id, "id": id})
        return None if row is None else row["position"]

    async def replace_chunks(self, id: str, chunks: Sequence[Chunk], content_hash: str) -> None:
        """Make exactly these chunks findable, in one transaction, then vouch for it with `content_hash`.

        Repeating it changes nothing. UnreadableDocument when the document was removed meanwhile.
        """
        async with self._database.transaction() as connection:
            locked = await connection.execute("SELECT title FROM documents WHERE id = %s FOR UPDATE", [id])
            document = await locked.fetchone()
            if document is None:
                raise UnreadableDocument("The document was removed while it was being read.")
            counts = await asyncio.to_thread(_counts, document["title"], chunks)
            await connection.execute(
                "DELETE FROM chunks WHERE document_id = %s AND id <> ALL(%s)", [id, [chunk.id for chunk in chunks]]
            )
            if chunks:
                await _write_postings(connection, await _write_chunks(connection, chunks, counts), counts)
            await connection.execute(
                "UPDATE documents SET content_hash = %s, updated_at = now() WHERE id = %s", [content_hash, id]
            )

    async def delete(self, id: str) -> bool:
        """Remove the document with all that was made of it; False when it was not there."""
        return bool(await self._database.rows("DELETE FROM documents WHERE id = %(id)s RETURNING id", {"id": id}))

    async def passages(self, hits: Sequence[Hit]) -> Sequence[Passage]:
        """The hits with all that a citation needs, in their order, without those whose chunk is gone."""
        found = await self._database.rows(PASSAGES, {"ids": [hit.chunk_id for hit in hits]})
        rows = {row["id"]: row for row in found}
        return [_passage(rows[hit.chunk_id], hit.score) for hit in hits if hit.chunk_id in rows]

    async def openings(self, document_ids: Sequence[str]) -> Sequence[Passage]:
        """The first passage of each of the documents, in their order; its score is 0."""
        rows = await self._database.rows(OPENINGS, {"ids": [*document_ids]})
        return [_passage(row, 0) for row in rows]

    async def count(self) -> tuple[int, int]:
        """How many documents, how many chunks."""
        totals = "SELECT (SELECT count(*) FROM documents) AS documents, (SELECT count(*) FROM chunks) AS chunks"
        row = await self._database.row(totals)
        assert row
        return row["documents"], row["chunks"]

    async def indexes(self) -> Sequence[IndexRecord]:
        rows = await self._database.rows("SELECT name, model, dimension, active FROM indexes ORDER BY name")
        return [IndexRecord(**row) for row in rows]

    async def active_index(self) -> IndexRecord | None:
        return next((index for index in await self.indexes() if index.active), None)

    async def activate_index(self, name: str, model: str, dimension: int) -> None:
        """Search this index from now on, and no other."""
        async with self._database.transaction() as connection:
            # Two first uses at once would otherwise meet on the unique index over the active row.
            await connection.execute("LOCK TABLE indexes IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute("UPDATE indexes SET active = false WHERE name <> %s", [name])
            await connection.execute(ACTIVATE, {"name": name, "model": model, "dimension": dimension})


def _document(row: Mapping[str, Any]) -> Document:
    return Document(**{**row, "reading": Reading(**row["reading"])})


def _chunk(row: Mapping[str, Any]) -> Chunk:
    return Chunk(**{**{name: row[name] for name in Chunk.__slots__}, "page_breaks": tuple(row["page_breaks"])})


def _passage(row: Mapping[str, Any], score: float) -> Passage:
    return Passage(_chunk(row), row["title"], row["source"], score, metadata=row["metadata"])


def _counts(title: str, chunks: Sequence[Chunk]) -> list[Counter[str]]:
    """How often each chunk holds each term; the title counts, once, wherever the heading does not repeat it."""
    counts = []
    for chunk in chunks:
        above = chunk.heading if title in chunk.heading else f"{title}\n{chunk.heading}"
        counts.append(Counter(terms(f"{above}\n{chunk.text}", chunk.language)))
    return counts


async def _write_chunks(
    connection: AsyncConnection[Any], chunks: Sequence[Chunk], counts: Sequence[Counter[str]]
) -> list[int]:
    """Insert or update the rows; their keys, in the order of `chunks`."""
    rows = [
        {
            **{name: getattr(chunk, name) for name in Chunk.__slots__},
            "page_breaks": [*chunk.page_breaks],
            "length": count.total(),
        }
        for chunk, count in zip(chunks, counts, strict=True)
    ]
    await connection.cursor().executemany(WRITE_CHUNK, rows)
    stored = await connection.execute("SELECT id, key FROM chunks WHERE document_id = %s", [chunks[0].document_id])
    keys = {row["id"]: row["key"] for row in await stored.fetchall()}
    return [keys[chunk.id] for chunk in chunks]


async def _write_postings(connection: AsyncConnection[Any], keys: list[int], counts: Sequence[Counter[str]]) -> None:
    """Write the postings anew, those of kept chunks too: their title or language may be another one."""
    await connection.execute("DELETE FROM postings WHERE chunk_key = ANY(%s)", [keys])
    rows = [
        (term, key, min(frequency, 32_767), count.total())
        for key, count in zip(keys, counts, strict=True)
        for term, frequency in count.items()
    ]
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    names = ("terms", "keys", "frequencies", "lengths")
    await connection.execute(WRITE_POSTINGS, dict(zip(names, map(list, columns), strict=True)))
