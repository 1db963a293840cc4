"""The long-running processes: configured, waiting for their database, stopped by SIGTERM within the grace period.

When a secret changes, work goes on with services that use it, beside the former ones until what they began is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from chatbot import settings
from chatbot.domain import ChatbotError
from chatbot.observability.logs import configure_logging

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

LONGEST_PAUSE = 5
"""Seconds between two looks for a database that is not there yet."""

logger = logging.getLogger(__name__)

Work = Callable[["Services", asyncio.Event], Awaitable[None]]
"""Works until the event is set, then finishes what is under way. Cancelled, it gives that up."""


def run(name: str, work: Work) -> None:
    """Run `work` until SIGTERM or SIGINT; returns when it has finished, so that the exit code is 0."""
    with started(name) as services:
        from chatbot.observability import metrics

        with metrics.served(services.settings.host, services.settings.metrics_port):
            asyncio.run(_run(services, work))


@contextmanager
def started(name: str) -> Iterator[Services]:
    """The services of a process of that name, which logs and traces meanwhile; nothing is connected yet."""
    loaded = settings.load()  # before the imports that take seconds
    from chatbot.bootstrap import bootstrap

    configure_logging(loaded.log_level)
    with _traced(name, loaded):
        yield bootstrap(loaded)


def _traced(name: str, loaded: settings.Settings) -> AbstractContextManager[None]:
    from chatbot.clients.otel import sending

    endpoint = loaded.otel_exporter_otlp_endpoint
    headers = loaded.otel_exporter_otlp_headers.get_secret_value()
    return sending(str(endpoint) if endpoint else None, headers, f"chatbot-{name}", settings.release())


async def _run(services: Services, work: Work) -> None:
    from chatbot.bootstrap import bootstrap
    from chatbot.runtime.rotation import changed

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await _database(services, stop)
    if stop.is_set():
        return await services.aclose()
    under_way: set[asyncio.Task[None]] = set()
    current: Services | None = services
    while current is not None:
        ended = asyncio.Event()
        working = asyncio.create_task(_work(current, work, ended))
        under_way.add(working)
        renewed = asyncio.create_task(changed(current.settings, stop))
        await asyncio.wait({working, renewed}, return_when=asyncio.FIRST_COMPLETED)
        ended.set()
        renewed.cancel()
        new = renewed.result() if renewed.done() else None
        current = bootstrap(new) if new else None
    _, left = await asyncio.wait(under_way, timeout=services.settings.shutdown_grace)
    if left:
        logger.warning("stopped before its work was done: it is left to another process")
    for task in left:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=bool(left))


async def _work(services: Services, work: Work, stop: asyncio.Event) -> None:
    try:
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
