"""A bound on waiting that holds although what is waited for ends late: a driver may ask a silent server to cancel.

hits = await with_timeout(10, vectors.search(…))      TimeoutError after ten seconds
await cancel_and_wait(renewing)                       returns once it has ended
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

AGAIN = 5.0
"""Seconds after which a task that goes on is cancelled once more; what it does at its end may take as long."""
_ending = set[asyncio.Task[Any]]()
"""What was given up and has not ended yet; kept here, or it could be lost half-way."""


async def with_timeout(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, or TimeoutError: at once, while the cancelled work ends in its own time."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            _ending.add(task)
            task.add_done_callback(_ended)


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks, and return when all have ended, in whatever way.

    A cancellation may get lost: `asyncio.wait_for` of Python 3.11, which drivers use, swallows one that comes in the
    moment in which what it waits for is done. A task that never ends by itself would then be waited for for ever.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)  # or asyncio would say that nobody asked for their errors


def _ended(task: asyncio.Task[Any]) -> None:
    _ending.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it any more, and asyncio would say so in the log
