"""Documents in PostgreSQL: what was accepted of each, and the chunks that can be found.

    document, job = await documents.accept("docs/start.md", new, JobRequest("ingest"))
    wanted = await documents.wanted(document.id)
    await documents.switch(wanted, chunks, description, claim)
    passages = await documents.passages(hits)

Each acceptance makes a version. What can be found goes from one version to the next in one transaction, which is
refused once a newer one was accepted: the former version is found until then, and an older one never comes back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from chatbot.domain import (
    WHOLE,
    Chunk,
    Claim,
    Document,
    Hit,
    Job,
    JobRequest,
    Language,
    Metadata,
    Outline,
    Passage,
    Reading,
    UnreadableDocument,
)
from chatbot.storage import bm25, jobs
from chatbot.storage.database import Database

DOCUMENTS = """
SELECT documents.id, source, title, documents.media_type, language, documents.metadata, content_hash, created_at,
    updated_at, coalesce(reading, '{}') AS reading, coalesce(accepted, 0) AS version, digest AS accepted_hash,
    coalesce(versions.metadata, documents.metadata) AS given,
    coalesce(current = accepted AND content_hash = digest, false) AS up_to_date,
    (SELECT count(*) FROM chunks WHERE chunks.document_id = documents.id) AS chunks,
    (SELECT count(*) FROM chunks JOIN embeddings ON chunk_key = chunks.key JOIN indexes ON name = index_name
        WHERE chunks.document_id = documents.id AND stored_at IS NOT NULL AND active
            AND version >= coalesce(described, 0)) AS embedded
FROM documents LEFT JOIN document_versions AS versions ON versions.document_id = documents.id
LEFT JOIN readings ON readings.document_id = documents.id
"""
REGISTER = """
INSERT INTO documents (id, source, title, media_type, language, metadata)
VALUES (%(id)s, %(source)s, %(title)s, %(media_type)s, %(language)s, %(metadata)s)
ON CONFLICT (id) DO UPDATE SET updated_at = now()
"""
# What the former release left has no row here, and the description that it gave. Locked: a document that is being
# deleted is none, rather than one that its version refers to in vain.
ADOPT = """
INSERT INTO document_versions (document_id, media_type, metadata)
SELECT id, media_type, metadata FROM documents WHERE id = %(id)s FOR KEY SHARE ON CONFLICT DO NOTHING
"""
NEW_VERSION = """
INSERT INTO document_versions (document_id, media_type, digest, metadata)
VALUES (%(id)s, %(media_type)s, %(digest)s, %(metadata)s)
ON CONFLICT (document_id) DO UPDATE SET accepted = nextval('versions'), media_type = excluded.media_type,
    digest = excluded.digest, metadata = excluded.metadata
"""
ANNOUNCE = """
INSERT INTO document_versions AS known (document_id, media_type, metadata)
VALUES (%(id)s, %(media_type)s, %(metadata)s)
ON CONFLICT (document_id) DO UPDATE SET metadata = known.metadata || excluded.metadata,
    accepted = CASE WHEN known.metadata @> excluded.metadata THEN known.accepted ELSE nextval('versions') END
"""
FETCHED = """
UPDATE document_versions SET media_type = %(media_type)s, digest = %(digest)s,
    accepted = CASE WHEN digest = %(digest)s AND media_type = %(media_type)s THEN accepted ELSE nextval('versions') END
WHERE document_id = %(id)s
"""
SAME_CONTENT = f"{DOCUMENTS} WHERE content_hash = %(digest)s AND documents.id <> %(id)s ORDER BY created_at, id LIMIT 1"
KEEP_ORIGINAL = """
INSERT INTO originals (document_id, content) VALUES (%(id)s, %(content)s)
ON CONFLICT (document_id) DO UPDATE SET content = excluded.content
"""
WANTED = """
SELECT documents.id, source, accepted AS version, versions.media_type, versions.metadata, content
FROM documents JOIN document_versions AS versions ON versions.document_id = documents.id
JOIN originals ON originals.document_id = documents.id WHERE documents.id = %(id)s
"""
LOCK = "SELECT FROM documents WHERE id = %s FOR UPDATE"
ACCEPTED = "SELECT accepted FROM document_versions WHERE document_id = %s"
# Points carry metadata and language for filters: with others, each chunk is to be embedded again.
CURRENT = """
UPDATE document_versions SET current = accepted, digest = %(digest)s, described = (
    SELECT CASE WHEN metadata = %(metadata)s AND language = %(language)s THEN described ELSE accepted END
    FROM documents WHERE id = document_id
) WHERE document_id = %(id)s
"""
READ = """
INSERT INTO readings (document_id, reading) VALUES (%(id)s, %(reading)s)
ON CONFLICT (document_id) DO UPDATE SET reading = excluded.reading
"""
DESCRIBE = """
UPDATE documents SET title = %(title)s, media_type = %(media_type)s, language = %(language)s, metadata = %(metadata)s,
    content_hash = %(digest)s, updated_at = now() WHERE id = %(id)s
