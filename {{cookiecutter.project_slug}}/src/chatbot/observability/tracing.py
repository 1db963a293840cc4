"""Traces: what took how long in one request or job. Off, as by default, a span costs next to nothing.

    with tracing.span("retrieval", attributes=gen_ai.retrieval(limit)) as span:
        passages = await search(…)
        span.set({"chatbot.passages": len(passages)})

Attributes are names, numbers and ids: never the text of a question, a passage or an answer, and no address. The
names of the conventions are in gen_ai.py. This module knows no vendor; clients/otel.py sends the spans when a collector
is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Attributes = Mapping[str, str | int | float | bool]

Kind = Literal["internal", "server", "client", "consumer"]


class Span(Protocol):
    def set(self, attributes: Attributes) -> None:
        """Add what became known only meanwhile."""

    def rename(self, name: str) -> None: ...


class Tracer(Protocol):
    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: str | None, current: bool
    ) -> AbstractContextManager[Span]: ...

    def traceparent(self) -> str | None: ...


class Nowhere:
    """The span of a process that traces nothing."""

    def set(self, attributes: Attributes) -> None: ...

    def rename(self, name: str) -> None: ...


_nowhere = nullcontext(Nowhere())
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """From now on spans are this tracer's; None: they go nowhere."""
    global _tracer
    _tracer = tracer


def span(
    name: str,
    kind: Kind = "internal",
    attributes: Attributes | None = None,
    parent: str | None = None,
    current: bool = True,
) -> AbstractContextManager[Span]:
    """Lasts as long as the `with`; an exception ends it as an error, told by its type only.

    Its parent is the span around it, or what `parent` names as a W3C traceparent. In an async generator `current` has
    to be False: its pieces may run in several tasks, each with a context of its own.
    """
    return _tracer.span(name, kind, attributes or {}, parent, current) if _tracer else _nowhere


def traceparent() -> str | None:
    """The span around this, for another process to go on from; None when nothing is traced."""
    return _tracer.traceparent() if _tracer else None
