"""The jobs' record, and that none is lost on its way through the queue, the worker and the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from chatbot.domain import (
    Claim,
    ClaimLost,
    InvalidConfiguration,
    Job,
    JobRequest,
    JobState,
    Unavailable,
    UnreadableDocument,
)
from chatbot.ingestion.ingest import IngestResult
from chatbot.jobs import scheduler, worker
from chatbot.jobs.attempt import attempt
from chatbot.jobs.outbox import dispatch, submit
from chatbot.ports import Queue
from chatbot.storage.database import Database
from chatbot.storage.jobs import Jobs
from tests.proxy import Proxy
from tests.unit.fakes import FakeReconciler

INGEST = JobRequest("ingest")


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

    async def process(
        self, document_id: str, progress: Callable[[float], Awaitable[None]], claim: Claim
    ) -> IngestResult:
        self.attempts += 1
        await progress(0.5)
        await self.act(self.attempts)
        return IngestResult(document_id, 1, 1, 1)


def instantly(sent: list[str]) -> Callable[[str], Awaitable[None]]:
    async def send(job_id: str) -> None:
        sent.append(job_id)

    return send


async def state(jobs: Jobs, job: Job) -> JobState:
    found = await jobs.get(job.id)
    assert found is not None
    return found.state


async def begun(jobs: Jobs, id: str) -> Job:
    """An attempt that begins."""
    job = await jobs.start(id)
    assert job is not None
    return job


async def make_due(database: Database) -> None:
    await database.rows("UPDATE jobs SET due_at = now() WHERE state = 'pending'")


async def age(database: Database, minutes: int, id: str = "%") -> None:
    """Let so much time have passed for the jobs of such an id."""
    ago = f"interval '{minutes} minutes'"
    moved = ", ".join(f"{each} = {each} - {ago}" for each in ("updated_at", "sent_at", "due_at", "waiting_since"))
    await database.rows(f"UPDATE jobs SET {moved} WHERE id LIKE %(id)s", {"id": id})


async def test_the_same_idempotency_key_is_the_same_job(jobs: Jobs) -> None:
    created = await asyncio.gather(*[jobs.create(JobRequest("ingest", "key"), "d1") for _ in range(5)])
    assert len({job.id for job in created}) == 1
    assert (await jobs.create(INGEST, "d1")).id != (await jobs.create(INGEST, "d1")).id
    assert created[0].state == "pending"
    assert await jobs.find("key") == created[0]
    assert await jobs.find("none") is None


async def test_a_life_without_trouble(jobs: Jobs) -> None:
    broker: Any = FakeQueue()
    job = await submit(jobs, broker, await jobs.create(INGEST, "d1"))
    assert (job.state, broker.sent) == ("queued", [job.id])
    started = await begun(jobs, job.id)
    assert (started.state, started.attempts) == ("running", 1)
    await jobs.beat(started.claim, 0.4)
    await jobs.beat(started.claim)
    found = await jobs.get(job.id)
    assert found is not None
    assert found.progress == 0.4
    await jobs.succeed(started.claim)
    done = await jobs.get(job.id)
    assert done is not None
    assert (done.state, done.progress, done.error) == ("succeeded", 1, None)


@pytest.mark.parametrize("finish", ["succeed", "fail"])
async def test_a_redelivery_of_a_finished_job_is_nothing_to_do(jobs: Jobs, finish: str) -> None:
    job = await begun(jobs, (await jobs.create(INGEST, "d1")).id)
    await (jobs.succeed(job.claim) if finish == "succeed" else jobs.fail(job.claim, "It is empty."))
    before = await jobs.get(job.id)
    assert await jobs.start(job.id) is None
    with pytest.raises(ClaimLost):
        await jobs.retry(job.claim, "too late")
    with pytest.raises(ClaimLost):
        await jobs.beat(job.claim, 0.1)
    assert await jobs.get(job.id) == before
    assert await jobs.start("unknown") is None


# One owner ------------------------------------------------------------------------------------------------------------


async def test_a_redelivered_job_does_not_start_again_while_its_worker_lives(jobs: Jobs) -> None:
    job = await begun(jobs, (await jobs.create(INGEST, "d1")).id)
    for _ in range(5):
        assert await jobs.start(job.id) is None
    assert await jobs.recover_abandoned() == 0
    await jobs.succeed(job.claim)
    assert await state(jobs, job) == "succeeded"


async def test_the_last_attempt_is_not_dead_while_it_runs(jobs: Jobs, database: Database) -> None:
    job = await jobs.create(INGEST, "d1")
    await database.rows("UPDATE jobs SET attempts = 2")
    last = await begun(jobs, job.id)
    assert await jobs.start(job.id) is None
    assert await jobs.recover_abandoned() == 0
    assert await state(jobs, job) == "running"
    await jobs.succeed(last.claim)
    assert await state(jobs, job) == "succeeded"


async def test_who_slept_through_the_end_of_the_lease_changes_nothing(jobs: Jobs, database: Database) -> None:
    zombie = await begun(jobs, (await jobs.create(INGEST, "d1")).id)
    await age(database, 60)
    assert await jobs.recover_abandoned() == 1
    owner = await begun(jobs, zombie.id)
    for act in (
        jobs.beat(zombie.claim, 0.9),
        jobs.succeed(zombie.claim),
        jobs.fail(zombie.claim, "late"),
        jobs.retry(zombie.claim, "late"),
        jobs.wait(zombie.claim, "late"),
    ):
        with pytest.raises(ClaimLost):
            await act
    await jobs.release(zombie.claim)
    assert await jobs.get(zombie.id) == owner
    await jobs.succeed(owner.claim)
    assert await state(jobs, owner) == "succeeded"


async def test_an_attempt_beats_and_stops_once_the_job_is_anothers(database: Database) -> None:
    jobs = Jobs(database, max_attempts=3, lease=0.3)
    job = await begun(jobs, (await jobs.create(INGEST, "d1")).id)
    stopped = asyncio.Event()

    async def work(_: object) -> None:
        try:
            await asyncio.sleep(1)
            assert await jobs.recover_abandoned() == 0, "it gave signs of life"
            await database.rows("UPDATE jobs SET token = 'another'")
            await asyncio.sleep(30)
        finally:
            stopped.set()

    with pytest.raises(ClaimLost):
        await attempt(jobs, job, work)
    assert stopped.is_set()


async def test_an_error_does_not_end_the_signs_of_life(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(database, max_attempts=3, lease=0.3)
    job = await begun(jobs, (await jobs.create(INGEST, "d1")).id)
    beat, errors = jobs.beat, [OSError("odd"), Unavailable("PostgreSQL", "start it"), KeyError("odder")]

    async def failing(claim: Claim, progress: float = 0.0) -> None:
        if errors:
            raise errors.pop()
        await beat(claim, progress)

    monkeypatch.setattr(jobs, "beat", failing)
    await attempt(jobs, job, lambda _: asyncio.sleep(1))
    after = await jobs.get(job.id)
    assert after is not None
    assert after.updated_at is not None
    assert job.updated_at is not None
    assert after.updated_at > job.updated_at


async def test_an_outage_of_postgresql_in_mid_job_uses_up_no_attempt(urls: dict[str, str], database: Database) -> None:
    """It lasts for longer than a lease, and who looks for dead workers is back as soon as the worker."""
    with Proxy(urls["DATABASE_URL"]) as proxy:
        behind = Database(proxy.url)
        jobs, lookers = (Jobs(behind, max_attempts=3, lease=0.6) for _ in range(2))
        job = await begun(jobs, (await jobs.create(INGEST, "d1")).id)

        async def fails(_: int) -> None:
            proxy.refuse()
            await asyncio.sleep(1.5)
            raise Unavailable("PostgreSQL", "start it")

        async def look() -> None:
            while True:
                with suppress(Unavailable):
                    assert await lookers.recover_abandoned() == 0
                await asyncio.sleep(0.02)

        looking = asyncio.create_task(look())
        ending = asyncio.create_task(worker._outcome(jobs, FakeIngester(fails), job))  # type: ignore[arg-type]
        await asyncio.sleep(3)
        assert not ending.done(), "PostgreSQL is still down"
        proxy.restore()
        assert await ending == "pending"
        after = await Jobs(database, max_attempts=3).get(job.id)
        assert not looking.done()
        looking.cancel()
        await behind.close()
    assert after is not None
    assert (after.state, after.attempts) == ("pending", 0)
    assert "PostgreSQL" in (after.error or "")


async def test_workers_that_die_use_up_the_attempts(jobs: Jobs, database: Database) -> None:
    job = await jobs.create(INGEST, "d1")
    for _ in range(3):
        await begun(jobs, job.id)
        await age(database, 60)
        assert await jobs.recover_abandoned() == 1
    assert await jobs.start(job.id) is None
    dead = await jobs.get(job.id)
    assert dead is not None
    assert (dead.state, dead.error) == ("dead", "The worker died during every attempt.")


# Failures and outages -------------------------------------------------------------------------------------------------


async def test_backoff_grows_and_the_last_attempt_makes_it_dead(jobs: Jobs, database: Database) -> None:
    job = await jobs.create(INGEST, "d1")
    for number, outcome in ((1, "pending"), (2, "pending"), (3, "dead")):
        assert await jobs.retry((await begun(jobs, job.id)).claim, "It raised.") == outcome
        (row,) = await database.rows("SELECT extract(epoch FROM due_at - updated_at) AS wait FROM jobs")
        assert 0 <= float(row["wait"]) <= 2**number
        await make_due(database)
    dead = await jobs.get(job.id)
    assert dead is not None
    assert (dead.error, dead.attempts) == ("It raised.", 3)
    assert await jobs.start(job.id) is None


async def test_a_message_too_many_does_not_cut_a_pause_short(jobs: Jobs, database: Database) -> None:
    job = await jobs.create(INGEST, "d1")
    await jobs.retry((await begun(jobs, job.id)).claim, "It raised.")
    await database.rows("UPDATE jobs SET due_at = now() + interval '1 minute'")
    assert await jobs.start(job.id) is None


async def test_waits_are_at_most_five_minutes(database: Database) -> None:
    jobs = Jobs(database, max_attempts=100)
    for _ in range(10):
        job = await jobs.create(INGEST, "d1")
        await database.rows("UPDATE jobs SET attempts = 98 WHERE state = 'pending' AND attempts = 0")
        assert await jobs.retry((await begun(jobs, job.id)).claim, "no") == "pending"
    (row,) = await database.rows("SELECT max(extract(epoch FROM due_at - updated_at)) AS longest FROM jobs")
    assert 10 < float(row["longest"]) <= 300


async def test_an_outage_of_hours_uses_up_no_attempt_and_its_pauses_grow(jobs: Jobs, database: Database) -> None:
    job, pauses = await jobs.create(INGEST, "d1"), list[float]()
    for _ in range(14):
        claim = (await begun(jobs, job.id)).claim
        assert await jobs.wait(claim, "The embeddings API does not answer.") == "pending"
        (row,) = await database.rows("SELECT extract(epoch FROM due_at - updated_at) AS wait FROM jobs")
        pauses.append(float(row["wait"]))
        await database.rows("UPDATE jobs SET waiting_since = waiting_since - interval '30 minutes'")
        await make_due(database)
    waiting = await jobs.get(job.id)
    assert waiting is not None
    assert (waiting.attempts, waiting.error) == (0, "The embeddings API does not answer.")
    assert waiting.waiting_since is not None
    assert pauses[0] <= 1
    assert all(150 <= pause <= 300 for pause in pauses[1:])
    await jobs.succeed((await begun(jobs, job.id)).claim)
    done = await jobs.get(job.id)
    assert done is not None
    assert (done.state, done.waiting_since, done.error) == ("succeeded", None, None)


async def test_an_outage_that_outlasts_its_budget_makes_the_job_dead(database: Database) -> None:
    jobs = Jobs(database, 3, outage_budget=3600)
    job = await jobs.create(INGEST, "d1")
    assert await jobs.wait((await begun(jobs, job.id)).claim, "It is away.") == "pending"
    await age(database, 61)
    assert await jobs.wait((await begun(jobs, job.id)).claim, "It is away.") == "dead"
    assert await jobs.requeue(job.id)
    assert await jobs.wait((await begun(jobs, job.id)).claim, "It is away.") == "pending", "a budget anew"


async def test_requeue_gives_all_attempts_again(jobs: Jobs) -> None:
    job = await jobs.create(INGEST, "d1")
    assert not await jobs.requeue(job.id)
    await jobs.fail((await begun(jobs, job.id)).claim, "It is encrypted.")
    assert await jobs.requeue(job.id)
    again = await jobs.get(job.id)
    assert again is not None
    assert (again.state, again.attempts, again.error, again.progress) == ("pending", 0, None, 0)


async def test_list_and_counts(jobs: Jobs) -> None:
    made = [await jobs.create(INGEST, f"d{number}") for number in range(3)]
    await begun(jobs, made[0].id)
    assert [job.id for job in await jobs.list(None, 2)] == [made[2].id, made[1].id]
    assert [job.id for job in await jobs.list("running", 5)] == [made[0].id]
    counts = await jobs.counts()
    assert (counts["pending"], counts["running"], counts["dead"], len(counts)) == (2, 1, 0, 6)


async def test_a_job_whose_broker_was_down_is_sent_when_it_is_back(jobs: Jobs) -> None:
    broker: Any = FakeQueue(down=True)
    job = await submit(jobs, broker, await jobs.create(INGEST, "d1"))
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
    late = await jobs.create(INGEST, "late")
    await jobs.start(late.id)
    made = {(await jobs.create(INGEST, f"d{number}")).id for number in range(30)}
    await asyncio.gather(*[dispatch(jobs, broker, limit=10) for _ in range(6)])
    await dispatch(jobs, broker, limit=100)
    assert sorted(broker.sent) == sorted(made)


async def test_a_hung_broker_holds_no_connection(jobs: Jobs) -> None:
    """With 50 uploads that wait for it, the pool of 10 connections serves others at once."""
    hung = asyncio.Event()

    class Hung(FakeQueue):
        async def send(self, job_id: str) -> None:
            await hung.wait()

    broker: Any = Hung()
    made = [await jobs.create(INGEST, f"d{number}") for number in range(50)]
    sending = [asyncio.create_task(submit(jobs, broker, job)) for job in made]
    async with asyncio.timeout(10):
        while (await jobs.counts())["queued"] < 50:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await asyncio.gather(*[jobs.get(job.id) for job in made])
    hung.set()
    await asyncio.gather(*sending)


async def test_who_dies_while_sending_leaves_a_job_that_is_sent_half_a_minute_later(
    jobs: Jobs, database: Database
) -> None:
    broker: Any = FakeQueue()
    job = await jobs.create(INGEST, "d1")
    assert await jobs.to_send(10) == [job.id]
    assert await dispatch(jobs, broker) == 0
    await age(database, 1)
    assert await dispatch(jobs, broker) == 1
    assert broker.sent == [job.id]


async def test_a_backlog_does_not_grow_by_waiting(jobs: Jobs, database: Database) -> None:
    """1,000 jobs that no worker takes for an hour are 1,000 messages."""
    broker: Any = FakeQueue()
    for number in range(1000):
        await jobs.create(INGEST, f"d{number}")
    broker.send = instantly(broker.sent)
    await dispatch(jobs, broker, limit=1000)
    for _ in range(60):
        await age(database, 1)
        await jobs.recover_lost(empty=False)
        await jobs.recover_abandoned()
        await dispatch(jobs, broker, limit=1000)
    assert len(broker.sent) == 1000


async def test_what_a_broker_lost_is_sent_again(jobs: Jobs, database: Database) -> None:
    broker: Any = FakeQueue()
    lost = await submit(jobs, broker, await jobs.create(INGEST, "d1"))
    assert await jobs.recover_lost(empty=True) == 0, "it may be on its way"
    await age(database, 16)
    assert await jobs.recover_lost(empty=False) == 0, "it waits in the queue"
    fresh = await submit(jobs, broker, await jobs.create(INGEST, "d2"))
    assert await jobs.recover_lost(empty=True) == 1
    assert (await state(jobs, lost), await state(jobs, fresh)) == ("pending", "queued")


async def test_a_job_that_later_ones_overtook_by_far_was_lost(jobs: Jobs, database: Database) -> None:
    broker: Any = FakeQueue()
    lost = await submit(jobs, broker, await jobs.create(INGEST, "d1"))
    await age(database, 20)
    later = await submit(jobs, broker, await jobs.create(INGEST, "d2"))
    assert await jobs.recover_lost(empty=False) == 0
    await begun(jobs, later.id)
    assert await jobs.recover_lost(empty=False) == 1
    assert await state(jobs, lost) == "pending"


def running(jobs: Jobs, broker: Queue, act: Callable[[int], Awaitable[None]]) -> Any:
    """What worker and scheduler need of the services."""
    never = {"conversation_retention_days": 0, "record_retention_days": 0, "backup_days": 1}
    settings = SimpleNamespace(worker_concurrency=2, schedules="", **never)

    async def nothing(*_: object) -> int:
        return 0

    others = {"personal": SimpleNamespace(forget=nothing), "limits": SimpleNamespace(forget_old=nothing)}
    parts = {"jobs": jobs, "queue": broker, "ingester": FakeIngester(act), "reconciler": FakeReconciler()}
    return SimpleNamespace(**parts, **others, settings=settings, database=jobs._database)


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

    job = await jobs.create(INGEST, "d1")
    done = await finished(running(jobs, broker, act), job, "succeeded")
    assert (done.progress, done.attempts) == (1, 1)


async def test_an_unexpected_error_is_retried_and_told_in_one_sentence_without_details(
    jobs: Jobs, broker: Queue, database: Database
) -> None:
    async def act(attempt: int) -> None:
        await make_due(database)
        raise ValueError("private words")

    job = await jobs.create(INGEST, "d1")
    dead = await finished(running(jobs, broker, act), job, "dead")
    assert dead.error == f"Unexpected error (ValueError); see the logs under job id {job.id}."
    assert dead.attempts == 3


async def test_a_poison_job_is_dead_after_its_attempts_and_is_done_once_requeued(
    jobs: Jobs, broker: Queue, database: Database
) -> None:
    async def act(attempt: int) -> None:
        await make_due(database)
        if attempt <= 3:
            raise ValueError("odd")

    services = running(jobs, broker, act)
    job = await jobs.create(INGEST, "d1")
    dead = await finished(services, job, "dead")
    assert [found.id for found in await jobs.list("dead", 10)] == [dead.id]
    assert await broker.depth() == 0
    assert await jobs.requeue(dead.id)
    done = await finished(services, job, "succeeded")
    assert done.attempts == 1


@pytest.mark.parametrize("error", [Unavailable("The embeddings API", "try again"), InvalidConfiguration("Set it.")])
async def test_an_outage_is_waited_out_and_so_is_a_wrong_setting(jobs: Jobs, broker: Queue, error: Exception) -> None:
    async def act(attempt: int) -> None:
        if attempt == 1:
            raise error

    done = await finished(running(jobs, broker, act), await jobs.create(INGEST, "d1"), "succeeded")
    assert done.attempts == 1


async def test_an_unreadable_document_fails_at_once(jobs: Jobs, broker: Queue) -> None:
    async def act(_: int) -> None:
        raise UnreadableDocument("The file is encrypted.")

    failed = await finished(running(jobs, broker, act), await jobs.create(INGEST, "d1"), "failed")
    assert (failed.error, failed.attempts) == ("The file is encrypted.", 1)


async def test_a_job_that_outlasts_the_grace_is_given_up_and_done_by_another_worker(jobs: Jobs, broker: Queue) -> None:
    begun = asyncio.Event()

    async def act(attempt: int) -> None:
        begun.set()
        await asyncio.sleep(30 if attempt == 1 else 0)

    services = running(jobs, broker, act)
    job = await submit(jobs, broker, await jobs.create(INGEST, "d1"))
    process = asyncio.create_task(worker.work(services, asyncio.Event()))
    await asyncio.wait_for(begun.wait(), 10)
    process.cancel()  # what process.py does when the grace is over
    with pytest.raises(asyncio.CancelledError):
        await process
    assert await state(jobs, job) == "pending", "given to another worker"
    done = await finished(services, job, "succeeded")
    assert done.attempts == 2
