"""Removes what need not be kept any longer: old conversations, records of what ended, counters of former minutes.

CONVERSATION_RETENTION_DAYS and RECORD_RETENTION_DAYS say when that is; 0: never. `chatbot run purge` does it now; each
scheduler looks every ten minutes whether a day has passed, and one of them does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbot.storage.daily_lock import daily_lock
from chatbot.storage.pipeline_runs import PipelineRuns

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

Removed = dict[str, int]


async def purge(services: Services) -> Removed:
    """How much of what was removed."""
    settings, removed = services.settings, Removed()
    if days := settings.conversation_retention_days:
        removed |= await services.personal.purge(days)
    if days := settings.record_retention_days:
        removed["records of jobs"] = await services.jobs.purge(days)
        removed["records of runs"] = await PipelineRuns(services.database).purge(days)
    await services.personal.forget(settings.backup_days)
    return {**removed, "counters": await services.limits.forget_old()}


async def purge_daily(services: Services) -> Removed | None:
    """The same, once a day however many processes try; None for the others."""
    async with daily_lock(services.database, "purge") as mine:
        return await purge(services) if mine else None
