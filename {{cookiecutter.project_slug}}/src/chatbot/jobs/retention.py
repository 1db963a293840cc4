"""Removes what need not be kept any longer: old conversations, and the counters of former minutes and days.

A conversation is old CONVERSATION_RETENTION_DAYS after its last answer; 0: never. `chatbot run purge` does it now; each
scheduler looks every ten minutes whether a day has passed, and one of them does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbot.storage.daily_lock import daily_lock

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

Removed = dict[str, int]


async def purge(services: Services) -> Removed:
    """How much of what was removed."""
    days = services.settings.conversation_retention_days
    removed = await services.personal.purge(days) if days else {}
    await services.personal.forget()
    return {**removed, "counters": await services.limits.forget_old()}


async def purge_daily(services: Services) -> Removed | None:
    """The same, once a day however many processes try; None for the others."""
    async with daily_lock(services.database, "purge") as mine:
        return await purge(services) if mine else None