"""
WRITE_CHUNK = """
INSERT INTO chunks (id, document_id, position, text, heading, page, language, page_breaks, length)
VALUES (%(id)s, %(document_id)s, %(position)s, %(text)s, %(heading)s, %(page)s, %(language)s, %(page_breaks)s,
    %(length)s)
ON CONFLICT (id) DO UPDATE SET position = excluded.position, language = excluded.language, length = excluded.length,
    page_breaks = excluded.page_breaks
"""
CHUNKS = """
SELECT * FROM chunks WHERE document_id = %(id)s AND position >= %(start)s ORDER BY position LIMIT %(limit)s
"""
PASSAGES = """
SELECT chunks.*, documents.title, documents.source, documents.metadata
FROM chunks JOIN documents ON documents.id = document_id WHERE chunks.id = ANY(%(ids)s)
"""
# Those whose job will be tried again by a person only (failed, dead since it was accepted) are not among them.
UNATTENDED = """
SELECT id, EXISTS (SELECT FROM originals WHERE document_id = documents.id) AS kept
FROM documents LEFT JOIN document_versions AS versions ON versions.document_id = documents.id
WHERE (current = accepted AND content_hash = digest) IS NOT TRUE AND NOT EXISTS (
    SELECT FROM jobs WHERE jobs.document_id = documents.id AND (
        state IN ('pending', 'queued', 'running')
        OR state IN ('failed', 'dead') AND jobs.updated_at >= documents.updated_at
    )
) ORDER BY id
"""
OPENINGS = """
SELECT chunks.*, documents.title, documents.source, documents.metadata
FROM chunks JOIN documents ON documents.id = document_id
WHERE document_id = ANY(%(ids)s) AND position = 0 ORDER BY array_position(%(ids)s::text[], document_id)
"""

LATEST = """
SELECT title, language, metadata, ARRAY(
    SELECT heading FROM chunks WHERE document_id = documents.id AND heading <> '' GROUP BY heading
    ORDER BY min(position) LIMIT %(headings)s
) AS headings
FROM documents WHERE content_hash IS NOT NULL AND EXISTS (SELECT FROM chunks WHERE document_id = documents.id)
ORDER BY updated_at DESC, id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is to be found of a document from its next version on; without content, its URL is still to be fetched."""

    title: str
    """Until the parser knows better."""
    media_type: str
    metadata: Metadata
    content: bytes | None = None
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version accepted last."""

    id: str
    source: str
    version: int
    media_type: str
    metadata: Metadata
    content: bytes


@dataclass(frozen=True, slots=True)
class Description:
    """What parsing found out of a version."""

    title: str
    language: Language
    metadata: Metadata
    reading: Reading = WHOLE


