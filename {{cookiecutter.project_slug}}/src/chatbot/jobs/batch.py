"""Many documents in, each with a job's record: done here, or handed to the workers and followed.

    items = files([Path("docs")], base=Path.cwd()).items
    async for outcome in ingest(jobs, ingester, items, watch):
        print(outcome.state, outcome.source)

A document that cannot be read is an outcome, not an error: the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from chatbot.deadline import cancel_and_wait
from chatbot.domain import ChatbotError, ClaimLost, Document, Job, JobRequest, UnreadableDocument
from chatbot.ingestion.corpus import Item
from chatbot.ingestion.ingest import Ingester, IngestResult
from chatbot.jobs.attempt import Progress, attempt
from chatbot.jobs.outbox import submit
from chatbot.ports import Queue
from chatbot.storage.documents import Documents
from chatbot.storage.jobs import Jobs

AT_ONCE = 4
"""Documents under way here: while one is read, or written, texts of others are embedded, so that no core is idle."""
POLL = 0.3
"""Seconds between two looks at the records of jobs that the workers do."""

State = Literal["new", "changed", "unchanged", "failed"]
Watch = Callable[[str, float], Awaitable[None]]
"""Told the source of the document under way and how much of it is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document. Pages and new chunks are known only when this process did the work."""

    source: str
    state: State
    error: str | None = None
    pages: int = 0
    chunks: int = 0
    new_chunks: int = 0
    note: str = ""
    """What was left out of it, and how it was read."""
    is_partial: bool = False
    """So much was left out that somebody should look."""


async def ingest(
    jobs: Jobs, ingester: Ingester, items: Iterable[Item], watch: Watch, fast: bool = False
) -> AsyncIterator[Outcome]:
    """Ingest documents in this process, each with a job's record as if a worker did it; outcomes in their order.

    With `fast` each is findable by its words only when this ends; the workers embed it.
    """
    under_way: deque[asyncio.Task[Outcome]] = deque()
    try:
        for item in items:
            under_way.append(asyncio.create_task(_attempted(jobs, ingester, item, watch, fast)))
            if len(under_way) == AT_ONCE:
                yield await under_way[0]
                under_way.popleft()
        while under_way:
            yield await under_way[0]
            under_way.popleft()
    finally:
        await cancel_and_wait(*under_way)  # each says in its job's record that it was ended


async def enqueue(
    documents: Documents, jobs: Jobs, queue: Queue, ingester: Ingester, items: Iterable[Item], watch: Watch
) -> AsyncIterator[Outcome]:
    """Hand each document to the workers, then follow the records of their jobs until all are done."""
    waiting: dict[str, Document] = {}
    for item in items:
        try:
            document, job = await _register(ingester, item, begun=False)
        except (UnreadableDocument, OSError) as error:
            yield Outcome(item.source, "failed", _sentence(error))
            continue
        if job:
            waiting[job.id] = document
            await submit(jobs, queue, job)
        else:
            yield Outcome(item.source, "unchanged", chunks=document.chunks)
    while waiting:
        await asyncio.sleep(POLL)
        records = {record.id: record for record in await jobs.every(list(waiting))}
        for id, document in list(waiting.items()):
            record = records.get(id)
            if record is None or record.state in ("succeeded", "failed", "dead"):
                del waiting[id]
                yield _outcome(document, await documents.get(document.id), record)
            elif record.state == "running":
                await watch(document.source, record.progress)


async def _attempted(jobs: Jobs, ingester: Ingester, item: Item, watch: Watch, fast: bool) -> Outcome:
    try:
        return await _ingest(jobs, ingester, item, watch, fast)
    except (UnreadableDocument, OSError) as error:
        return Outcome(item.source, "failed", _sentence(error))


async def _ingest(jobs: Jobs, ingester: Ingester, item: Item, watch: Watch, fast: bool) -> Outcome:
    document, begun = await _register(ingester, item, begun=True)
    if begun is None:
        return Outcome(item.source, "unchanged", chunks=document.chunks)

    async def work(progress: Progress) -> IngestResult | None:
        async def told(fraction: float) -> None:
            await progress(fraction)
            await watch(item.source, fraction)

        if fast and item.read:
            return await ingester.read(document.id, begun.claim)
        do = ingester.process if item.read else ingester.fetch
        return await do(document.id, told, begun.claim)

    try:
        result = await attempt(jobs, begun, work)
        record = str(result.reading) if result else ""
        await (jobs.release(begun.claim) if fast and item.read else jobs.succeed(begun.claim, record))
    except ClaimLost as error:
        return Outcome(item.source, "failed", str(error))
    except BaseException as error:
        # An interruption too: it would look like a worker that died, and be done again.
        await jobs.fail(begun.claim, _sentence(error))
        raise
    if result is None:
        return Outcome(item.source, "unchanged", chunks=document.chunks)
    return Outcome(
        item.source,
        _state(document),
        None,
        result.pages,
        result.chunks,
        result.new_chunks,
        result.reading.told,
        result.reading.is_partial,
    )


async def _register(ingester: Ingester, item: Item, begun: bool) -> tuple[Document, Job | None]:
    if item.read is None:
        return await ingester.announce(item.source, item.metadata, JobRequest("fetch", begun=begun))
    content = await asyncio.to_thread(item.read)
    request = JobRequest("ingest", begun=begun)
    return await ingester.register(item.source, item.name, content, item.metadata, request)


def _outcome(before: Document, after: Document | None, job: Job | None) -> Outcome:
    if job is None or job.state != "succeeded" or after is None:
        error = job.error if job else None
        return Outcome(before.source, "failed", error or "It was deleted before it was read.")
    reading = after.reading
    return Outcome(before.source, _state(before), chunks=after.chunks, note=reading.told, is_partial=reading.is_partial)


def _state(before: Document) -> State:
    return "changed" if before.content_hash else "new"


def _sentence(error: BaseException) -> str:
    if isinstance(error, ChatbotError):
        return str(error)
    if isinstance(error, OSError):
        return f"It cannot be read: {error.strerror}."
    return "It was interrupted: ingest it again."
