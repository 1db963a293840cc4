"""Sends spans to an OpenTelemetry collector, by OTLP over HTTP, in batches and from a thread of its own.

Nothing is set globally: libraries that would trace by themselves, and put URLs and messages of exceptions in their
spans, find no tracer. A collector that is down costs the process nothing but the spans.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chatbot.observability import tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

PATIENCE = 3.0
"""Seconds that one batch, or the last ones at the end of the process, may take."""


@contextmanager
def sending(endpoint: str | None, headers: str, service: str, version: str) -> Iterator[None]:
    """Trace meanwhile, when there is an endpoint; `headers` as the standard writes them: `name=value,name=value`."""
    if endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.util.re import parse_env_headers

    given = parse_env_headers(headers, liberal=True)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", headers=given, timeout=PATIENCE)
    stop = start(exporter, service, version)
    try:
        yield
    finally:
        stop()


def start(exporter: SpanExporter, service: str, version: str) -> Callable[[], None]:
    """Use a tracer on this exporter; returns what sends the rest and ends it, within PATIENCE."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracing.use(_Tracer(provider))

    def stop() -> None:
        tracing.use(None)
        flushing = threading.Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(PATIENCE)

    return stop


class _Tracer:
    def __init__(self, provider: object) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        assert isinstance(provider, TracerProvider)
        self._tracer = provider.get_tracer("chatbot")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, kind: tracing.Kind, attributes: tracing.Attributes, parent: str | None, current: bool
    ) -> Iterator[_Span]:
        from opentelemetry.trace import SpanKind, Status, StatusCode, use_span

        context = self._propagator.extract({"traceparent": parent}) if parent else None
        span = self._tracer.start_span(name, context, SpanKind[kind.upper()], dict(attributes))
        try:
            if current:
                with use_span(span, record_exception=False, set_status_on_exception=False):
                    yield _Span(span)
            else:
                yield _Span(span)
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def traceparent(self) -> str | None:
        carrier = dict[str, str]()
        self._propagator.inject(carrier)
        return carrier.get("traceparent")


class _Span:
    def __init__(self, span: Span) -> None:
        self._span = span

    def set(self, attributes: tracing.Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)
