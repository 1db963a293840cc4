"""Where a list goes on that is ordered by time: as text, microseconds and the id of the last thing on a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR = "^[0-9]{1,16}-[A-Za-z0-9_]{1,64}$"


def cursor(moment: datetime | None, id: str) -> str:
    return f"{((moment or EPOCH) - EPOCH) // timedelta(microseconds=1)}-{id}"


def position(cursor: str) -> tuple[datetime, str]:
    moment, _, id = cursor.partition("-")
    return EPOCH + timedelta(microseconds=int(moment)), id
