"""The scheduler sends and purges side by side, and neither stops the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chatbot.domain import JobRequest, Unavailable
from chatbot.jobs import scheduler
from tests.unit.fakes import fake_services


def failing(call: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    """It raises what nobody foresaw, at first."""
    errors = [KeyError("odd"), Unavailable("PostgreSQL", "start it")]

    async def failing() -> int:
        if errors:
            raise errors.pop(0)
        return await call()

    return failing


async def test_jobs_are_sent_while_the_purge_fails_and_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Any] = [Unavailable("PostgreSQL", "start it"), KeyError("table"), {"conversations": 1}]
    tries = 0

    async def purge_daily(*_: object) -> dict[str, int] | None:
        nonlocal tries
        tries += 1
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(scheduler, "INTERVAL", 0.01)
    monkeypatch.setattr(scheduler, "UPKEEP_INTERVAL", 0.01)
    monkeypatch.setattr(scheduler, "purge_daily", purge_daily)
    services, stop = fake_services(), asyncio.Event()
    monkeypatch.setattr(services.jobs, "recover_abandoned", failing(services.jobs.recover_abandoned))
    scheduling = asyncio.create_task(scheduler.schedule(services, stop))
    job = await services.jobs.create(JobRequest("ingest"), "d1")
    async with asyncio.timeout(10):
        while tries < 5 or not services.queue.sent:  # noqa: ASYNC110 - neither tells anybody
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(scheduling, 5)
    assert services.queue.sent == [job.id]
