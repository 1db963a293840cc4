"""BM25 in PostgreSQL: how often each chunk holds each term (the postings), and one SQL statement that ranks them.

    await write_postings(connection, keys, counts)      # in the transaction that makes the chunks findable
    hits = await LexicalIndex(database).search(["carbon", "tax"], limit=20, filters={"year": [2023, 2024]})

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with Lucene's idf, which is
never negative: ln(1 + (N - df + 0.5) / (df + 0.5)). N, df and the mean length are kept by the database (migration
0012). Of each term the postings that may add most are read, in the order of an index, and the scores of the chunks that
these bring to the front are completed: the ranking is the exact one while no term stands in more than MOST chunks, and
beyond that a question costs what it cost at that size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from chatbot.domain import Chunk, Filters, Hit
from chatbot.storage.database import Database, of_documents
from chatbot.text.analysis import terms

K1 = 1.2
"""How soon repeating a term stops to count."""
B = 0.75
"""How much a long chunk is held against it, 0 to 1."""

MOST = 2000
"""Postings of a term that are read, those that may add most: a frequent term costs no more than one in 2,000 chunks."""
COMPLETED = 4
"""So many times what is asked for are the chunks whose score is completed by postings that were not read, if any."""
FEW = 5000
"""Chunks that pass a filter: so many are looked up one by one; where more pass, twice as many postings are read."""

ASKED = """
WITH corpus AS (
    SELECT sum(chunks)::float8 AS size, sum(length)::float8 / nullif(sum(chunks), 0)::float8 AS mean
    FROM corpus_statistics
), asked AS (
    SELECT term, holding, mean, ln(1 + (size - holding + 0.5) / (holding + 0.5)) AS idf FROM corpus, (
        SELECT term, sum(chunks)::float8 AS holding FROM term_statistics WHERE term = ANY(%(terms)s) GROUP BY term
    ) AS known WHERE holding > 0
)
"""
WEIGHT = "idf * frequency * (%(k1)s + 1) / (frequency + %(k1)s * (1 - %(b)s + %(b)s * length / mean))"
IMPACT = "frequency::float8 / (frequency::float8 + 0.3 + 0.006 * length::float8)"
"""As the index postings_impact has it: the weight in a corpus whose chunks have 150 terms, all but idf."""
BY_KEY = "postings.ctid <> '(0,0)'"
"""Always true, and in no index: the planner would look a posting up in postings_impact, whose columns suffice, and read
all of its term there; so it takes the primary key."""
SEARCH = f"""{ASKED}, likely AS (
    SELECT chunk_key, sum({WEIGHT}) AS score FROM asked CROSS JOIN LATERAL (
        SELECT chunk_key, frequency, length FROM postings WHERE postings.term = asked.term
        ORDER BY {IMPACT} DESC LIMIT %(most)s
    ) AS best {{among}} GROUP BY chunk_key ORDER BY score DESC, chunk_key
    LIMIT (SELECT %(limit)s * CASE WHEN max(holding) > %(most)s THEN {COMPLETED} ELSE 1 END FROM asked)
), found AS (
    SELECT chunk_key, sum({WEIGHT} ORDER BY term) AS score FROM likely CROSS JOIN asked CROSS JOIN LATERAL (
        SELECT frequency, length FROM postings
        WHERE postings.term = asked.term AND chunk_key = likely.chunk_key AND {BY_KEY} LIMIT 1
    ) AS each GROUP BY chunk_key ORDER BY score DESC, chunk_key LIMIT %(limit)s
)
SELECT id, score FROM found JOIN chunks ON key = chunk_key ORDER BY score DESC, key
"""
AMONG = """WHERE EXISTS (
    SELECT FROM chunks JOIN documents ON documents.id = document_id WHERE key = chunk_key AND {conditions}
)"""
ALLOWED = """
SELECT key FROM chunks JOIN documents ON documents.id = document_id WHERE {conditions} LIMIT %(few)s
"""
SEARCH_FEW = f"""{ASKED}
SELECT id, score FROM (
    SELECT key, sum({WEIGHT} ORDER BY term) AS score FROM unnest(%(keys)s::bigint[]) AS allowed (key) CROSS JOIN asked
    CROSS JOIN LATERAL (
        SELECT frequency, length FROM postings
        WHERE postings.term = asked.term AND chunk_key = allowed.key AND {BY_KEY} LIMIT 1
    ) AS each GROUP BY key ORDER BY score DESC, key LIMIT %(limit)s
) AS found JOIN chunks USING (key) ORDER BY score DESC, key
"""
WRITE = """
INSERT INTO postings (term, chunk_key, frequency, length)
SELECT * FROM unnest(%(terms)s::text[], %(keys)s::bigint[], %(frequencies)s::smallint[], %(lengths)s::int[])
"""


class LexicalIndex:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, terms: Sequence[str], limit: int, filters: Filters) -> list[Hit]:
        """The chunks that hold some of the terms (stems, as `rag.analyse` makes them), best first."""
        values: dict[str, Any] = {"terms": sorted(set(terms)), "limit": limit, "most": MOST, "k1": K1, "b": B}
        statement = SEARCH.format(among="")
        if filters:
            conditions, wanted = of_documents(filters)
            allowed = await self._database.rows(ALLOWED.format(conditions=conditions), {**wanted, "few": FEW + 1})
            if len(allowed) <= FEW:
                statement, values = SEARCH_FEW, values | {"keys": [row["key"] for row in allowed]}
            else:
                statement, values = SEARCH.format(among=AMONG.format(conditions=conditions)), values | wanted
                values["most"] = 2 * MOST
        return [Hit(row["id"], row["score"]) for row in await self._database.rows(statement, values)]


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
