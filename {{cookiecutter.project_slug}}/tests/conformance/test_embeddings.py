"""Which chunk is in which index, in PostgreSQL: nothing that can be found is lost, whoever dies or comes late."""

from __future__ import annotations

import asyncio

import pytest

from chatbot.domain import ClaimLost, Hit, JobRequest, Match
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes, index_name
from chatbot.storage.jobs import Jobs
from tests.conformance.test_documents import chunk, register
from tests.conftest import publish

pytestmark = pytest.mark.slow


@pytest.fixture
async def document(documents: Documents, indexes: Indexes) -> str:
    """With two chunks, and an index for them."""
    await indexes.begin("a", "model-a", 8)
    known = await register(documents)
    await publish(documents, known.id, [chunk(known, "c1"), chunk(known, "c2", 1)])
    return known.id


async def embedded(embeddings: Embeddings, document: str, index: str = "a") -> list[str]:
    """Embed what is not embedded yet; the points."""
    points = [each.point_id for each in await embeddings.reserve(index, document, 10)]
    assert await embeddings.record(document, points) == set()
    return points


async def chunks(embeddings: Embeddings, points: list[str], index: str = "a", **filters: list) -> list[Hit]:
    return await embeddings.chunks(index, [Match(point, 0.5) for point in points], filters)


async def test_a_point_is_found_from_its_record_until_its_chunk_is_gone(
    embeddings: Embeddings, documents: Documents, document: str
) -> None:
    reserved = await embeddings.reserve("a", document, 1)
    assert [(each.chunk.id, each.title) for each in reserved] == [("c1", "A title")]
    assert reserved[0].payload == {"year": 2024, "language": "en"}
    points = [each.point_id for each in reserved]
    assert await chunks(embeddings, points) == []
    assert await embeddings.record(document, points) == set()
    assert await chunks(embeddings, points) == [Hit("c1", 0.5)]
    assert await chunks(embeddings, points, year=[2024], language=["en"]) == [Hit("c1", 0.5)]
    assert await chunks(embeddings, points, year=[2025]) == []
    assert await chunks(embeddings, points, "b") == []
    assert [each.chunk.id for each in await embeddings.reserve("a", document, 10)] == ["c2"]
    await documents.delete(document)
    assert await chunks(embeddings, points) == []
    assert await embeddings.garbage(10) == {"a": points}
    await embeddings.forget(points)
    assert await embeddings.garbage(10) == {}
    assert await embeddings.unknown("a", points) == points


async def test_a_kept_chunk_keeps_its_point_and_other_metadata_makes_a_new_one(
    embeddings: Embeddings, documents: Documents, document: str
) -> None:
    first = await embedded(embeddings, document)
    known = await register(documents, content=b"two")
    await publish(documents, document, [chunk(known, "c1"), chunk(known, "c3", 1)])
    assert [each.chunk.id for each in await embeddings.reserve("a", document, 10)] == ["c3"]
    await register(documents, content=b"two", year=2025)
    await publish(documents, document, [chunk(known, "c1")])
    assert await chunks(embeddings, first) == [Hit("c1", 0.5)], "it serves until there is a new one"
    second = await embedded(embeddings, document)
    assert await chunks(embeddings, [*first, *second]) == [Hit("c1", 0.5)]
    assert sorted((await embeddings.garbage(10))["a"]) == sorted(first)
    assert await embeddings.reserve("a", document, 10) == []


async def test_of_two_at_the_same_chunk_one_is_kept_and_the_other_is_told(
    embeddings: Embeddings, document: str
) -> None:
    one, other = [[each.point_id for each in await embeddings.reserve("a", document, 10)] for _ in range(2)]
    lost = await asyncio.gather(embeddings.record(document, one), embeddings.record(document, other))
    assert sorted(map(len, lost)) == [0, 2]
    found = await chunks(embeddings, [*one, *other])
    assert sorted(hit.chunk_id for hit in found) == ["c1", "c2"]


async def test_who_comes_late_with_former_metadata_replaces_nothing(
    embeddings: Embeddings, documents: Documents, document: str
) -> None:
    late = [each.point_id for each in await embeddings.reserve("a", document, 10)]
    known = await register(documents, year=2025)
    await publish(documents, document, [chunk(known, "c1"), chunk(known, "c2", 1)])
    now = await embedded(embeddings, document)
    assert await embeddings.record(document, late) == set(late)
    assert len(await chunks(embeddings, now, year=[2025])) == 2
    assert await chunks(embeddings, late) == []


