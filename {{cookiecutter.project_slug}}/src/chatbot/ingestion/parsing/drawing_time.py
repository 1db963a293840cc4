"""How long a parser's process may draw pages, and have them read by OCR: more than reading takes, and not without end.

A process begins with the few seconds of processor time that reading takes. The first page that has to be drawn gives it
what `child.py` was told for drawing, once.
"""

from __future__ import annotations

import contextlib
import time

UNLIMITED = 3600.0
"""Seconds, outside of such a process."""

_until: float | None = None


def allow(seconds: float) -> None:
    """From now on, so many seconds by the clock."""
    global _until
    _until = time.monotonic() + seconds


def left() -> float:
    """Seconds."""
    return UNLIMITED if _until is None else _until - time.monotonic()


def take() -> None:
    """Use the processor time that is kept for drawing: the hard limit, which has room for it. It may be called between
    fork and exec, too. Windows knows no such limit."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
