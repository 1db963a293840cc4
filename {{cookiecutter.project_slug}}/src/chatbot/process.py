"""The long-running processes: configured, waiting for their database, stopped by SIGTERM within the grace period."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chatbot import settings
from chatbot.domain import ChatbotError
from chatbot.telemetry import configure_logging

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

LONGEST_PAUSE = 10
"""Seconds between two looks for a database that is not there yet."""

logger = logging.getLogger(__name__)

Work = Callable[["Services", asyncio.Event], Awaitable[None]]
"""Works until the event is set, then finishes what is under way within SHUTDOWN_GRACE."""


def run(work: Work) -> None:
    """Run `work` until SIGTERM or SIGINT; returns when it has finished, so that the exit code is 0."""
    asyncio.run(_run(_configured(), work))


def serve_web() -> None:
    """Serve HTTP until SIGTERM or SIGINT. A database that is down shows in /readyz, not as a crash."""
    services = _configured()
    from chatbot.web.app import serve

    serve(services)


def _configured() -> Services:
    loaded = settings.load()  # before the imports that take seconds
    from chatbot.bootstrap import bootstrap

    configure_logging(loaded.log_level)
    return bootstrap(loaded)


async def _run(services: Services, work: Work) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _database(services, stop)
        if not stop.is_set():
            logger.info("ready")
            await work(services, stop)
    finally:
        await services.aclose()


async def _database(services: Services, stop: asyncio.Event) -> None:
    """Wait for the database and its tables: a platform may start this process before both."""
    pause = 0.5
    while not stop.is_set():
        try:
            return await services.database.ping()
        except ChatbotError as error:
            logger.warning("waiting: %s", error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(pause * 2, LONGEST_PAUSE)
