"""How long a server wishes not to be asked: the header Retry-After (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds; it may name them, or a moment. 0 when it says nothing. `headers` by name, whatever the case."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0
    return max((moment.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0)
