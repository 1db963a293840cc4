"""A circuit breaker: after several failures in a row nobody is sent to a resource that is down, until a probe succeeds.

    if seconds := breaker.enter():
        raise Unavailable(...)          open: nothing was asked, try again in `seconds`
    breaker.succeeded()                 or .failed(), or .left() when the call ended without telling either

Closed: every call goes through. Open: none does, for `pause` seconds. Half-open: one call goes through as a probe and
decides. One breaker a process: processes find out by themselves, and need nothing in common to do so.
"""

from __future__ import annotations

import time
from collections.abc import Callable

CLOSED, HALF_OPEN, OPEN = range(3)


class Breaker:
    """Opens after `failures` calls in a row that failed; `clock` counts seconds; `told` hears of each state."""

    def __init__(
        self,
        failures: int,
        pause: float,
        clock: Callable[[], float] = time.monotonic,
        told: Callable[[int], None] = lambda state: None,
    ) -> None:
        self._limit, self._pause, self._clock, self._told = failures, pause, clock, told
        self._failed = 0
        self._opened: float | None = None
        self._probing = False

    def enter(self) -> float:
        """0 when the call may be made, else the seconds until one may be."""
        if self._opened is None:
            return 0
        remaining = self._opened + self._pause - self._clock()
        if remaining > 0:
            return remaining
        if self._probing:
            return self._pause
        self._probing = True
        self._tell()
        return 0

    def succeeded(self) -> None:
        self._failed, self._opened, self._probing = 0, None, False
        self._tell()

    def failed(self) -> None:
        self._failed += 1
        if self._probing or self._failed >= self._limit:
            self._opened = self._clock()
        self._probing = False
        self._tell()

    def left(self) -> None:
        """The call was given up, by us: the next one may be the probe."""
        self._probing = False
        self._tell()

    def _tell(self) -> None:
        self._told(HALF_OPEN if self._probing else CLOSED if self._opened is None else OPEN)
