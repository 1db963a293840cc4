"""What every vector store has to do, against the real one."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from chatbot.chosen import vector_store
from chatbot.domain import InvalidConfiguration, Point
from chatbot.ports import VectorStore
from chatbot.settings import Settings
from tests.conftest import DIMENSION, started


def unit(*numbers: float) -> list[float]:
    """A vector that starts with these numbers."""
    return [*map(float, numbers), *[0.0] * (DIMENSION - len(numbers))]


def point(chunk: str, *numbers: float, document: str = "d1", **metadata: Any) -> Point:
    return Point(chunk, document, unit(*numbers), metadata)


async def found(vectors: VectorStore, index: str, filters: dict, *numbers: float, limit: int = 10) -> list[str]:
    return [match.point_id for match in await vectors.search(index, unit(*(numbers or (1.0,))), limit, filters)]


async def test_nearest_first_with_their_cosine_similarity(vectors: VectorStore, index: str) -> None:
    await vectors.upsert(
        index, [point("far", -1.0), point("near", 0.6, 0.8), point("same", 2.0), point("side", 0, 1.0)]
    )
    matches = await vectors.search(index, unit(1.0), 3, {})
    assert [match.point_id for match in matches] == ["same", "near", "side"]
    assert [match.score for match in matches] == pytest.approx([1.0, 0.6, 0.0], abs=0.002)


async def test_upsert_replaces_vector_and_metadata(vectors: VectorStore, index: str) -> None:
    await vectors.upsert(index, [point("a", 1.0, year=2020, type="book"), point("b", 0, 1.0)])
    for _ in range(2):
        await vectors.upsert(index, [point("a", 0, 0, 1.0, year=2021)])
    assert await vectors.count(index) == 2
    assert await found(vectors, index, {}, 0, 0, 1.0) == ["a", "b"]
    assert await found(vectors, index, {"year": [2021]}) == ["a"]
    assert await found(vectors, index, {"year": [2020]}) == []
    assert await found(vectors, index, {"type": ["book"]}) == []


async def test_the_last_of_two_points_with_one_id_counts(vectors: VectorStore, index: str) -> None:
    await vectors.upsert(index, [point("a", 1.0, year=1), point("a", 1.0, year=2)])
    assert await found(vectors, index, {"year": [2]}) == ["a"]
    assert await vectors.count(index) == 1


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"year": [2020]}, {"a"}),
        ({"year": [2020, 2021]}, {"a", "b"}),
        ({"year": [1999]}, set()),
        ({"year": []}, set()),
        ({"year": ["2020"]}, set()),
        ({"authors": ["Curie"]}, {"a", "b"}),
        ({"authors": ["Noether", 'Élie "O\'Neil"']}, {"b", "c"}),
        ({"authors": ["Curie"], "year": [2021, 2022]}, {"b"}),
        ({"open": [True]}, {"a"}),
        ({"score": [1.5]}, {"c"}),
        ({"missing": ["x"]}, set()),
        ({"language": ["fr"], "open": [False]}, {"b"}),
    ],
)
async def test_filters(vectors: VectorStore, index: str, filters: dict, expected: set[str]) -> None:
    await vectors.upsert(
        index,
        [
            point("a", 1.0, year=2020, authors=["Curie", "Perrin"], open=True, language="en"),
            point("b", 0.9, year=2021, authors=["Curie", "Noether"], open=False, language="fr"),
            point("c", 0.8, year=2022, authors=['Élie "O\'Neil"'], score=1.5, keywords=[]),
        ],
    )
    assert set(await found(vectors, index, filters)) == expected


async def test_delete_removes_these_points_and_no_other(vectors: VectorStore, index: str) -> None:
    await vectors.upsert(index, [point("a", 1.0), point("b", 0.9), point("c", 0.8), point("other", 0.7, document="d2")])
    for _ in range(2):
        await vectors.delete(index, ["a", "c", "never there"])
        assert set(await found(vectors, index, {})) == {"b", "other"}
    await vectors.delete(index, [])
    await vectors.delete("test-never-made", ["a"])
    assert await vectors.count(index) == 2


async def test_scan_names_every_point_once(vectors: VectorStore, index: str) -> None:
    assert [page async for page in vectors.scan(index) if page] == []
    ids = [f"p{number:05}" for number in range(6000)]
    for start in range(0, len(ids), 1000):
        await vectors.upsert(index, [point(id, 1.0, start) for id in ids[start : start + 1000]])
    found = [id async for page in vectors.scan(index) for id in page]
    assert sorted(found) == ids


async def test_create_again_changes_nothing_but_refuses_another_dimension(vectors: VectorStore, index: str) -> None:
    await vectors.upsert(index, [point("a", 1.0)])
    await vectors.create(index, DIMENSION)
    assert await vectors.count(index) == 1
    with pytest.raises(InvalidConfiguration, match=f"{DIMENSION}.*{DIMENSION + 1}"):
        await vectors.create(index, DIMENSION + 1)


async def test_many_may_create_an_index_at_once(vectors: VectorStore, settings: Settings) -> None:
    """As workers do that start together on an empty store."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    others = vector_store.connect(os.environ.get("VECTOR_DB_URL") or settings.vector_db_url.get_secret_value())
    try:
        await asyncio.gather(*(store.create(name, DIMENSION) for store in [vectors, others] * 4))
        await asyncio.gather(vectors.upsert(name, [point("a", 1.0)]), others.upsert(name, [point("b", 1.0)]))
        assert await vectors.count(name) == 2
    finally:
        await vectors.drop(name)
        await others.close()


