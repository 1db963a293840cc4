"""What this project's own vector store and queue do: recall, latency, throughput, and what becomes of a killed worker.

python -m benchmarks.attached                                  10,000 vectors in the store, 1,000 jobs on the queue
python -m benchmarks.attached --corpus ../xquad-en --questions 200 --ranking ../scifact --json

Services are started empty for each part; those that VECTOR_DB_URL and QUEUE_URL name are used instead, and have to be
empty. --corpus finds the first passage of each question, to be compared with another store's; --ranking the nDCG@10.
Both are data sets in the BEIR layout, and go through the real pipeline.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.beir import EMBEDDINGS, WORK, Dataset, connected, fresh, ingest, load, measure
from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import Claim, JobRequest, JobState, Point
from chatbot.jobs import worker
from chatbot.jobs.outbox import dispatch, submit
from chatbot.ports import VectorStore
from chatbot.settings import Settings
from chatbot.storage.indexes import index_name
from services import ServiceError

ATTACHED = ("VECTOR_DB_URL", "QUEUE_URL")
INDEX, DIMENSION, BATCH = "benchmark-vectors", 384, 500
TOPICS, SPREAD = 100, 0.6
"""Embeddings of texts lie in clusters: here two vectors of one topic have a cosine similarity of about 0.7."""
QUERIES, NEIGHBOURS, ONE_IN = 200, 10, 100
"""The filter leaves one point in a hundred."""
MESSAGES, CONCURRENCY = 1000, 16
LEASE, JOBS, AT_ONCE, SECONDS = 2.0, 8, 4, 1.0
"""A worker is killed while it runs 4 of 8 jobs, of a second each; their lease is two seconds."""
PATIENCE = 60.0
"""Seconds to wait for jobs that do not get done."""

Figures = dict[str, Any]
Part = Callable[[Services], Awaitable[Figures]]
CONSOLE = Console(stderr=True)


def random_vectors(count: int, draw: np.random.Generator) -> np.ndarray:
    """Without any structure, all about equally far from each other: the hardest case for an approximate index."""
    return _unit(draw.normal(size=(count, DIMENSION)))


def clustered_vectors(count: int, draw: np.random.Generator) -> np.ndarray:
    """Around topics, as embeddings of texts are."""
    topics = np.random.default_rng(0).normal(size=(TOPICS, DIMENSION))
    return _unit(topics[draw.integers(TOPICS, size=count)] + SPREAD * draw.normal(size=(count, DIMENSION)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


async def vectors(make: Callable[[int, np.random.Generator], np.ndarray], count: int, services: Services) -> Figures:
    """How fast the store takes points and finds them, and how many of the true nearest it finds."""
    draw, store = np.random.default_rng(7), services.vectors
    points, queries = make(count, draw), make(QUERIES, draw)
    await store.create(INDEX, DIMENSION)
    try:
        seconds = await _upsert(store, points)
        found = await _search(store, points, queries, 1)
        filtered = await _search(store, points, queries, ONE_IN)
    finally:
        await store.drop(INDEX)
    return {
        **found,
        **{f"filtered_{name}": value for name, value in filtered.items()},
        "points_per_second": round(count / seconds),
    }


async def _upsert(store: VectorStore, vectors: np.ndarray) -> float:
    """Seconds that the store took."""
    points = [
        Point(f"c{number}", f"d{number // 10}", vector.tolist(), {"group": number % ONE_IN})
        for number, vector in enumerate(vectors)
    ]
    began = time.perf_counter()
    for start in track(range(0, len(points), BATCH), "Upserting", console=CONSOLE):
        await store.upsert(INDEX, points[start : start + BATCH])
    return time.perf_counter() - began


async def _search(store: VectorStore, vectors: np.ndarray, queries: np.ndarray, one_in: int) -> Figures:
    """Recall against exact search, and latency; the first search is not timed, since it may load things."""
    await store.search(INDEX, queries[0].tolist(), NEIGHBOURS, {})
    times, found, sought = [], 0, 0
    for number, query in enumerate(track(queries, "Searching", console=CONSOLE)):
        group, wanted = number % one_in, query.tolist()
        filters = {"group": [group]} if one_in > 1 else {}
        began = time.perf_counter()
        hits = await store.search(INDEX, wanted, NEIGHBOURS, filters)
        times.append(1000 * (time.perf_counter() - began))
        among = np.arange(group, len(vectors), one_in)
        nearest = among[np.argsort(-(vectors[among] @ query))[:NEIGHBOURS]]
        found += len({f"c{point}" for point in nearest} & {hit.chunk_id for hit in hits})
        sought += len(nearest)
    p50, p99 = np.percentile(times, [50, 99]).tolist()
    return {"recall@10": round(found / sought, 4), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}


async def throughput(services: Services) -> Figures:
    """Job ids sent one after another, then handled by one worker that has nothing to do for them."""
    if await services.queue.depth():
        sys.exit("The queue holds messages already: set QUEUE_URL to an empty one.")
    began = time.perf_counter()
    for number in track(range(MESSAGES), "Sending", console=CONSOLE):
        await services.queue.send(str(number))
    sent = time.perf_counter()
    handled = await _handle_all(services)
    return {
        "sent_per_second": round(MESSAGES / (sent - began)),
        "handled_per_second": round(MESSAGES / (handled - sent)),
    }


async def _handle_all(services: Services) -> float:
    """The moment of the last one."""
    handled: dict[str, float] = {}
    stop = asyncio.Event()

    async def handle(job_id: str) -> None:
        handled.setdefault(job_id, time.perf_counter())
        if len(handled) == MESSAGES:
            stop.set()

    await services.queue.run(handle, CONCURRENCY, stop)
    return max(handled.values())


@dataclass(frozen=True)
class Effects:
    """In the ingester's place: each job takes a second, and its effect is a line in a file."""

    file: Path

    async def process(self, document_id: str, _: Callable[[float], Awaitable[None]], claim: Claim) -> None:
        await asyncio.sleep(SECONDS)
        self._add(document_id)

    def counts(self) -> Counter[str]:
        return Counter(self.file.read_text().split())

    def _add(self, document_id: str) -> None:
        with self.file.open("a") as lines:
            lines.write(f"{document_id}\n")


