"""A bound on waiting that holds although what is waited for ends late: a driver may ask a silent server to cancel.

hits = await with_timeout(10, vectors.search(…))      TimeoutError after ten seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

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


def _ended(task: asyncio.Task[Any]) -> None:
    _ending.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it any more, and asyncio would say so in the log
