"""The jobs' record, and that none is lost on its way through the queue, the worker and the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from chatbot.domain import Job, JobState, Unavailable, UnreadableDocument
from chatbot.ingestion.ingest import IngestResult
from chatbot.jobs import scheduler, worker
from chatbot.ports import Queue
from chatbot.storage.database import Database
from chatbot.storage.jobs import Jobs, dispatch, submit


class FakeQueue:
    """Takes job ids, unless it is down."""

    def __init__(self, down: bool = False) -> None:
        self.down = down
        self.sent: list[str] = []

    async def send(self, job_id: str) -> None:
        if self.down:
            raise Unavailable("The queue", "it is down")
        await asyncio.sleep(0.01)
        self.sent.append(job_id)


class FakeIngester:
    """Does what it is told to, instead of ingesting."""

    def __init__(self, act: Callable[[int], Awaitable[None]]) -> None:
        self.act = act
        self.attempts = 0

    async def process(self, document_id: str, progress: Callable[[float], Awaitable[None]]) -> IngestResult:
        self.attempts += 1
        await progress(0.5)
        await self.act(self.attempts)
        return IngestResult(document_id, 1, 1, 1)


async def state(jobs: Jobs, job: Job) -> JobState:
    found = await jobs.get(job.id)
    assert found is not None
    return found.state


async def make_due(database: Database) -> None:
    await database.rows("UPDATE jobs SET due_at = now()")


async def age(database: Database, minutes: int) -> None:
    await database.rows(f"UPDATE jobs SET updated_at = now() - interval '{minutes} minutes'")


async def test_the_same_idempotency_key_is_the_same_job(jobs: Jobs) -> None:
    created = await asyncio.gather(*[jobs.create("ingest", "d1", "key") for _ in range(5)])
    assert len({job.id for job in created}) == 1
    assert (await jobs.create("ingest", "d1")).id != (await jobs.create("ingest", "d1")).id
    assert created[0].state == "pending"


async def test_a_life_without_trouble(jobs: Jobs) -> None:
    broker: Any = FakeQueue()
    job = await submit(jobs, broker, await jobs.create("ingest", "d1"))
    assert (job.state, broker.sent) == ("queued", [job.id])
    started = await jobs.start(job.id)
    assert started is not None
    assert (started.state, started.attempts) == ("running", 1)
    await jobs.progress(job.id, 0.4)
    found = await jobs.get(job.id)
    assert found is not None
    assert found.progress == 0.4
    await jobs.succeed(job.id)
    done = await jobs.get(job.id)
    assert done is not None
    assert (done.state, done.progress, done.error) == ("succeeded", 1, None)


@pytest.mark.parametrize("finish", ["succeed", "fail"])
async def test_a_redelivery_of_a_finished_job_is_nothing_to_do(jobs: Jobs, finish: str) -> None:
    job = await jobs.create("ingest", "d1")
    await jobs.start(job.id)
    await (jobs.succeed(job.id) if finish == "succeed" else jobs.fail(job.id, "It is empty."))
    before = await jobs.get(job.id)
    assert await jobs.start(job.id) is None
    assert await jobs.retry(job.id, "too late") == {"succeed": "succeeded", "fail": "failed"}[finish]
    await jobs.progress(job.id, 0.1)
    assert await jobs.get(job.id) == before
    assert await jobs.start("unknown") is None


async def test_backoff_grows_and_the_last_attempt_makes_it_dead(jobs: Jobs, database: Database) -> None:
    job = await jobs.create("ingest", "d1")
    for attempt, outcome in ((1, "pending"), (2, "pending"), (3, "dead")):
        assert await jobs.start(job.id) is not None
        assert await jobs.retry(job.id, "The model is away.") == outcome
        (row,) = await database.rows("SELECT extract(epoch FROM due_at - updated_at) AS wait FROM jobs")
        assert 0 <= float(row["wait"]) <= 2**attempt
    dead = await jobs.get(job.id)
    assert dead is not None
    assert (dead.error, dead.attempts) == ("The model is away.", 3)
    assert await jobs.start(job.id) is None


async def test_waits_are_at_most_five_minutes(database: Database) -> None:
    jobs = Jobs(database, max_attempts=100)
    for _ in range(10):
        job = await jobs.create("ingest", "d1")
        await database.rows("UPDATE jobs SET attempts = 98 WHERE state = 'pending'")
        await jobs.start(job.id)
        assert await jobs.retry(job.id, "no") == "pending"
    (row,) = await database.rows("SELECT max(extract(epoch FROM due_at - updated_at)) AS longest FROM jobs")
    assert 10 < float(row["longest"]) <= 300


async def test_workers_that_die_use_up_the_attempts(jobs: Jobs) -> None:
    job = await jobs.create("ingest", "d1")
    for _ in range(3):
        assert await jobs.start(job.id) is not None
    assert await jobs.start(job.id) is None
    dead = await jobs.get(job.id)
    assert dead is not None
    assert dead.state == "dead"
    assert dead.error


async def test_requeue_gives_all_attempts_again(jobs: Jobs) -> None:
    job = await jobs.create("ingest", "d1")
    assert not await jobs.requeue(job.id)
    await jobs.start(job.id)
    await jobs.fail(job.id, "It is encrypted.")
    assert await jobs.requeue(job.id)
    again = await jobs.get(job.id)
    assert again is not None
    assert (again.state, again.attempts, again.error, again.progress) == ("pending", 0, None, 0)


async def test_list_and_counts(jobs: Jobs) -> None:
    made = [await jobs.create("ingest", f"d{number}") for number in range(3)]
    await jobs.start(made[0].id)
    assert [job.id for job in await jobs.list(None, 2)] == [made[2].id, made[1].id]
    assert [job.id for job in await jobs.list("running", 5)] == [made[0].id]
    counts = await jobs.counts()
    assert (counts["pending"], counts["running"], counts["dead"], len(counts)) == (2, 1, 0, 6)


async def test_a_job_whose_broker_was_down_is_sent_when_it_is_back(jobs: Jobs) -> None:
    broker: Any = FakeQueue(down=True)
    job = await submit(jobs, broker, await jobs.create("ingest", "d1"))
    assert job.state == "pending"
    with pytest.raises(Unavailable):
        await dispatch(jobs, broker)
    broker.down = False
    assert await dispatch(jobs, broker) == 1
    assert await dispatch(jobs, broker) == 0
    assert broker.sent == [job.id]
    assert await state(jobs, job) == "queued"


async def test_dispatch_in_many_processes_sends_each_job_once_and_waits_for_backoff(jobs: Jobs) -> None:
    broker: Any = FakeQueue()
    late = await jobs.create("ingest", "late")
    await jobs.start(late.id)
    made = {(await jobs.create("ingest", f"d{number}")).id for number in range(30)}
    await asyncio.gather(*[dispatch(jobs, broker, limit=10) for _ in range(6)])
    await dispatch(jobs, broker, limit=100)
    assert sorted(broker.sent) == sorted(made)


async def test_what_a_broker_lost_is_sent_again(jobs: Jobs, database: Database) -> None:
    broker: Any = FakeQueue()
    lost = await submit(jobs, broker, await jobs.create("ingest", "d1"))
    assert await jobs.revive(15 * 60) == 0
    await age(database, 16)
    fresh = await submit(jobs, broker, await jobs.create("ingest", "d2"))
    assert await jobs.revive(15 * 60) == 1
    assert (await state(jobs, lost), await state(jobs, fresh)) == ("pending", "queued")


def running(jobs: Jobs, broker: Queue, act: Callable[[int], Awaitable[None]]) -> Any:
    """What worker and scheduler need of the services."""
    settings = SimpleNamespace(worker_concurrency=2)
    return SimpleNamespace(jobs=jobs, queue=broker, ingester=FakeIngester(act), settings=settings)


async def finished(services: Any, job: Job, *states: str) -> Job:
    """Run worker and scheduler until the job is in one of these states, then stop them."""
    stop = asyncio.Event()
    processes = [asyncio.create_task(run(services, stop)) for run in (worker.work, scheduler.schedule)]
    found: list[Job] = []

    async def watch() -> None:
        while not found:
            now = await services.jobs.get(job.id)
            found.extend([now] if now.state in states else [])
            await asyncio.sleep(0.05)

    await asyncio.wait_for(watch(), 20)
    stop.set()
    await asyncio.gather(*processes)
    return found[0]


async def test_worker_and_scheduler_do_a_job(jobs: Jobs, broker: Queue) -> None:
    async def act(_: int) -> None: ...

    job = await jobs.create("ingest", "d1")
    done = await finished(running(jobs, broker, act), job, "succeeded")
    assert (done.progress, done.attempts) == (1, 1)


async def test_an_unexpected_error_is_retried_and_told_in_one_sentence_without_details(
    jobs: Jobs, broker: Queue, database: Database
) -> None:
    async def act(attempt: int) -> None:
        await make_due(database)
        raise ValueError("private words")

    job = await jobs.create("ingest", "d1")
    dead = await finished(running(jobs, broker, act), job, "dead")
    assert dead.error == f"Unexpected error (ValueError); see the logs under job id {job.id}."
    assert dead.attempts == 3


async def test_a_poison_job_is_dead_after_its_attempts_and_is_done_once_requeued(
    jobs: Jobs, broker: Queue, database: Database
) -> None:
    async def act(attempt: int) -> None:
        await make_due(database)
        if attempt <= 3:
            raise Unavailable("The embeddings API", "try again")

    services = running(jobs, broker, act)
    job = await jobs.create("ingest", "d1")
    dead = await finished(services, job, "dead")
    assert [found.id for found in await jobs.list("dead", 10)] == [dead.id]
    assert await broker.depth() == 0
    assert await jobs.requeue(dead.id)
    done = await finished(services, job, "succeeded")
    assert done.attempts == 1


async def test_an_outage_is_retried_until_it_is_over(jobs: Jobs, broker: Queue) -> None:
    async def act(attempt: int) -> None:
        if attempt == 1:
            raise Unavailable("The embeddings API", "try again")

    done = await finished(running(jobs, broker, act), await jobs.create("ingest", "d1"), "succeeded")
    assert done.attempts == 2


async def test_an_unreadable_document_fails_at_once(jobs: Jobs, broker: Queue) -> None:
    async def act(_: int) -> None:
        raise UnreadableDocument("The file is encrypted.")

    failed = await finished(running(jobs, broker, act), await jobs.create("ingest", "d1"), "failed")
    assert (failed.error, failed.attempts) == ("The file is encrypted.", 1)


async def test_a_job_that_outlasts_the_grace_is_given_up_and_done_by_another_worker(jobs: Jobs, broker: Queue) -> None:
    begun = asyncio.Event()

    async def act(attempt: int) -> None:
        begun.set()
        await asyncio.sleep(30 if attempt == 1 else 0)

    services = running(jobs, broker, act)
    job = await submit(jobs, broker, await jobs.create("ingest", "d1"))
    process = asyncio.create_task(worker.work(services, asyncio.Event()))
    await asyncio.wait_for(begun.wait(), 10)
    process.cancel()  # what process.py does when the grace is over
    with pytest.raises(asyncio.CancelledError):
        await process
    assert await state(jobs, job) == "running"
    done = await finished(services, job, "succeeded")
    assert done.attempts == 2
