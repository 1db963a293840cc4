"""The scheduler process: sends the jobs that are due to the queue each second, and drops what is too old once a day.

Several at once do no harm.

Due are new jobs whose sender met a broker that was down, jobs whose next attempt has come, and jobs a broker lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from chatbot.domain import Unavailable
from chatbot.jobs.retention import purge_daily
from chatbot.storage.jobs import dispatch

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

INTERVAL = 1.0
"""Seconds."""
LOST_AFTER = 15 * 60
"""Seconds without a sign of life after which a job that was handed over is sent again. Should it only have waited
that long in the queue, it is done once all the same."""

PURGE_INTERVAL = 600.0
"""Seconds between two looks whether a day has passed."""

log = logging.getLogger(__name__)


async def schedule(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set; outages are waited out."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_send(services, stop))
        tasks.create_task(_purge(services, stop))


async def _send(services: Services, stop: asyncio.Event) -> None:
    """Send what is due; outages are logged when they begin and end."""
    down = False
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        try:
            revived = await services.jobs.revive(LOST_AFTER)
            sent = await dispatch(services.jobs, services.queue)
            if revived or sent or down:
                log.info("jobs sent", extra={"sent": sent, "revived": revived})
            down = False
        except Unavailable as error:
            if not down:
                log.warning("jobs wait", extra={"problem": str(error)})
            down = True
        await asyncio.wait({stopping}, timeout=INTERVAL)
    stopping.cancel()


async def _purge(services: Services, stop: asyncio.Event) -> None:
    """Apart from the jobs, which need not wait for it."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        try:
            if removed := await purge_daily(services):
                log.info("purged", extra=dict(removed))
        except Unavailable as error:
            log.warning("the purge waits", extra={"problem": str(error)})
        except Exception:
            log.exception("the purge failed; jobs are sent all the same")
        await asyncio.wait({stopping}, timeout=PURGE_INTERVAL)
    stopping.cancel()
