"""Waiting has an end, also where what is cancelled takes its time."""

from __future__ import annotations

import asyncio

import pytest

from chatbot.deadline import with_timeout

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
