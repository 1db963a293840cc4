"""How well the chatbot retrieves and answers, on any data set in the BEIR layout, through the real pipeline.

python -m benchmarks.beir ../scifact            nDCG@10, recall@5, recall@10
python -m benchmarks.beir ../xquad-en --json    also hit@5, answers that hold a right one, and refusals, where queries
                                                have metadata.answers: of all, and with the article taken out

The folder holds corpus.jsonl (or .jsonl.gz), queries.jsonl and qrels/test.tsv. Documents go through the ingester into
PostgreSQL and the vector store: those of DATABASE_URL if it is set (use an empty one), else of services started for
the occasion. Embeddings are kept in .services/benchmarks, so that only the first run takes long.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log2
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.progress import track

from chatbot import settings
from chatbot.answering.answer import Answerer
from chatbot.answering.retrieve import Retriever
from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import Filters, JobRequest, Passage, Question, UnreadableDocument
from chatbot.ports import Embedder
from chatbot.runtime.migrate import migrate
from chatbot.text.analysis import detect_language
from services import start

WORK = Path(".services/benchmarks")
EMBEDDINGS = WORK / "embeddings.sqlite"
CANDIDATES = 40
"""Passages retrieved a query, of which the first ten different documents are judged."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """`relevant`: by query, the gain of each relevant document."""

    documents: Sequence[Record]
    queries: Sequence[Record]
    relevant: Mapping[str, Mapping[str, int]]


def load(folder: Path, limit: int | None) -> Dataset:
    """The data set, with only its first `limit` judged queries. Ends the program when it is none."""
    try:
        return _load(folder, limit)
    except FileNotFoundError as error:
        sys.exit(f"{folder} is not a data set in the BEIR layout: {error.filename} is missing.")


def _load(folder: Path, limit: int | None) -> Dataset:
    corpus = folder / "corpus.jsonl"
    documents = _lines(corpus if corpus.exists() else corpus.with_suffix(".jsonl.gz"))
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, gain = line.split("\t")
        if int(gain) > 0:
            relevant[query][document] = int(gain)
    queries = [query for query in _lines(folder / "queries.jsonl") if query["_id"] in relevant]
    return Dataset([*documents], queries[:limit], relevant)


def _lines(path: Path) -> Iterator[Record]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


class CachedEmbedder:
    """Another embedder that remembers every vector it made, in a file, by model and text."""

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self._embedder = embedder
        self.model, self.dimension = embedder.model, embedder.dimension
        path.parent.mkdir(parents=True, exist_ok=True)
        self._cache = sqlite3.connect(path)
        self._cache.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB)")

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        missing = [text for text in dict.fromkeys(texts) if self._get("passage", text) is None]
        for text, vector in zip(missing, await self._embedder.embed_passages(missing), strict=True):
            self._put("passage", text, vector)
        return [self._get("passage", text) or [] for text in texts]

    async def embed_query(self, text: str) -> list[float]:
        if (vector := self._get("query", text)) is None:
            vector = await self._embedder.embed_query(text)
            self._put("query", text, vector)
        return vector

    async def close(self) -> None:
        await self._embedder.close()
        self._cache.close()

    def _key(self, kind: str, text: str) -> str:
        return hashlib.sha256(f"{self.model}\x1f{kind}\x1f{text}".encode()).hexdigest()

    def _get(self, kind: str, text: str) -> list[float] | None:
        row = self._cache.execute("SELECT vector FROM vectors WHERE key = ?", [self._key(kind, text)]).fetchone()
        return list(array("f", row[0])) if row else None

    def _put(self, kind: str, text: str, vector: Sequence[float]) -> None:
        values = (self._key(kind, text), array("f", vector).tobytes())
        self._cache.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?)", values)
        self._cache.commit()


async def ingest(services: Services, documents: Sequence[Record], console: Console) -> None:
    """Each document as a text file, its title above a blank line. Those without text are left out, as in production."""
    for document in track(documents, "Ingesting", console=console):
        content = f"{document.get('title') or document['_id']}\n\n{document['text']}".encode()
        try:
            at_once = JobRequest("ingest", begun=True)
            name = f"{document['_id']}.txt"
            registered, job = await services.ingester.register(document["_id"], name, content, {}, at_once)
            if job:
                await services.ingester.process(registered.id, _ignore, job.claim)
                await services.jobs.succeed(job.claim)
        except UnreadableDocument as problem:
            console.print(f"left out: {problem}")


async def _ignore(fraction: float) -> None: ...


async def measure(services: Services, data: Dataset, console: Console) -> dict[str, float]:
    """The mean of every measure over the queries."""
    scores: dict[str, list[float]] = defaultdict(list)
    for query in track(data.queries, "Asking", console=console):
        passages = await services.retriever.search(query["text"], CANDIDATES, {})
        ranking = list(dict.fromkeys(passage.source for passage in passages))
        relevant = data.relevant[query["_id"]]
        scores["ndcg@10"].append(ndcg(ranking[:10], relevant))
        for depth in (5, 10):
            scores[f"recall@{depth}"].append(len(relevant.keys() & ranking[:depth]) / len(relevant))
        if answers := (query.get("metadata") or {}).get("answers"):
            scores["hit@5"].append(bool(relevant.keys() & {passage.source for passage in passages[:5]}))
            right, refused = await _answers(services.answerer, query["text"], answers)
            scores["answer"].append(right)
            scores["refused"].append(refused)
            titles = {passage.title for passage in passages if passage.source in relevant}
            without = Answerer(_Without(services.retriever, titles), services.model, services.settings.passages)  # type: ignore[arg-type]
            scores["refused without"].append((await _answers(without, query["text"], answers))[1])
    return {"queries": len(data.queries), **{name: round(mean(values), 4) for name, values in scores.items()}}


def ndcg(ranking: Sequence[str], relevant: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain, as trec_eval has it: gain over log2(rank + 1)."""
    gained = sum(relevant.get(document, 0) / log2(rank + 1) for rank, document in enumerate(ranking, start=1))
    best = sorted(relevant.values(), reverse=True)[: max(len(ranking), 10)]
    return gained / sum(gain / log2(rank + 1) for rank, gain in enumerate(best, start=1))