async def test_a_job_that_was_taken_over_records_nothing(
    embeddings: Embeddings, jobs: Jobs, database: Database, document: str
) -> None:
    job = await jobs.create(JobRequest("ingest"), document)
    begun = await jobs.start(job.id)
    assert begun is not None
    points = [each.point_id for each in await embeddings.reserve("a", document, 10)]
    await database.rows("UPDATE jobs SET updated_at = now() - interval '1 hour'")
    await jobs.recover_abandoned()
    with pytest.raises(ClaimLost):
        await embeddings.record(document, points, begun.claim)
    assert await chunks(embeddings, points) == []


async def test_what_was_reserved_for_a_chunk_that_is_gone_waits_for_its_writer_and_no_longer(
    embeddings: Embeddings, documents: Documents, database: Database, document: str
) -> None:
    points = [each.point_id for each in await embeddings.reserve("a", document, 10)]
    await documents.delete(document)
    assert await embeddings.garbage(10) == {}, "its writer may be about to write"
    await database.rows("UPDATE embeddings SET reserved_at = now() - interval '11 minutes'")
    assert sorted((await embeddings.garbage(10))["a"]) == sorted(points)
    assert await embeddings.record(document, points) == set(points)
    await embeddings.forget(points)
    assert await embeddings.reserve("a", document, 10) == []


async def test_what_a_store_has_lost_is_made_again(embeddings: Embeddings, document: str) -> None:
    before = await embeddings.now()
    points = await embedded(embeddings, document)
    assert await embeddings.stored("a", before, "") == [], "it was written after the look at the store began"
    assert await embeddings.stored("a", await embeddings.now(), "") == sorted(points)
    assert await embeddings.stored("a", await embeddings.now(), max(points)) == []
    assert await embeddings.incomplete("a", 10) == await embeddings.unattended("a", 10) == []
    await embeddings.missing(points[:1])
    assert await embeddings.incomplete("a", 10) == await embeddings.unattended("a", 10) == [document]
    assert [each.chunk.id for each in await embeddings.reserve("a", document, 10)] == ["c1"]


async def test_a_document_says_how_far_it_is(
    embeddings: Embeddings, documents: Documents, jobs: Jobs, document: str
) -> None:
    async def state() -> str:
        known = await documents.get(document)
        assert known is not None
        return known.state

    assert await state() == "words"
    await jobs.create(JobRequest("ingest"), document)
    assert await embeddings.unattended("a", 10) == []
    await embedded(embeddings, document)
    assert await state() == "complete"
    await register(documents, content=b"two")
    assert await state() == "waiting"


async def test_the_first_index_is_active_and_another_once_every_chunk_is_in_it(
    indexes: Indexes, embeddings: Embeddings, document: str
) -> None:
    await indexes.begin("b", "model-b", 16)
    assert [(each.name, each.active) for each in await indexes.list()] == [("a", True), ("b", False)]
    assert not await indexes.activate("b")
    await embedded(embeddings, document, "b")
    assert await indexes.activate("b")
    active = await indexes.active()
    assert active is not None
    assert (active.name, active.model, active.dimension) == ("b", "model-b", 16)
    assert await indexes.retired(60) == []
    assert await indexes.retired(0) == ["a"]
    await indexes.forget("b")
    await indexes.forget("a")
    assert [each.name for each in await indexes.list()] == ["b"], "never the active one"
    assert await embeddings.unknown("b", []) == []


async def test_an_index_that_is_used_again_is_not_dropped(indexes: Indexes, document: str) -> None:
    await indexes.begin("b", "model-b", 16)
    await indexes.begin("a", "model-a", 8)
    assert await indexes.find("b") is not None
    assert await indexes.find("c") is None
    assert await indexes.retired(0) == []


async def test_first_uses_at_once(indexes: Indexes) -> None:
    await asyncio.gather(*[indexes.begin(name, name, 8) for name in "abcd"])
    assert sum(index.active for index in await indexes.list()) == 1


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