async def test_drop(vectors: VectorStore) -> None:
    await vectors.create("test-dropped", DIMENSION)
    await vectors.upsert("test-dropped", [point("a", 1.0)])
    await vectors.drop("test-dropped")
    await vectors.drop("test-dropped")
    assert await vectors.count("test-dropped") == 0
    await vectors.create("test-dropped", DIMENSION)
    assert await vectors.count("test-dropped") == 0
    await vectors.drop("test-dropped")


async def test_recall_against_exact_search_with_and_without_filters(vectors: VectorStore, index: str) -> None:
    """recall@10 of at least 0.95 over 2,000 random vectors; a filter that leaves 1 in 100 must not lose any."""
    draw = random.Random(7)
    points = [
        Point(f"c{n}", f"d{n // 10}", [draw.gauss(0, 1) for _ in range(DIMENSION)], {"hundredth": n % 100})
        for n in range(2000)
    ]
    for start in range(0, len(points), 500):
        await vectors.upsert(index, points[start : start + 500])
    assert await vectors.count(index) == 2000
    assert await _recall(vectors, index, points, {}, draw) >= 0.95
    few = [point for point in points if point.metadata["hundredth"] == 3]
    assert await _recall(vectors, index, few, {"hundredth": [3]}, draw) == 1


async def _recall(vectors: VectorStore, index: str, among: list[Point], filters: dict, draw: random.Random) -> float:
    found, queries = 0, 20
    for _ in range(queries):
        query = [draw.gauss(0, 1) for _ in range(DIMENSION)]
        best = sorted(among, key=lambda point: -_cosine(query, point.vector))[:10]
        matches = await vectors.search(index, query, 10, filters)
        found += len({point.id for point in best} & {match.point_id for match in matches})
    return found / (10 * queries)


def _cosine(a: list[float], b: list[float]) -> float:
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


async def test_a_restart_of_the_server_loses_nothing(folder: Path) -> None:
    with started(folder) as urls:
        url = urls.get("VECTOR_DB_URL") or urls["DATABASE_URL"]
        vectors = vector_store.connect(url)
        await vectors.create("test-restart", DIMENSION)
        await vectors.upsert("test-restart", [point("a", 1.0, year=2020), point("b", 0.6, 0.8, document="d2")])
        assert await found(vectors, "test-restart", {}) == ["a", "b"]
    with started(folder) as again:
        assert (again.get("VECTOR_DB_URL") or again["DATABASE_URL"]) == url
        for store in (vectors, vector_store.connect(url)):
            assert await found(store, "test-restart", {"year": [2020]}) == ["a"]
            assert await store.count("test-restart") == 2
            await store.upsert("test-restart", [point("a", 1.0, year=2020)])
        await vectors.delete("test-restart", ["a"])
        assert await found(store, "test-restart", {}) == ["b"]
        await vectors.close()
        await store.close()


async def test_ping(vectors: VectorStore) -> None:
    await vectors.ping()
    assert await vectors.count("test-never-made") == 0
