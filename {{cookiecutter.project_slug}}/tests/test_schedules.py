"""Ticks of schedules with real schedulers, killed in their midst: each pipeline runs to its end, once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatbot.bootstrap import bootstrap
from chatbot.pipelines import pipeline, scheduled
from chatbot.schedules import latest
from chatbot.settings import Settings
from chatbot.storage.database import Database
from chatbot.storage.pipeline_runs import TICK_LEASE, PipelineRuns, Tick
from tests.processes import Process, chatbot, until
from tests.unit import openai_server

pytestmark = pytest.mark.slow

DOCUMENTS = 6


def daily(hours_ago: int) -> str:
    """The schedule of what was due so many hours ago; now: in this minute."""
    return f"{datetime.now(UTC) - timedelta(hours=hours_ago):%M %H} * * *"


@pytest.fixture
def slow(environ: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """The environment of an ingestion that takes some seconds."""
    for number in range(DOCUMENTS):
        (folder / f"{number}.md").write_text(f"# Stone {number}\n\nIt weighs {number} kilograms.\n")
    with openai_server.running() as fake:
        fake.thinking = 1.5
        model = {"EMBEDDINGS_URL": fake.url, "EMBEDDINGS_MODEL": "scheduled"}
        yield {**environ, **model, "CORPUS": str(folder), "SCHEDULES": f"ingest={daily(0)}"}


def run_of(scheduler: Process) -> psutil.Process | None:
    """The process that a scheduler started."""
    children = psutil.Process(scheduler.pid).children()
    return next((each for each in children if "scheduled" in each.cmdline()), None)


async def ticks(database: Database) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.rows("SELECT attempt, ended_at FROM schedule_ticks")]


async def later(database: Database) -> None:
    """A minute in which nobody renewed anything."""
    past = "UPDATE schedule_ticks SET renewed_at = renewed_at - %(lease)s * interval '1 second'"
    await database.rows(past, {"lease": TICK_LEASE + 1})


async def ended(database: Database, patience: float = 60) -> None:
    """Wait until each tick is ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = await ticks(database)
        if found and all(each["ended_at"] for each in found):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(found)


async def runs(database: Database) -> list[str]:
    return [row["pipeline"] for row in await database.rows("SELECT pipeline FROM pipeline_runs")]


async def test_a_scheduler_killed_between_claim_and_start_loses_no_tick(
    environ: Mapping[str, str], database: Database
) -> None:
    too_long_ago_to_be_claimed = daily(2)
    moment = latest(too_long_ago_to_be_claimed, datetime.now(UTC))
    assert await PipelineRuns(database).claim("purge", moment)
    await later(database)
    environ = {**environ, "SCHEDULES": f"purge={too_long_ago_to_be_claimed}"}
    with chatbot("scheduler", environ=environ) as one, chatbot("scheduler", environ=environ) as other:
        await ended(database)
        await asyncio.sleep(1)
        started = [line for each in (one, other) for line in each.logs() if line["message"] == "pipeline started"]
    assert [line["attempt"] for line in started] == [2]
    assert await runs(database) == ["purge"]


async def test_a_run_outlives_its_scheduler_and_is_not_run_again(slow: Mapping[str, str], database: Database) -> None:
    with chatbot("scheduler", environ=slow) as first, chatbot("scheduler", environ=slow) as second:
        schedulers = (first, second)
        [killed] = until(lambda: [each for each in schedulers if run_of(each)])
        run = run_of(killed)
        killed.stop(signal.SIGKILL)
        assert run
        assert run.is_running()
        await ended(database)
    assert [each["attempt"] for each in await ticks(database)] == [1]
    assert await runs(database) == ["ingest"]


async def test_a_run_that_was_killed_is_begun_again_and_nothing_is_doubled(
    slow: Mapping[str, str], database: Database
) -> None:
    with chatbot("scheduler", environ=slow) as scheduler:
        run = until(lambda: run_of(scheduler))
        assert run
        run.kill()
        until(lambda: any(line["message"] == "pipeline failed" for line in scheduler.logs()))
        await later(database)
        await ended(database)
    assert [each["attempt"] for each in await ticks(database)] == [2]
    assert await runs(database) == ["ingest"]
    rows = await database.rows("SELECT count(*) AS number FROM chunks GROUP BY document_id")
    assert [row["number"] for row in rows] == [1] * DOCUMENTS


async def test_a_scheduler_that_is_stopped_hands_its_tick_on(slow: Mapping[str, str], database: Database) -> None:
    with chatbot("scheduler", environ=slow) as scheduler:
        run = until(lambda: run_of(scheduler))
        assert run
        assert scheduler.stop() == 0
        assert not run.is_running()
    assert [each["ended_at"] for each in await ticks(database)] == [None]
    await later(database)
    with chatbot("scheduler", environ=slow):
        await ended(database)
    assert await runs(database) == ["ingest"]


async def test_of_two_claims_the_later_alone_begins_and_waits_for_who_is_at_it(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "LOOK_AGAIN", 0.05)
    services, ticking = bootstrap(settings), PipelineRuns(database)
    moment = datetime.now(UTC) - timedelta(minutes=5)
    first = await ticking.claim("purge", moment)
    assert await ticking.claim("purge", moment) is await ticking.take_over("purge", moment) is None
    await later(database)
    second = await ticking.take_over("purge", moment)
    assert (first, second) == (Tick("purge", moment, 1), Tick("purge", moment, 2))
    assert first
    assert second
    assert await scheduled.run(services, first) is None
    monkeypatch.setattr(scheduled, "PATIENCE", 0.2)
    async with ticking.alone("purge"):
        with pytest.raises(Exception, match="running already"):
            await scheduled.run(services, second)
    assert await scheduled.run(services, second) is not None
    assert await scheduled.run(services, second) is None
    assert await runs(database) == ["purge"]
    await services.aclose()
