"""Removes what need not be kept any longer: old conversations, and the counters of former minutes and days.

A conversation is old CONVERSATION_RETENTION_DAYS after its last answer; 0: never. `chatbot run purge` does it now; each
scheduler looks every ten minutes whether a day has passed, and one of them does it.
"""

from __future__ import annotations

from chatbot.storage.daily_lock import daily_lock
from chatbot.storage.database import Database
from chatbot.storage.limits import Limits
from chatbot.storage.personal import Personal

Removed = dict[str, int]


async def purge(personal: Personal, limits: Limits, days: int, backup_days: int = 1) -> Removed:
    """How much of what was removed; conversations after so many days, or never where that is 0.

    `backup_days`: for so long it is remembered who was erased.
    """
    removed = await personal.purge(days) if days else {}
    await personal.forget(backup_days)
    return {**removed, "counters": await limits.forget_old()}


async def purge_daily(
    database: Database, personal: Personal, limits: Limits, days: int, backup_days: int = 1
) -> Removed | None:
    """The same, once a day however many processes try; None for the others."""
    async with daily_lock(database, "purge") as mine:
        return await purge(personal, limits, days, backup_days) if mine else None
