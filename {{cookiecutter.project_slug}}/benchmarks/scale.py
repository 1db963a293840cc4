"""How search grows with the corpus: the same questions over ever more chunks.

python -m benchmarks.scale ../scifact                               1,000, 10,000 and 100,000 chunks
python -m benchmarks.scale ../scifact --sizes 1000 300000 --vectors --json

The chunks are those of a data set in the BEIR layout, then copies of them in which a third of the words are others: two
thirds of all words become more frequent with each copy, which is harder than a real corpus. Copies are made inside
PostgreSQL, with the triggers and indexes that an ingestion meets; a document of its own holds ten chunks and has a
year. `--vectors` adds vectors with some structure to the chosen vector database, and searches by them.

p50 and p99 are milliseconds of one search at a time, the way over the driver included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import hypot
from pathlib import Path
from typing import Any

from benchmarks.beir import WORK, Dataset, fresh, load
from chatbot import settings
from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import Filters, Point, UnreadableDocument
from chatbot.ingestion import chunk
from chatbot.ingestion.parsing.parse import parse
from chatbot.runtime.migrate import migrate
from chatbot.storage.documents import Description, NewVersion
from chatbot.text.analysis import query_terms

SIZES = (1_000, 10_000, 100_000)
QUESTIONS = 100
YEARS = 10
DIMENSION, CENTRES, BATCH = 384, 500, 500
POOL = 100
"""Hits asked for, as a question does."""

BASE = """
CREATE TABLE base_chunks AS SELECT row_number() OVER (ORDER BY key) - 1 AS number, * FROM chunks;
CREATE TABLE base_postings AS SELECT number, term, frequency, postings.length
FROM postings JOIN base_chunks ON key = chunk_key;
CREATE INDEX ON base_postings (number);
TRUNCATE documents, document_versions, readings, originals, chunks, postings, embeddings, term_statistics,
    corpus_statistics
"""
# The n-th chunk of all is a copy of the (n mod size)-th.
DOCUMENTS = """
INSERT INTO documents (id, source, title, media_type, language, metadata, content_hash)
SELECT 'd' || n, 'd' || n, 'Document ' || n, 'text/plain', 'en', jsonb_build_object('year', 2000 + mod(n, %(years)s)),
    'x'
FROM generate_series(%(start)s::int / 10, (%(end)s::int - 1) / 10) AS n ON CONFLICT DO NOTHING
"""
CHUNKS = """
INSERT INTO chunks (key, id, document_id, position, text, heading, page, language, length)
SELECT n, 'c' || n, 'd' || n / 10, mod(n, 10), text, heading, page, language, length
FROM generate_series(%(start)s::int, %(end)s::int - 1) AS n JOIN base_chunks ON number = mod(n, %(base)s)
"""
POSTINGS = """
INSERT INTO postings (term, chunk_key, frequency, length)
SELECT CASE WHEN n >= %(base)s AND mod(hashtext(term), 3) = 0 THEN term || '~' || n / %(base)s ELSE term END,
    n, frequency, length
FROM generate_series(%(start)s::int, %(end)s::int - 1) AS n JOIN base_postings ON number = mod(n, %(base)s)
"""
MEGABYTES = """
SELECT sum(pg_total_relation_size(oid)) / 1e6 AS chunks FROM pg_class
WHERE relname IN ('documents', 'chunks', 'postings', 'term_statistics') AND relkind = 'r'
"""


@dataclass(slots=True)
class Row:
    """Figures at one size; milliseconds as (p50, p99)."""

    chunks: int
    chunks_a_second: float = 0.0
    """Copied, with postings, counts and indexes."""
    megabytes: float = 0.0
    milliseconds: dict[str, tuple[float, float]] = field(default_factory=dict)


async def base(services: Services, data: Dataset) -> int:
    """The data set's own chunks, kept aside; how many."""
    for record in data.documents:
        content = f"{record.get('title') or record['_id']}\n\n{record['text']}".encode()
        try:
            parsed = parse(content, f"{record['_id']}.txt")
        except UnreadableDocument:
            continue
        new = NewVersion(parsed.title, "text/plain", {}, content)
        document, _ = await services.documents.accept(record["_id"], new, None)
        wanted = await services.documents.wanted(document.id)
        assert wanted
        chunks = chunk.chunk(document.id, parsed, services.settings.chunk_chars, services.settings.chunk_overlap)
        await services.documents.switch(wanted, chunks, Description(parsed.title, parsed.language, {}))
    for statement in BASE.split(";"):
        await services.database.rows(statement)
    row = await services.database.row("SELECT count(*) AS number FROM base_chunks")
    assert row
    number: int = row["number"]
    return number


