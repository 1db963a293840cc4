"""Secrets that change while a process runs are used without a restart: looked for every SECRETS_REFRESH seconds.

A store that does not answer, or values that are not usable, change nothing: the last good ones stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from chatbot import settings
from chatbot.domain import InvalidConfiguration
from chatbot.settings import Settings

log = logging.getLogger(__name__)


async def changed(current: Settings, stop: asyncio.Event) -> Settings | None:
    """Wait until a secret has another value and return the settings with it; None when told to stop before."""
    failing = False
    while not await _stopped(stop, current.secrets_refresh):
        try:
            found = await asyncio.to_thread(settings.load)
        except InvalidConfiguration as error:
            if not failing:
                log.warning("secrets not renewed", extra={"problem": str(error)})
            failing = True
            continue
        if failing:
            log.info("secrets can be read again")
        failing = False
        new = {name: getattr(found, name) for name in settings.secret_names()}
        differing = sorted(name.upper() for name, value in new.items() if value != getattr(current, name))
        if differing:
            log.info("secrets changed", extra={"variables": differing})
            return current.model_copy(update=new)
    return None


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or for ever if 0; whether the stop came."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds or None)
    return stop.is_set()
