"""BM25 in PostgreSQL against the formula computed in Python."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from typing import Any

import pytest

from chatbot.domain import Chunk, Language
from chatbot.storage import bm25 as module
from chatbot.storage.bm25 import K1, B, LexicalIndex
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents, NewVersion
from chatbot.text.analysis import query_terms, terms
from tests.conftest import publish

pytestmark = pytest.mark.slow

WORDS = ["carbon", "energy", "river", "forest", "market", "policy", "climate", "water", "solar", "tax", "flood", "city"]


async def add(
    documents: Documents, name: str, texts: dict[str, str], language: Language = "en", **metadata: Any
) -> None:
    """One document whose title and headings add no terms."""
    new = NewVersion("", "text/plain", metadata, name.encode(), language)
    document, _ = await documents.accept(name, new, None)
    chunks = [
        Chunk(id, document.id, position, text, "", None, document.language)
        for position, (id, text) in enumerate(texts.items())
    ]
    await publish(documents, document.id, chunks, "", language)


def bm25(query: set[str], texts: dict[str, str]) -> dict[str, float]:
    """Robertson's formula with Lucene's idf, over all texts."""
    counts = {id: Counter(terms(text, "en")) for id, text in texts.items()}
    mean = sum(count.total() for count in counts.values()) / len(counts)
    scores: dict[str, float] = {}
    for term in query:
        holding = [id for id in counts if counts[id][term]]
        idf = math.log(1 + (len(counts) - len(holding) + 0.5) / (len(holding) + 0.5))
        for id in holding:
            frequency, length = counts[id][term], counts[id].total()
            weight = frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * length / mean))
            scores[id] = scores.get(id, 0) + idf * weight
    return scores


async def test_scores_are_bm25(documents: Documents, lexical: LexicalIndex) -> None:
    draw = random.Random(3)
    texts = {f"c{n}": " ".join(draw.choices(WORDS, k=draw.randint(3, 40))) for n in range(60)}
    await add(documents, "all", texts)
    query = terms("carbon tax policy, carbon", "en")
    expected = bm25(set(query), texts)
    hits = await lexical.search(query, 100, {})
    assert {hit.chunk_id: hit.score for hit in hits} == pytest.approx(expected)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert await lexical.search(query, 5, {}) == hits[:5]


RECOUNT = """
SELECT term, count(*) AS chunks FROM postings GROUP BY term
EXCEPT SELECT term, sum(chunks)::bigint FROM term_statistics GROUP BY term
"""
KEPT = """
SELECT term, sum(chunks)::bigint AS chunks FROM term_statistics GROUP BY term HAVING sum(chunks) <> 0
EXCEPT SELECT term, count(*) FROM postings GROUP BY term
"""
TOTALS = """
SELECT coalesce(sum(chunks), 0)::bigint = (SELECT count(*) FROM chunks)
    AND coalesce(sum(length), 0)::bigint = (SELECT coalesce(sum(length), 0) FROM chunks) AS equal
FROM corpus_statistics
"""


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_kept_of_terms_is_what_a_recount_finds(
    documents: Documents, database: Database, seed: int
) -> None:
    """Documents come, change and go, several at once."""
    draw = random.Random(seed)

    async def one(name: str) -> None:
        if draw.random() < 0.3:
            found = await documents.find(name)
            if found:
                await documents.delete(found.id)
            return
        texts = {f"{name}-{n}": " ".join(draw.choices(WORDS, k=draw.randint(1, 12))) for n in range(draw.randint(0, 4))}
        await add(documents, name, texts)

    for _ in range(8):
        await asyncio.gather(*(one(name) for name in draw.sample("abcdefgh", k=6)))
        assert await database.rows(RECOUNT) == []
        assert await database.rows(KEPT) == []
        assert await database.row(TOTALS) == {"equal": True}


async def test_a_frequent_term_is_read_in_part_and_the_best_are_found(
    documents: Documents, lexical: LexicalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(5)
    texts = {f"c{n}": " ".join(["climate", *draw.choices(WORDS[:6], k=draw.randint(3, 40))]) for n in range(200)}
    texts |= {f"d{n}": " ".join(["flood", "climate", *draw.choices(WORDS[:6], k=30)]) for n in range(15)}
    await add(documents, "all", texts, year=2020)
    query = terms("climate carbon flood", "en")
    expected = await lexical.search(query, 10, {})
    assert [each.score for each in expected] == pytest.approx(sorted(bm25(set(query), texts).values())[:-11:-1])
    monkeypatch.setattr(module, "MOST", 40)
    assert await lexical.search(query, 10, {}) == expected
    monkeypatch.setattr(module, "FEW", 10)
    assert await lexical.search(query, 10, {"year": [2020]}) == expected
    assert await lexical.search(query, 10, {"year": [2021]}) == []


async def test_nothing_to_find(documents: Documents, lexical: LexicalIndex) -> None:
    assert await lexical.search(["carbon"], 5, {}) == []
    await add(documents, "one", {"c1": "carbon"})
    assert await lexical.search([], 5, {}) == []
    assert await lexical.search(["absent"], 5, {}) == []


async def test_inflected_words_in_both_languages(documents: Documents, lexical: LexicalIndex) -> None:
    await add(documents, "en", {"english": "The taxes on emissions were raised."})
    await add(documents, "fr", {"french": "Les forêts tropicales disparaissent."}, language="fr")
    assert [hit.chunk_id for hit in await lexical.search(query_terms("emission tax"), 5, {})] == ["english"]
    assert [hit.chunk_id for hit in await lexical.search(query_terms("la forêt tropicale"), 5, {})] == ["french"]


async def test_the_title_counts(documents: Documents, lexical: LexicalIndex) -> None:
    document, _ = await documents.accept("s", NewVersion("Photovoltaics", "text/plain", {}, b""), None)
    chunk = Chunk("c1", document.id, 0, "They got cheaper.", "", None, "en")
    await publish(documents, document.id, [chunk], "Photovoltaics")
    assert [hit.chunk_id for hit in await lexical.search(query_terms("photovoltaics"), 5, {})] == ["c1"]
    await publish(documents, document.id, [chunk], "Windmills")
    assert await lexical.search(query_terms("photovoltaics"), 5, {}) == []
    assert [hit.chunk_id for hit in await lexical.search(query_terms("windmill"), 5, {})] == ["c1"]


@pytest.mark.parametrize("few", [0, module.FEW])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"year": [2020]}, {"a"}),
        ({"year": [2020, 2021]}, {"a", "b"}),
        ({"year": ["2020"]}, set()),
        ({"year": []}, set()),
        ({"authors": ["Curie"]}, {"a", "b"}),
        ({"authors": ["Curie"], "year": [2021]}, {"b"}),
        ({"open": [True]}, {"a"}),
        ({"missing": ["x"]}, set()),
        ({"language": ["fr"]}, {"c"}),
        ({"O'Neil\" %(x)s :y": ["'; --"]}, {"c"}),
    ],
)
async def test_filters(
    documents: Documents,
    lexical: LexicalIndex,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict,
    expected: set[str],
    few: int,
) -> None:
    monkeypatch.setattr(module, "FEW", few)
    await add(documents, "1", {"a": "carbon"}, year=2020, authors=["Curie", "Perrin"], open=True)
    await add(documents, "2", {"b": "carbon"}, year=2021, authors=["Curie", "Noether"], open=False)
    odd: dict = {"O'Neil\" %(x)s :y": "'; --"}
    await add(documents, "3", {"c": "carbone"}, language="fr", year=2022, **odd)
    assert {hit.chunk_id for hit in await lexical.search(query_terms("carbon carbone"), 10, filters)} == expected
