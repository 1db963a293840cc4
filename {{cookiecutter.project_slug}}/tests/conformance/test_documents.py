"""Documents and their chunks in PostgreSQL: versions, and what can be found."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chatbot.domain import Chunk, ClaimLost, Document, Hit, JobRequest, UnreadableDocument
from chatbot.storage.database import Database
from chatbot.storage.documents import AlreadyAccepted, Description, Documents, NewVersion, document_id
from chatbot.storage.jobs import Jobs
from tests.conftest import publish

pytestmark = pytest.mark.slow

HASH = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
"""Of the content « one »."""


def chunk(document: Document, name: str, position: int = 0, text: str = "Carbon is taxed.") -> Chunk:
    return Chunk(name, document.id, position, text, "Taxes", 3, "en")


async def register(
    documents: Documents, source: str = "docs/a.md", content: bytes = b"one", **metadata: Any
) -> Document:
    new = NewVersion("A title", "text/markdown", {"year": 2024, **metadata}, content)
    document, _ = await documents.accept(source, new, None)
    return document


async def announce(documents: Documents, **metadata: Any) -> Document:
    new = NewVersion("a", "application/octet-stream", metadata)
    document, _ = await documents.accept("https://example.org/a", new, None)
    return document


async def test_accepting_keeps_the_row_and_the_original(documents: Documents) -> None:
    document = await register(documents)
    assert document.id == document_id("docs/a.md")
    assert (document.content_hash, document.chunks, document.metadata) == (None, 0, {"year": 2024})
    assert (document.state, document.accepted_hash, document.given) == ("waiting", HASH, {"year": 2024})
    assert await documents.get(document.id) == await documents.find("docs/a.md") == document
    assert await documents.original(document.id) == b"one"
    assert await documents.get("absent") is await documents.find("absent") is await documents.original("absent") is None
    assert await documents.wanted("absent") is None


async def test_accepting_again_leaves_what_can_be_found_until_it_is_switched(documents: Documents) -> None:
    document = await register(documents)
    assert await publish(documents, document.id, [chunk(document, "c1")])
    again = await register(documents, content=b"two", year=2025)
    assert again.version > document.version
    assert (again.content_hash, again.chunks, again.metadata) == (HASH, 1, {"year": 2024})
    assert (again.state, again.given) == ("waiting", {"year": 2025})
    assert await documents.original(document.id) == b"two"
    assert await publish(documents, document.id, [chunk(document, "c2")])
    (passage,) = await documents.passages([Hit("c1", 1), Hit("c2", 1)])
    assert (passage.chunk.id, passage.metadata) == ("c2", {"year": 2025})


async def test_an_older_version_never_comes_back(documents: Documents) -> None:
    document = await register(documents)
    older = await documents.wanted(document.id)
    assert older is not None
    await register(documents, content=b"two")
    assert await publish(documents, document.id, [chunk(document, "c2")])
    about = Description("A title", "en", {})
    assert not await documents.switch(older, [chunk(document, "c1")], about)
    assert await documents.chunk_ids(document.id) == {"c2"}
    await documents.delete(document.id)
    await register(documents)
    assert not await documents.switch(older, [chunk(document, "c1")], about), "added again, it is another version"


async def test_a_job_that_was_taken_over_switches_nothing(documents: Documents, jobs: Jobs, database: Database) -> None:
    document = await register(documents)
    wanted, about = await documents.wanted(document.id), Description("A title", "en", {})
    assert wanted is not None
    job = await jobs.create(JobRequest("ingest"), document.id)
    first = await jobs.start(job.id)
    await database.rows("UPDATE jobs SET updated_at = now() - interval '1 hour'")
    assert await jobs.recover_abandoned() == 1
    second = await jobs.start(job.id)
    assert first is not None
    assert second is not None
    with pytest.raises(ClaimLost):
        await documents.switch(wanted, [chunk(document, "c1")], about, first.claim)
    with pytest.raises(ClaimLost):
        await documents.fetched(document.id, "text/markdown", b"late", first.claim)
    assert await documents.original(document.id) == b"one"
    assert await documents.switch(wanted, [chunk(document, "c2")], about, second.claim)
    assert await documents.chunk_ids(document.id) == {"c2"}


async def test_document_and_job_are_accepted_together_or_not_at_all(documents: Documents, jobs: Jobs) -> None:
    new, request = NewVersion("A", "text/markdown", {}, b"one"), JobRequest("ingest", "key", "print")
    document, job = await documents.accept("a.md", new, request)
    assert job is not None
    assert (job.document_id, job.state, await jobs.find("key")) == (document.id, "pending", job)
    other = NewVersion("A", "text/markdown", {}, b"two")
    with pytest.raises(AlreadyAccepted):
        await documents.accept("a.md", other, request)
    with pytest.raises(AlreadyAccepted):
        await documents.accept("b.md", other, request)
    assert await documents.original(document.id) == b"one"
    assert (await documents.count())[0] == 1
    attempts = [documents.accept(f"{n}.md", other, JobRequest("ingest", "other")) for n in range(5)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(each, AlreadyAccepted) for each in outcomes) == 4
    assert (await documents.count())[0] == 2


async def test_documents_without_a_job_are_found_unless_theirs_failed(documents: Documents, jobs: Jobs) -> None:
    document, fetched = await register(documents), await announce(documents)
    assert dict(await documents.unattended()) == {document.id: True, fetched.id: False}
    job = await jobs.create(JobRequest("ingest"), document.id)
    await jobs.create(JobRequest("fetch"), fetched.id)
    assert await documents.unattended() == []
    begun = await jobs.start(job.id)
    assert begun is not None
    await jobs.fail(begun.claim, "It is empty.")
    assert await documents.unattended() == []
    await register(documents, content=b"two")
    assert await documents.unattended() == [(document.id, True)]
    await publish(documents, document.id, [])
    assert await documents.unattended() == []


async def test_of_many_who_attend_to_a_document_one_gives_it_a_job(
    documents: Documents, jobs: Jobs, database: Database
) -> None:
    """Two reconcilers at once, or one beside a scheduler, gave it two."""
    document = await register(documents)
    made = await asyncio.gather(*[jobs.attend(JobRequest("ingest"), document.id) for _ in range(8)])
    assert sorted(made) == [False] * 7 + [True]
    assert len(await database.rows("SELECT id FROM jobs")) == 1
    assert not await jobs.attend(JobRequest("ingest"), "gone")


async def test_a_document_is_read_from_any_of_its_chunks(documents: Documents) -> None:
    document, other = await register(documents), await register(documents, "docs/b.md")
    chunks = [chunk(document, f"c{n}", n) for n in (0, 1, 2, 3)]
    await publish(documents, document.id, [*reversed(chunks)])
    await publish(documents, other.id, [chunk(other, "other")])
    assert await documents.chunks(document.id, 1, 2) == chunks[1:3]
    assert await documents.chunks(document.id, 3, 9) == chunks[3:]
    assert await documents.chunks(document.id, 4, 9) == []
    assert await documents.position(document.id, "c2") == 2
    assert await documents.position(document.id, "other") is await documents.position("absent", "c2") is None


async def test_an_announced_document_waits_for_its_content(documents: Documents) -> None:
    document = await announce(documents, year=2024)
    assert (document.id, document.chunks) == (document_id("https://example.org/a"), 0)
    assert await documents.original(document.id) is await documents.wanted(document.id) is None
    assert await documents.fetched(document.id, "text/markdown", b"one")
    kept = await documents.wanted(document.id)
    assert kept is not None
    assert (kept.media_type, kept.content, kept.metadata) == ("text/markdown", b"one", {"year": 2024})
    assert await documents.fetched(document.id, "text/markdown", b"one")
    assert await documents.wanted(document.id) == kept, "the same content is the same version"
    await documents.delete(document.id)
    assert not await documents.fetched(document.id, "text/markdown", b"one")
    assert await documents.original(document.id) is None


async def test_announcing_again_is_a_new_version_only_with_other_metadata(documents: Documents) -> None:
    document = await announce(documents, year=2024)
    await documents.fetched(document.id, "text/markdown", b"one")
    await publish(documents, document.id, [chunk(document, "c1")])
    same = await announce(documents, year=2024)
    assert (same.up_to_date, same.chunks) == (True, 1)
    other = await announce(documents, tags=["x"])
    assert (other.up_to_date, other.chunks, other.given) == (False, 1, {"year": 2024, "tags": ["x"]})


async def test_the_same_content_is_that_of_another_document_that_can_be_found(documents: Documents) -> None:
    document = await register(documents)
    assert await documents.same_content(HASH, "other") is None
    await publish(documents, document.id, [chunk(document, "c1")])
    found = await documents.same_content(HASH, "other")
    assert found is not None
    assert found.id == document.id
    assert await documents.same_content(HASH, document.id) is None


async def test_what_parsing_finds_out_is_told_with_the_chunks(documents: Documents) -> None:
    document = await register(documents)
    wanted = await documents.wanted(document.id)
    assert wanted is not None
    await documents.switch(wanted, [chunk(document, "c1")], Description("Un titre", "fr", {"authors": ["Curie"]}))
    described = await documents.get(document.id)
    assert described is not None
    assert (described.title, described.language, described.metadata) == ("Un titre", "fr", {"authors": ["Curie"]})


async def test_list_goes_on_after_the_last_id(documents: Documents) -> None:
    ids = sorted([(await register(documents, f"docs/{number}.md")).id for number in range(5)])
    first = await documents.list(3)
    rest = await documents.list(3, after=first[-1].id)
    assert [document.id for document in [*first, *rest]] == ids


async def test_a_switch_is_the_whole_truth_and_may_be_repeated(documents: Documents, database: Database) -> None:
    document = await register(documents)
    await publish(documents, document.id, [chunk(document, "c1"), chunk(document, "c2", 1)])
    wanted = [chunk(document, "c3", 0, "Rivers flood."), chunk(document, "c2", 1)]
    for _ in range(2):
        await publish(documents, document.id, wanted)
    assert await documents.chunk_ids(document.id) == {"c2", "c3"}
    assert await documents.chunks(document.id) == wanted
    assert await _lengths_agree(database)
    await publish(documents, document.id, [])
    assert await documents.count() == (1, 0)
    assert await _count(database, "postings") == 0


async def test_kept_chunks_move_and_follow_their_documents_language(documents: Documents) -> None:
    document = await register(documents)
    first, second = chunk(document, "c1", 0), chunk(document, "c2", 1)
    await publish(documents, document.id, [first, second])
    moved = [replace(second, position=0, language="fr"), replace(first, position=1, language="fr")]
    await publish(documents, document.id, moved)
    assert await documents.chunks(document.id) == moved
    assert await documents.chunks(document.id, 1) == moved[1:]
    assert await documents.chunks(document.id, 0, 1) == moved[:1]
    assert await documents.chunks(document.id, 2, 1) == []


async def test_a_switch_of_a_removed_document(documents: Documents) -> None:
    document = await register(documents)
    wanted = await documents.wanted(document.id)
    assert wanted is not None
    assert await documents.delete(document.id)
    with pytest.raises(UnreadableDocument, match="removed"):
        await documents.switch(wanted, [chunk(document, "c1")], Description("A title", "en", {}))
    assert await documents.count() == (0, 0)


async def test_a_document_that_is_being_deleted_is_none_for_who_looks_at_it(
    documents: Documents, database: Database
) -> None:
    """It was a violated foreign key, and an attempt of its job's."""
    document = await register(documents)
    async with database.transaction() as deleting:
        await deleting.execute("DELETE FROM documents")
        looking = [asyncio.create_task(documents.wanted(document.id))]
        looking += [asyncio.create_task(documents.fetched(document.id, "text/plain", b"new"))]
        await asyncio.sleep(0.3)
        assert not any(each.done() for each in looking)
    assert await asyncio.gather(*looking) == [None, False]


