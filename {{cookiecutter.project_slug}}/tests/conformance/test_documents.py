"""Documents, chunks and the active index in PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chatbot.domain import Chunk, Document, Hit, UnreadableDocument
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents, document_id, index_name

pytestmark = pytest.mark.slow

HASH = "f" * 64


def chunk(document: Document, name: str, position: int = 0, text: str = "Carbon is taxed.") -> Chunk:
    return Chunk(name, document.id, position, text, "Taxes", 3, "en")


async def register(documents: Documents, source: str = "docs/a.md", content: bytes = b"one") -> Document:
    return await documents.register(source, "A title", "text/markdown", "en", {"year": 2024}, content)


async def test_registering_keeps_the_row_and_the_original(documents: Documents) -> None:
    document = await register(documents)
    assert document.id == document_id("docs/a.md")
    assert (document.content_hash, document.chunks, document.metadata) == (None, 0, {"year": 2024})
    assert await documents.get(document.id) == await documents.find("docs/a.md") == document
    assert await documents.original(document.id) == b"one"
    assert await documents.get("absent") is await documents.find("absent") is await documents.original("absent") is None


async def test_registering_again_replaces_the_original_and_leaves_what_can_be_found(documents: Documents) -> None:
    document = await register(documents)
    await documents.replace_chunks(document.id, [chunk(document, "c1")], HASH)
    again = await register(documents, content=b"two")
    assert (again.content_hash, again.chunks) == (HASH, 1)
    assert await documents.original(document.id) == b"two"
    assert await documents.count() == (1, 1)


async def test_a_document_is_read_from_any_of_its_chunks(documents: Documents) -> None:
    document, other = await register(documents), await register(documents, "docs/b.md")
    chunks = [chunk(document, f"c{n}", n) for n in (0, 1, 2, 3)]
    await documents.replace_chunks(document.id, [*reversed(chunks)], HASH)
    await documents.replace_chunks(other.id, [chunk(other, "other")], HASH)
    assert await documents.chunks(document.id, 1, 2) == chunks[1:3]
    assert await documents.chunks(document.id, 3, 9) == chunks[3:]
    assert await documents.chunks(document.id, 4, 9) == []
    assert await documents.position(document.id, "c2") == 2
    assert await documents.position(document.id, "other") is await documents.position("absent", "c2") is None


async def test_an_announced_document_waits_for_its_content(documents: Documents) -> None:
    document = await documents.announce("https://example.org/a", "a", {"year": 2024})
    assert (document.id, document.chunks) == (document_id("https://example.org/a"), 0)
    assert await documents.original(document.id) is None
    assert await documents.keep(document.id, "text/markdown", b"one")
    kept = await documents.get(document.id)
    assert (kept and kept.media_type, await documents.original(document.id)) == ("text/markdown", b"one")
    await documents.delete(document.id)
    assert not await documents.keep(document.id, "text/markdown", b"one")
    assert await documents.original(document.id) is None


async def test_announcing_again_keeps_what_can_be_found_and_takes_the_hash_only_for_other_metadata(
    documents: Documents,
) -> None:
    document = await documents.announce("https://example.org/a", "a", {"year": 2024})
    await documents.replace_chunks(document.id, [chunk(document, "c1")], HASH)
    same = await documents.announce("https://example.org/a", "a", {"year": 2024})
    assert (same.content_hash, same.chunks) == (HASH, 1)
    other = await documents.announce("https://example.org/a", "a", {"tags": ["x"]})
    assert (other.content_hash, other.chunks, other.metadata) == (None, 1, {"year": 2024, "tags": ["x"]})


async def test_the_same_content_is_that_of_another_document_that_can_be_found(documents: Documents) -> None:
    document = await register(documents)
    assert await documents.same_content(HASH, "other") is None
    await documents.replace_chunks(document.id, [chunk(document, "c1")], HASH)
    found = await documents.same_content(HASH, "other")
    assert found is not None
    assert found.id == document.id
    assert await documents.same_content(HASH, document.id) is None


async def test_describe(documents: Documents) -> None:
    document = await register(documents)
    await documents.describe(document.id, title="Un titre", language="fr", metadata={"authors": ["Curie"]})
    described = await documents.get(document.id)
    assert described is not None
    assert (described.title, described.language, described.metadata) == ("Un titre", "fr", {"authors": ["Curie"]})


async def test_list_goes_on_after_the_last_id(documents: Documents) -> None:
    ids = sorted([(await register(documents, f"docs/{number}.md")).id for number in range(5)])
    first = await documents.list(3)
    rest = await documents.list(3, after=first[-1].id)
    assert [document.id for document in [*first, *rest]] == ids


async def test_replace_chunks_is_the_whole_truth_and_may_be_repeated(documents: Documents, database: Database) -> None:
    document = await register(documents)
    await documents.replace_chunks(document.id, [chunk(document, "c1"), chunk(document, "c2", 1)], "0" * 64)
    wanted = [chunk(document, "c3", 0, "Rivers flood."), chunk(document, "c2", 1)]
    for _ in range(2):
        await documents.replace_chunks(document.id, wanted, HASH)
    assert await documents.chunk_ids(document.id) == {"c2", "c3"}
    assert await documents.chunks(document.id) == wanted
    assert await _lengths_agree(database)
    await documents.replace_chunks(document.id, [], HASH)
    assert await documents.count() == (1, 0)
    assert await _count(database, "postings") == 0


async def test_kept_chunks_move_and_follow_their_documents_language(documents: Documents) -> None:
    document = await register(documents)
    first, second = chunk(document, "c1", 0), chunk(document, "c2", 1)
    await documents.replace_chunks(document.id, [first, second], HASH)
    moved = [replace(second, position=0, language="fr"), replace(first, position=1, language="fr")]
    await documents.replace_chunks(document.id, moved, HASH)
    assert await documents.chunks(document.id) == moved
    assert await documents.chunks(document.id, 1) == moved[1:]
    assert await documents.chunks(document.id, 0, 1) == moved[:1]
    assert await documents.chunks(document.id, 2, 1) == []


async def test_replace_chunks_of_a_removed_document(documents: Documents) -> None:
    document = await register(documents)
    assert await documents.delete(document.id)
    with pytest.raises(UnreadableDocument, match="removed"):
        await documents.replace_chunks(document.id, [chunk(document, "c1")], HASH)
    assert await documents.count() == (0, 0)


async def test_replace_chunks_twice_at_once(documents: Documents, database: Database) -> None:
    document = await register(documents)
    wanted = [chunk(document, f"c{number}", number) for number in range(20)]
    await asyncio.gather(*[documents.replace_chunks(document.id, wanted, HASH) for _ in range(4)])
    assert await documents.count() == (1, 20)
    assert await _lengths_agree(database)


async def test_delete_leaves_nothing(documents: Documents, database: Database) -> None:
    document = await register(documents)
    await documents.replace_chunks(document.id, [chunk(document, "c1")], HASH)
    assert await documents.delete(document.id)
    assert not await documents.delete(document.id)
    assert [await _count(database, table) for table in ("documents", "originals", "chunks", "postings")] == [0, 0, 0, 0]


async def test_passages_come_in_the_order_of_the_hits_without_those_gone(documents: Documents) -> None:
    document = await register(documents)
    await documents.replace_chunks(document.id, [chunk(document, "c1"), chunk(document, "c2", 1)], HASH)
    passages = await documents.passages([Hit("c2", 0.9), Hit("gone", 0.8), Hit("c1", 0.7)])
    assert [(passage.chunk.id, passage.score) for passage in passages] == [("c2", 0.9), ("c1", 0.7)]
    assert passages[0].chunk == chunk(document, "c2", 1)
    assert (passages[0].title, passages[0].source, passages[0].metadata) == ("A title", "docs/a.md", {"year": 2024})
    assert await documents.passages([]) == []


async def test_one_index_is_active(documents: Documents) -> None:
    assert await documents.active_index() is None
    await documents.activate_index("a", "model-a", 384)
    await documents.activate_index("b", "model-b", 768)
    active = await documents.active_index()
    assert active is not None
    assert (active.name, active.model, active.dimension) == ("b", "model-b", 768)
    assert [(index.name, index.active) for index in await documents.indexes()] == [("a", False), ("b", True)]


async def test_first_activations_at_once(documents: Documents) -> None:
    await asyncio.gather(*[documents.activate_index(name, name, 8) for name in "abcd"])
    assert sum(index.active for index in await documents.indexes()) == 1


@pytest.mark.parametrize("model", ["multilingual-e5-small", "BAAI/bge-m3", "é", "x" * 90, "a b:c"])
def test_index_names_suit_every_vector_database(model: str) -> None:
    name = index_name(model, 1024)
    assert 3 <= len(name) <= 50
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert name[0].isalnum()
    assert name.endswith("_1024")
    assert name != index_name(model, 512)


def test_an_index_name_is_readable() -> None:
    assert index_name("multilingual-e5-small", 384) == "multilingual-e5-small_384"


async def _count(database: Database, table: str) -> int:
    (row,) = await database.rows(f"SELECT count(*) AS rows FROM {table}")
    return row["rows"]


async def _lengths_agree(database: Database) -> bool:
    """Whether every chunk's length is the sum of its postings' frequencies."""
    sums = "SELECT key FROM chunks JOIN postings ON chunk_key = key GROUP BY key HAVING sum(frequency) <> chunks.length"
    return not await database.rows(sums)