class _Without:
    """A retriever that does not know the documents of some titles: what they alone answer is to be refused."""

    def __init__(self, retriever: Retriever, titles: set[str]) -> None:
        self._retriever, self._titles = retriever, titles
        self.embedding_model = retriever.embedding_model

    async def search(self, text: str, limit: int, filters: Filters) -> list[Passage]:
        found = await self._retriever.search(text, CANDIDATES, filters)
        return [passage for passage in found if passage.title not in self._titles][:limit]

    async def references(self, passages: Sequence[Passage]) -> list[Passage]:
        return await self._retriever.references(passages)


async def _answers(answerer: Answerer, question: str, answers: Sequence[str]) -> tuple[bool, bool]:
    """Whether the chatbot's answer holds one of the right ones, and whether it is a refusal, which does not."""
    answer = await answerer.answer(Question(question, detect_language(question)))
    right = any(each.casefold() in answer.text.casefold() for each in answers)
    return answer.grounded and right, not answer.grounded


@contextmanager
def fresh(folder: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Services that start empty, but for those that `environ` names; the settings by field."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with start(folder, environ) as urls:
        yield {name.lower(): url for name, url in urls.items()}


async def connected(values: Mapping[str, Any], embeddings: Path) -> Services:
    """The chatbot over migrated tables, with remembered embeddings."""
    configured = settings.load(**values)
    await migrate(configured)
    embedder = CachedEmbedder(bootstrap(configured).embedder, embeddings)
    return bootstrap(configured, embedder=embedder)


async def run(data: Dataset, values: Mapping[str, str], console: Console) -> dict[str, float]:
    services = await connected(values, EMBEDDINGS)
    try:
        await ingest(services, data.documents, console)
        return await measure(services, data, console)
    finally:
        await services.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.beir", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a data set in the BEIR layout")
    parser.add_argument("--limit", type=int, help="ask only so many queries")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    data = load(options.folder, options.limit)
    console = Console(stderr=True)
    with fresh(WORK / "services", os.environ) as values:
        result = asyncio.run(run(data, values, console))
    print(json.dumps(result) if options.json else "\n".join(f"{name:>10} {value:g}" for name, value in result.items()))


if __name__ == "__main__":
    main()
