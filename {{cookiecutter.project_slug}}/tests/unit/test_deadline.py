"""Waiting has an end, also where what is cancelled takes its time."""

from __future__ import annotations

import asyncio

import pytest

from chatbot import deadline
from chatbot.deadline import cancel_and_wait, with_timeout
from chatbot.domain import Claim, Job
from chatbot.jobs.attempt import attempt

pytestmark = pytest.mark.slow


async def stubborn(ended: asyncio.Event) -> None:
    """As a driver that asks a silent server to cancel."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.3)
        ended.set()


async def test_a_result_and_an_error_come_through() -> None:
    assert await with_timeout(1, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ZeroDivisionError):
        await with_timeout(1, fails())


async def fails() -> None:
    raise ZeroDivisionError


async def test_who_waits_is_free_at_once_and_the_work_ends_all_the_same() -> None:
    ended = asyncio.Event()
    with pytest.raises(TimeoutError):
        await with_timeout(0.05, stubborn(ended))
    assert not ended.is_set()
    await asyncio.wait_for(ended.wait(), 5)


async def test_when_the_caller_is_cancelled_so_is_the_work() -> None:
    ended = asyncio.Event()
    waiting = asyncio.create_task(with_timeout(60, stubborn(ended)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), 5)


class LosesACancellation:
    """Jobs whose first sign of life swallows a cancellation, as `asyncio.wait_for` of Python 3.11 may."""

    lease = 0.03

    def __init__(self) -> None:
        self.cancelled = 0

    async def beat(self, claim: Claim, fraction: float | None = None) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            if self.cancelled > 1:
                raise


async def test_a_cancellation_that_gets_lost_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "AGAIN", 0.05)
    jobs = LosesACancellation()
    task = asyncio.create_task(jobs.beat(Claim("job", "1")))
    deaf = asyncio.create_task(_for_ever(jobs))
    await asyncio.sleep(0.01)
    await cancel_and_wait(task, deaf)
    assert task.done()
    assert deaf.done()


async def _for_ever(jobs: LosesACancellation) -> None:
    while True:
        await jobs.beat(Claim("job", "1"))


async def test_a_job_ends_though_its_sign_of_life_does_not_hear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "AGAIN", 0.05)
    jobs = LosesACancellation()
    job = Job("job", "ingest", "d1", "running")
    result = await asyncio.wait_for(attempt(jobs, job, lambda _: asyncio.sleep(0.1, "done")), 30)  # type: ignore[arg-type]
    assert (result, jobs.cancelled) == ("done", 2)
