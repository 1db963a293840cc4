"""BM25 in PostgreSQL: how often each chunk holds each term (the postings), and one SQL statement that ranks them.

    await write_postings(connection, keys, counts)      # in the transaction that makes the chunks findable
    hits = await LexicalIndex(database).search(["carbon", "tax"], limit=20, filters={"year": [2023, 2024]})

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with Lucene's idf, which is
never negative: ln(1 + (N - df + 0.5) / (df + 0.5)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from chatbot.domain import Chunk, Filters, Hit
from chatbot.storage.database import Database, matching
from chatbot.text.analysis import terms

K1 = 1.2
"""How soon repeating a term stops to count."""
B = 0.75
"""How much a long chunk is held against it, 0 to 1."""

SEARCH = """
WITH corpus AS (
    SELECT count(*)::float8 AS size, coalesce(avg(length), 1)::float8 AS mean FROM chunks
), rarity AS (
    SELECT term, ln(1 + (size - count(*) + 0.5) / (count(*) + 0.5)) AS idf
    FROM postings, corpus WHERE term = ANY(%(terms)s) GROUP BY term, size
), best AS (
    SELECT chunk_key,
        sum(idf * frequency * (%(k1)s + 1) / (frequency + %(k1)s * (1 - %(b)s + %(b)s * length / mean))) AS score
    FROM postings JOIN rarity USING (term), corpus WHERE term = ANY(%(terms)s) {among}
    GROUP BY chunk_key ORDER BY score DESC, chunk_key LIMIT %(limit)s
)
SELECT id, score FROM best JOIN chunks ON key = chunk_key ORDER BY score DESC, key
"""

# IS TRUE keeps the planner from making a join of it: it cannot know how many documents a filter leaves, and would visit
# all postings of each. As it is, the chunks allowed go into a hash table that each posting is looked up in.
AMONG = """AND (chunk_key IN (
    SELECT key FROM chunks
    JOIN (SELECT id, metadata || jsonb_build_object('language', language) AS known FROM documents) AS described
        ON described.id = document_id
    WHERE {conditions}
)) IS TRUE"""


WRITE = """
INSERT INTO postings (term, chunk_key, frequency, length)
SELECT * FROM unnest(%(terms)s::text[], %(keys)s::bigint[], %(frequencies)s::smallint[], %(lengths)s::int[])
"""


class LexicalIndex:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, terms: Sequence[str], limit: int, filters: Filters) -> list[Hit]:
        """The chunks that hold some of the terms (stems, as `rag.analyse` makes them), best first."""
        conditions, values = matching("known", filters)
        among = AMONG.format(conditions=conditions) if filters else ""
        weights = {"terms": sorted(set(terms)), "limit": limit, "k1": K1, "b": B}
        rows = await self._database.rows(SEARCH.format(among=among), weights | values)
        return [Hit(row["id"], row["score"]) for row in rows]


def counted(title: str, chunks: Sequence[Chunk]) -> list[Counter[str]]:
    """How often each chunk holds each term; the title counts, once, wherever the heading does not repeat it."""
    counts = []
    for chunk in chunks:
        above = chunk.heading if title in chunk.heading else f"{title}\n{chunk.heading}"
        counts.append(Counter(terms(f"{above}\n{chunk.text}", chunk.language)))
    return counts


async def write_postings(connection: AsyncConnection[Any], keys: Sequence[int], counts: Sequence[Counter[str]]) -> None:
    """Write the postings anew, those of kept chunks too: their title or language may be another one."""
    await connection.execute("DELETE FROM postings WHERE chunk_key = ANY(%s)", [list(keys)])
    rows = [
        (term, key, min(frequency, 32_767), count.total())
        for key, count in zip(keys, counts, strict=True)
        for term, frequency in count.items()
    ]
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    names = ("terms", "keys", "frequencies", "lengths")
    await connection.execute(WRITE, dict(zip(names, map(list, columns), strict=True)))