def do_jobs(configured: Settings, effects: Effects) -> None:
    """A worker process."""
    asyncio.run(worker.work(bootstrap(configured, ingester=effects), asyncio.Event()))


async def killed_worker(services: Services) -> Figures:
    """Kill a worker (SIGKILL) in the midst of its jobs, and start another one: seconds until all jobs are done."""
    effects = Effects(WORK / "effects")
    effects.file.write_text("")
    for number in range(JOBS):
        job = await services.jobs.create(JobRequest("ingest"), f"document-{number}")
        await submit(services.jobs, services.queue, job)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=do_jobs, args=(services.settings, effects), daemon=True) for _ in range(2)]
    workers[0].start()
    await _until(services, "running", AT_ONCE)
    workers[0].kill()
    killed = time.perf_counter()
    workers[1].start()
    await _until(services, "succeeded", JOBS)
    seconds = time.perf_counter() - killed
    await asyncio.sleep(2 * LEASE)  # for what would wrongly be done a second time
    workers[1].terminate()
    return {
        "lease_s": LEASE,
        "jobs": JOBS,
        "done": (await services.jobs.counts())["succeeded"],
        "done_once": sum(times == 1 for times in effects.counts().values()),
        "seconds": round(seconds, 1),
    }


async def _until(services: Services, state: JobState, number: int) -> None:
    """Wait for so many jobs in that state, or until patience is lost; do what the scheduler does meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while (await services.jobs.counts())[state] < number and time.monotonic() < deadline:
        await services.jobs.recover_abandoned()
        await dispatch(services.jobs, services.queue)
        await asyncio.sleep(0.02)


async def first_passages(data: Dataset, services: Services) -> Figures:
    """The best chunk for each question."""
    async with _ingested(data, services):
        found = [await services.retriever.search(query["text"], services.settings.passages) for query in data.queries]
    return {"first_passages": [passages[0].chunk.id if passages else "" for passages in found]}


async def ranking(data: Dataset, services: Services) -> Figures:
    """Of documents by their best passage."""
    async with _ingested(data, services):
        return {"ndcg@10": (await measure(services, data, CONSOLE))["ndcg@10"]}


@asynccontextmanager
async def _ingested(data: Dataset, services: Services) -> AsyncIterator[None]:
    index = index_name(services.embedder.model, services.embedder.dimension)
    if await services.vectors.count(index):
        sys.exit(f"The vector database holds an index {index} already: set VECTOR_DB_URL to an empty one.")
    try:
        await ingest(services, data.documents, CONSOLE)
        yield
    finally:
        await services.vectors.drop(index)


def measured(part: Part, embeddings: Path) -> Figures:
    """What `part` finds with services that start empty."""

    async def find(urls: Mapping[str, str]) -> Figures:
        services = await connected({**urls, "job_lease": LEASE, "worker_concurrency": AT_ONCE}, embeddings)
        try:
            return await part(services)
        finally:
            await services.aclose()

    with fresh(WORK / "services", {name: os.environ.get(name, "") for name in ATTACHED}) as urls:
        return asyncio.run(find(urls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=10_000, help="vectors in the store (default 10,000)")
    parser.add_argument("--corpus", type=Path, help="a data set, for the first passage of each question")
    parser.add_argument("--questions", type=int, help="only so many questions of --corpus")
    parser.add_argument("--ranking", type=Path, help="a data set, for the nDCG@10")
    parser.add_argument("--embeddings", type=Path, default=EMBEDDINGS, help="where embeddings are remembered")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    options = parser.parse_args()
    parts: dict[str, Part] = {
        "clustered": functools.partial(vectors, clustered_vectors, options.vectors),
        "random": functools.partial(vectors, random_vectors, options.vectors),
        "throughput": throughput,
        "killed_worker": killed_worker,
    }
    if options.corpus:
        parts["corpus"] = functools.partial(first_passages, load(options.corpus, options.questions))
    if options.ranking:
        parts["ranking"] = functools.partial(ranking, load(options.ranking, None))
    try:
        figures = {name: measured(part, options.embeddings) for name, part in parts.items()}
    except ServiceError as error:
        sys.exit(str(error))
    print(json.dumps(figures) if options.json else "\n".join(lines(figures)))


def lines(figures: Mapping[str, Figures]) -> Iterator[str]:
    """The figures for a person; which passages came first says something only beside another store's."""
    for part, found in figures.items():
        for name, value in found.items():
            yield f"{part:<14} {name:<20} {len(value) if isinstance(value, list) else value:>8}"


if __name__ == "__main__":
    main()
