"""The scheduler process: sends the jobs that are due to the queue each second, and looks after what is kept.

Several at once do no harm.

Due are new jobs whose sender met a broker that was down, jobs whose next attempt has come, jobs of workers that died,
and jobs that the broker lost. Every ten minutes documents without a job get one; once a day what is old is dropped, and
what there should be is compared with what there is. The pipelines of SCHEDULES are started when they are due.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from chatbot.domain import Unavailable
from chatbot.ingestion.reconcile import Reconciler
from chatbot.jobs.outbox import dispatch
from chatbot.jobs.retention import purge_daily
from chatbot.jobs.starter import Starter
from chatbot.storage.daily_lock import daily_turn
from chatbot.storage.database import Database
from chatbot.storage.pipeline_runs import PipelineRuns

if TYPE_CHECKING:
    from chatbot.bootstrap import Services
    from chatbot.ports import Queue
    from chatbot.storage.jobs import Jobs

INTERVAL = 1.0
"""Seconds between two looks for jobs to send."""
LOST_INTERVAL = 60.0
"""Seconds between two looks for jobs that the broker lost."""
UPKEEP_INTERVAL = 600.0
"""Seconds between two looks at what is kept, and whether a day has passed."""

SCHEDULE_INTERVAL = 5.0
"""Seconds between two looks at the schedules of the pipelines."""

log = logging.getLogger(__name__)


async def schedule(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set; outages are waited out."""
    jobs, queue, reconciler = services.jobs, services.queue, services.reconciler
    purge = functools.partial(purge_daily, services)
    reconcile = functools.partial(reconcile_daily, services.database, reconciler)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_send(jobs, queue, stop))
        tasks.create_task(_repeat("lost jobs", LOST_INTERVAL, functools.partial(_recover_lost, jobs, queue), stop))
        tasks.create_task(_repeat("purge", UPKEEP_INTERVAL, purge, stop))
        tasks.create_task(_repeat("upkeep", UPKEEP_INTERVAL, functools.partial(_attend, reconciler), stop))
        tasks.create_task(_repeat("reconcile", UPKEEP_INTERVAL, reconcile, stop))
        if services.settings.schedules and not services.settings.prefect_api_url:
            tasks.create_task(_start(services, stop))


async def _start(services: Services, stop: asyncio.Event) -> None:
    """Start the pipelines of the schedules, and end them when this process is to end."""
    starter = Starter(PipelineRuns(services.database), services.settings.schedules)
    try:
        await _repeat("pipelines", SCHEDULE_INTERVAL, starter.look, stop)
    finally:
        await starter.stop(services.settings.shutdown_grace / 2)


async def reconcile_daily(database: Database, reconciler: Reconciler) -> Mapping[str, int]:
    """What was found, once a day however many processes try; nothing for the others."""
    async with daily_turn(database, "reconcile") as mine:
        return asdict(await reconciler.run()) if mine else {}


async def _attend(reconciler: Reconciler) -> Mapping[str, int]:
    without_job, not_embedded = await reconciler.attend()
    return {"without_job": without_job, "not_embedded": not_embedded}


async def _recover_lost(jobs: Jobs, queue: Queue) -> Mapping[str, int]:
    return {"lost": await jobs.recover_lost(empty=await queue.depth() == 0)}


async def _send(jobs: Jobs, queue: Queue, stop: asyncio.Event) -> None:
    """Send what is due; outages are logged when they begin and end."""
    down = False
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        try:
            abandoned = await jobs.recover_abandoned()
            sent = await dispatch(jobs, queue)
            if abandoned or sent or down:
                log.info("jobs sent", extra={"sent": sent, "abandoned": abandoned})
            down = False
        except Unavailable as error:
            if not down:
                log.warning("jobs wait", extra={"problem": str(error)})
            down = True
        except Exception:  # the next time it may succeed; without this process no job would be sent
            log.exception("jobs wait")
        await asyncio.wait({stopping}, timeout=INTERVAL)
    stopping.cancel()


async def _repeat(
    name: str, interval: float, do: Callable[[], Awaitable[Mapping[str, int] | None]], stop: asyncio.Event
) -> None:
    """Apart from the jobs, which need not wait for it."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        try:
            if any((done := await do() or {}).values()):
                log.info(name, extra=dict(done))
        except Unavailable as error:
            log.warning("%s waits", name, extra={"problem": str(error)})
        except Exception:
            log.exception("%s failed; jobs are sent all the same", name)
        await asyncio.wait({stopping}, timeout=interval)
    stopping.cancel()