def document_id(source: str) -> str:
    """The same source is the same document: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Documents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, source: str, new: NewVersion, request: JobRequest | None) -> tuple[Document, Job | None]:
        """Keep what is offered as the document's next version, and a job for it, in one transaction.

        What can be found of the document stays as it is. AlreadyAccepted, and nothing is kept, when there is a job of
        the request's idempotency key.
        """
        id, plain = document_id(source), Jsonb(dict(new.metadata))
        found = None if new.content is None else await asyncio.to_thread(digest, new.content)
        values: dict[str, Any] = {"id": id, "source": source, "title": new.title, "media_type": new.media_type}
        values |= {"language": new.language, "metadata": plain, "digest": found, "content": new.content}
        async with self._database.transaction() as connection:
            await connection.execute(REGISTER, values)
            if new.content is None:
                await connection.execute(ADOPT, values)
                await connection.execute(ANNOUNCE, values)
            else:
                await connection.execute(NEW_VERSION, values)
                await connection.execute(KEEP_ORIGINAL, values)
            job = await jobs.insert(connection, request, id) if request else None
            if request and job is None:
                raise AlreadyAccepted
            row = await (await connection.execute(f"{DOCUMENTS} WHERE documents.id = %(id)s", values)).fetchone()
            assert row
            return document_of(row), job

    async def fetched(self, id: str, media_type: str, content: bytes, claim: Claim | None = None) -> bool:
        """Keep what was fetched for an announced document; False when it was removed meanwhile. ClaimLost."""
        values = {"id": id, "media_type": media_type, "digest": await asyncio.to_thread(digest, content)}
        async with self._database.transaction() as connection:
            await jobs.require(connection, claim)
            if await (await connection.execute(LOCK, [id])).fetchone() is None:
                return False
            await connection.execute(ADOPT, values)
            await connection.execute(FETCHED, values)
            await connection.execute(KEEP_ORIGINAL, {"id": id, "content": content})
            return True

    async def wanted(self, id: str) -> Wanted | None:
        """The version accepted last; None when there is no such document, or its content is still to be fetched."""
        async with self._database.transaction() as connection:
            await connection.execute(ADOPT, {"id": id})
            row = await (await connection.execute(WANTED, {"id": id})).fetchone()
        return None if row is None else Wanted(**row)

    async def switch(
        self, wanted: Wanted, chunks: Sequence[Chunk], description: Description, claim: Claim | None = None
    ) -> bool:
        """Make exactly these chunks of that version findable by their words, in one transaction.

        False, and nothing is changed, when a newer version was accepted meanwhile. Repeating it changes nothing.
        UnreadableDocument when the document was removed meanwhile, ClaimLost when the job is another's.
        """
        id = wanted.id
        counts = await asyncio.to_thread(bm25.counted, description.title, chunks)
        described = {"title": description.title, "language": description.language, "media_type": wanted.media_type}
        values = {
            "id": id,
            "metadata": Jsonb(dict(description.metadata)),
            "reading": Jsonb(asdict(description.reading)),
            "digest": digest(wanted.content),
        }
        async with self._database.transaction() as connection:
            await jobs.require(connection, claim)
            if await (await connection.execute(LOCK, [id])).fetchone() is None:
                raise UnreadableDocument("The document was removed while it was being read.")
            accepted = await (await connection.execute(ACCEPTED, [id])).fetchone()
            if accepted is None or accepted["accepted"] != wanted.version:
                return False
            await connection.execute(CURRENT, values | described)
            await connection.execute(DESCRIBE, values | described)
            await connection.execute(READ, values)
            await connection.execute(
                "DELETE FROM chunks WHERE document_id = %s AND id <> ALL(%s)", [id, [chunk.id for chunk in chunks]]
            )
            if chunks:
                await bm25.write_postings(connection, await _write_chunks(connection, chunks, counts), counts)
            return True

    async def same_content(self, digest: str, id: str) -> Document | None:
        """Another document than `id` that can be found and has this content; the oldest."""
        row = await self._database.row(SAME_CONTENT, {"digest": digest, "id": id})
        return None if row is None else document_of(row)

    async def get(self, id: str) -> Document | None:
        row = await self._database.row(f"{DOCUMENTS} WHERE documents.id = %(id)s", {"id": id})
        return None if row is None else document_of(row)

    async def find(self, source: str) -> Document | None:
        return await self.get(document_id(source))

    async def list(self, limit: int, after: str | None = None) -> list[Document]:
        """Up to `limit` documents in the order of their ids, from the one that follows `after`."""
        page = f"{DOCUMENTS} WHERE documents.id > %(after)s ORDER BY documents.id LIMIT %(limit)s"
        return [document_of(row) for row in await self._database.rows(page, {"after": after or "", "limit": limit})]

    async def original(self, id: str) -> bytes | None:
        row = await self._database.row("SELECT content FROM originals WHERE document_id = %(id)s", {"id": id})
        return None if row is None else row["content"]

    async def unattended(self) -> Sequence[tuple[str, bool]]:
        """Documents whose version accepted last cannot be found, though no job is there to change that.

        Their ids, and whether their content was kept: what was not is to be fetched.
        """
        return [(row["id"], row["kept"]) for row in await self._database.rows(UNATTENDED)]

    async def chunk_ids(self, id: str) -> set[str]:
        rows = await self._database.rows("SELECT id FROM chunks WHERE document_id = %(id)s", {"id": id})
        return {row["id"] for row in rows}

    async def chunks(self, id: str, start: int = 0, limit: int | None = None) -> Sequence[Chunk]:
        """The document's chunks in reading order, from that position on; so many, or all."""
        rows = await self._database.rows(CHUNKS, {"id": id, "start": start, "limit": limit})
        return [chunk_of(row) for row in rows]

    async def position(self, id: str, chunk_id: str) -> int | None:
        """Where in the document the chunk stands; None when it is gone."""
        wanted = "SELECT position FROM chunks WHERE id = %(chunk_id)s AND document_id = %(id)s"
        row = await self._database.row(wanted, {"chunk_id": chunk_id, "id": id})
        return None if row is None else row["position"]

    async def delete(self, id: str) -> bool:
        """Remove the document with all that was made of it; False when it was not there.

        Its points are not found any more, and left for the vector store to remove (embeddings.py).
        """
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

    async def latest(self, limit: int, headings: int) -> Sequence[Outline]:
        """The documents added or changed last, each with up to so many headings."""
        rows = await self._database.rows(LATEST, {"limit": limit, "headings": headings})
        return [Outline(**row) for row in rows]

    async def count(self) -> tuple[int, int]:
        """How many documents, how many chunks."""
        totals = "SELECT (SELECT count(*) FROM documents) AS documents, (SELECT count(*) FROM chunks) AS chunks"
        row = await self._database.row(totals)
        assert row
        return row["documents"], row["chunks"]


class AlreadyAccepted(Exception):
    """There is a job of this idempotency key."""


def document_of(row: Mapping[str, Any]) -> Document:
    return Document(**{**row, "reading": Reading.of(row["reading"])})


def chunk_of(row: Mapping[str, Any]) -> Chunk:
    return Chunk(**{**{name: row[name] for name in Chunk.__slots__}, "page_breaks": tuple(row["page_breaks"])})


def _passage(row: Mapping[str, Any], score: float) -> Passage:
    return Passage(chunk_of(row), row["title"], row["source"], score, metadata=row["metadata"])


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