async def grow(services: Services, size: int, start: int, end: int) -> float:
    """Add chunks; how many a second."""
    began = time.perf_counter()
    for first in range(start, end, BATCH):
        values = {"start": first, "end": min(first + BATCH, end), "base": size, "years": YEARS}
        async with services.database.transaction() as connection:
            for statement in (DOCUMENTS, CHUNKS, POSTINGS):
                await connection.execute(statement, values)
    seconds = time.perf_counter() - began
    async with services.database._connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("VACUUM ANALYZE")
    return (end - start) / seconds


class Vectors:
    """Unit vectors around some centres, the same at each run."""

    def __init__(self) -> None:
        self._draw = random.Random(1)  # noqa: S311 - vectors, no secrets
        self._centres = [[self._draw.gauss(0, 1) for _ in range(DIMENSION)] for _ in range(CENTRES)]

    def one(self) -> list[float]:
        near = [each + self._draw.gauss(0, 0.7) for each in self._draw.choice(self._centres)]
        length = hypot(*near)
        return [each / length for each in near]


async def add_vectors(services: Services, vectors: Vectors, start: int, end: int) -> None:
    for first in range(start, end, BATCH):
        numbers = range(first, min(first + BATCH, end))
        points = [Point(f"c{n}", f"d{n // 10}", vectors.one(), {"year": 2000 + n // 10 % YEARS}) for n in numbers]
        await services.vectors.upsert("scale", points)


async def timed(search: Callable[[int], Awaitable[Any]]) -> tuple[float, float]:
    """p50 and p99 of so many searches, after some that warm up."""
    seconds = []
    for number in [*range(10), *range(QUESTIONS)]:
        began = time.perf_counter()
        await search(number)
        seconds.append(time.perf_counter() - began)
    ordered = sorted(each * 1000 for each in seconds[10:])
    return round(ordered[len(ordered) // 2], 1), round(ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)], 1)


async def run(data: Dataset, sizes: Sequence[int], with_vectors: bool, values: dict[str, str]) -> list[Row]:
    configured = settings.load(**values)
    await migrate(configured)
    services, vectors, rows, there = bootstrap(configured), Vectors(), [], 0
    questions = [query_terms(query["text"]) for query in data.queries[:QUESTIONS]]
    filters: dict[str, Filters] = {"": {}, ", a tenth": {"year": [2003]}, ", half": {"year": [*range(2000, 2005)]}}
    try:
        size = await base(services, data)
        if with_vectors:
            await services.vectors.create("scale", DIMENSION)
        for chunks in sizes:
            row = Row(chunks, round(await grow(services, size, there, chunks)))
            found = await services.database.row(MEGABYTES)
            row.megabytes = round(float(found["chunks"])) if found else 0
            for name, wanted in filters.items():

                async def by_words(number: int, wanted: Filters = wanted) -> None:
                    await services.lexical.search(questions[number % len(questions)], POOL, wanted)

                row.milliseconds[f"words{name}"] = await timed(by_words)
            if with_vectors:
                await add_vectors(services, vectors, there, chunks)
                for name, wanted in filters.items():

                    async def by_meaning(number: int, wanted: Filters = wanted) -> None:
                        await services.vectors.search("scale", vectors.one(), POOL, wanted)

                    row.milliseconds[f"vectors{name}"] = await timed(by_meaning)
            rows.append(row)
            there = chunks
        return rows
    finally:
        await services.aclose()


def show(rows: Sequence[Row]) -> None:
    names = list(rows[0].milliseconds)
    print(f"{'chunks':>9}{'a second':>10}{'MB':>8}" + "".join(f"{name:>18}" for name in names))
    for row in rows:
        times = "".join(f"{row.milliseconds[name][0]:>10} /{row.milliseconds[name][1]:>6}" for name in names)
        print(f"{row.chunks:>9,}{row.chunks_a_second:>10,.0f}{row.megabytes:>8,.0f}{times}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a data set in the BEIR layout")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many chunks, ever more")
    parser.add_argument("--vectors", action="store_true", help="the vector database too")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    options = parser.parse_args()
    data = load(options.folder, QUESTIONS)
    with fresh(WORK / "scale", os.environ) as values:
        rows = asyncio.run(run(data, sorted(options.sizes), options.vectors, values))
    print(json.dumps([asdict(row) for row in rows])) if options.json else show(rows)


if __name__ == "__main__":
    main()
