"""How long a server wishes not to be asked: the header Retry-After (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds; it may name them, or a moment, by its own clock. 0 when it says nothing. `headers` by name, whatever the
    case."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    moment, now = _moment(value), _moment(headers.get("Date", "")) or datetime.now(UTC)
    return max((moment - now).total_seconds(), 0) if moment else 0


def _moment(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value).astimezone(UTC)
    except ValueError:
        return None
