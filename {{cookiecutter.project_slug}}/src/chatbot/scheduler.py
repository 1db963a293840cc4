"""The scheduler process: each second sends the jobs that are due to the queue; several at once do no harm.

Due are new jobs whose sender met a broker that was down, jobs whose next attempt has come, and jobs a broker lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from chatbot.adapters.jobs import dispatch
from chatbot.domain import Unavailable

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

INTERVAL = 1.0
"""Seconds."""
LOST_AFTER = 15 * 60
"""Seconds without a sign of life after which a job that was handed over is sent again. Should it only have waited
that long in the queue, it is done once all the same."""

log = logging.getLogger(__name__)


async def schedule(services: Services, stop: asyncio.Event) -> None:
    """Send what is due until `stop` is set; outages are logged when they begin and end, and waited out."""
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
