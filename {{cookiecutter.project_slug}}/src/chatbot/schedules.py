"""When pipelines start by themselves: `harvest=0 3 * * *; report=0 6 * * 1`, each a cron expression, in UTC.

for name, expression in parsed(settings.schedules).items():
    tick = latest(expression, datetime.now(UTC))
"""

from __future__ import annotations

from datetime import datetime

PIPELINES = ("harvest", "ingest", "index", "benchmark", "report", "purge", "migrate")


def parsed(text: str) -> dict[str, str]:
    """By pipeline, its cron expression."""
    entries = [entry.partition("=") for entry in text.split(";") if entry.strip()]
    return {name.strip(): expression.strip() for name, _, expression in entries}


def problem(text: str) -> str | None:
    """What is wrong with it, or None."""
    from cronsim import CronSim, CronSimError

    for name, expression in parsed(text).items():
        if name not in PIPELINES:
            return f"should name pipelines ({', '.join(PIPELINES)}), not {name}"
        try:
            CronSim(expression, datetime(2000, 1, 1))
        except CronSimError:
            return f"has no cron expression for {name}, such as {name}=0 3 * * *"
    return None


def latest(expression: str, now: datetime) -> datetime:
    """The last moment, not after `now`, at which it was due."""
    from cronsim import CronSim

    return next(CronSim(expression, now.replace(microsecond=1), reverse=True))