async def test_switches_at_once(documents: Documents, database: Database) -> None:
    document = await register(documents)
    wanted = [chunk(document, f"c{number}", number) for number in range(20)]
    await asyncio.gather(*[publish(documents, document.id, wanted) for _ in range(4)])
    assert await documents.count() == (1, 20)
    assert await _lengths_agree(database)


async def test_delete_leaves_nothing(documents: Documents, database: Database) -> None:
    document = await register(documents)
    await publish(documents, document.id, [chunk(document, "c1")])
    assert await documents.delete(document.id)
    assert not await documents.delete(document.id)
    assert [await _count(database, table) for table in ("documents", "originals", "chunks", "postings")] == [0, 0, 0, 0]


async def test_passages_come_in_the_order_of_the_hits_without_those_gone(documents: Documents) -> None:
    document = await register(documents)
    await publish(documents, document.id, [chunk(document, "c1"), chunk(document, "c2", 1)])
    passages = await documents.passages([Hit("c2", 0.9), Hit("gone", 0.8), Hit("c1", 0.7)])
    assert [(passage.chunk.id, passage.score) for passage in passages] == [("c2", 0.9), ("c1", 0.7)]
    assert passages[0].chunk == chunk(document, "c2", 1)
    assert (passages[0].title, passages[0].source, passages[0].metadata) == ("A title", "docs/a.md", {"year": 2024})
    assert await documents.passages([]) == []


async def test_openings_are_the_first_passages_in_the_order_asked_for(documents: Documents) -> None:
    first, second = await register(documents), await register(documents, "docs/b.md")
    for document in (first, second):
        name = document.source[-4:]
        await publish(documents, document.id, [chunk(document, f"{name}0"), chunk(document, f"{name}1", 1)])
    passages = await documents.openings([second.id, "gone", first.id])
    assert [passage.chunk.id for passage in passages] == ["b.md0", "a.md0"]
    assert await documents.openings([]) == []


async def _count(database: Database, table: str) -> int:
    (row,) = await database.rows(f"SELECT count(*) AS rows FROM {table}")
    return row["rows"]


async def _lengths_agree(database: Database) -> bool:
    """Whether every chunk's length is the sum of its postings' frequencies."""
    sums = "SELECT key FROM chunks JOIN postings ON chunk_key = key GROUP BY key HAVING sum(frequency) <> chunks.length"
    return not await database.rows(sums)
