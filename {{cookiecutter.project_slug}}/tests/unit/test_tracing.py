"""Traces: off and not even imported by default; on, they tell what took how long and nothing of what was said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chatbot.answering.answer import Answerer
from chatbot.answering.generate import Generator
from chatbot.answering.retrieve import Retriever
from chatbot.clients import otel as traces
from chatbot.clients.language_model import GenerationLimits, OpenAICompatible
from chatbot.domain import Claim, Hit, Job, Passage, Unavailable
from chatbot.ingestion.ingest import IngestResult
from chatbot.jobs import worker
from chatbot.observability import tracing
from chatbot.settings import home
from tests.processes import python
from tests.unit import openai_server
from tests.unit.fakes import PASSAGE, FakeAnswerer, client_of, fake_services

pytestmark = pytest.mark.slow
CANARY = "Wolpertinger"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OFF = """
import asyncio, sys
import chatbot.bootstrap, chatbot.jobs.worker, chatbot.runtime.process
from chatbot.web.app import create_app
from tests.unit.fakes import fake_services

async def boot():
    app = create_app(fake_services())
    async with app.router.lifespan_context(app): pass
asyncio.run(boot())
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "requests"))])
"""


class Spans(InMemorySpanExporter):
    """The spans that were sent, by name."""

    def named(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.get_finished_spans()}


@contextmanager
def tracing_to(exporter: Spans) -> Iterator[Spans]:
    stop = traces.start(exporter, "chatbot-test", "1")
    try:
        yield exporter
    finally:
        stop()


class Searches:
    """Everything that a retriever asks, and an embedder."""

    model = "tiny"

    async def search(self, *_: Any) -> list[Hit]:
        return [Hit("c1", 0.9)]

    async def passages(self, hits: Any) -> list[Passage]:
        return [PASSAGE]

    async def embed_query(self, text: str) -> list[float]:
        return [1.0]


def retriever() -> Retriever:
    every: Any = Searches()
    return Retriever(every, every, every, every, 0.5)


def test_nothing_of_the_sdk_is_imported_while_traces_are_off() -> None:
    assert python(f"import sys; sys.path.insert(0, {str(home())!r}){OFF}") == "[]"


def test_off_a_span_goes_nowhere() -> None:
    with tracing.span("x") as span:
        span.set({"a": 1})
    assert tracing.traceparent() is None


async def test_one_question_is_one_trace_by_the_conventions_and_without_its_words() -> None:
    with openai_server.running() as server:
        server.pieces = [f"{CANARY} taxes weigh on poor households [1]."]
        model = Generator(OpenAICompatible(server.url, "small-1", "key", GenerationLimits(5, 5)))
        services = fake_services(Answerer(retriever(), model, 3))
        with tracing_to(Spans()) as exporter:
            async with client_of(services) as client:
                body = {"question": f"{CANARY}: what weighs on poor households?", "stream": True}
                url = f"/v1/chat?q={CANARY}"
                response = await client.post(url, json=body, headers={"traceparent": PARENT, "X-Request-ID": "r-1"})
            await model.close()
    assert CANARY in response.text
    spans = exporter.named()
    stages = {f"retrieval {name}" for name in ("lexical", "embed", "vector_store", "passages")}
    assert spans.keys() == {"POST /v1/chat", "retrieval", "chat small-1", *stages}

    request, call = spans["POST /v1/chat"], spans["chat small-1"]
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/chat",
        "http.response.status_code": 200,
        "chatbot.request.id": "r-1",
    }
    assert request.kind.name == "SERVER"
    assert dict(call.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "small-1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    assert call.kind.name == "CLIENT"
    assert dict(spans["retrieval"].attributes or {}) == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.top_k": 3,
        "chatbot.passages": 1,
    }
    assert dict(spans["retrieval embed"].attributes or {})["gen_ai.request.model"] == "tiny"

    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert {f"{span.get_span_context().trace_id:032x}" for span in spans.values()} == {PARENT.split("-")[1]}
    for name in ("retrieval", "chat small-1"):
        assert parent(spans[name]) == request.get_span_context().span_id
    for name in stages:
        assert parent(spans[name]) == spans["retrieval"].get_span_context().span_id
    assert CANARY not in "".join(span.to_json() for span in spans.values())


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


@pytest.mark.parametrize(
    ("error", "status"), [(Unavailable(CANARY, CANARY), 503), (ValueError(CANARY), 500)], ids=["known", "unknown"]
)
async def test_a_failure_is_told_by_its_status_and_type(error: Exception, status: int) -> None:
    with tracing_to(Spans()) as exporter:
        async with client_of(fake_services(FakeAnswerer(error=error))) as client:
            response = await client.post("/v1/chat", json={"question": "Who pays?"})
    assert response.status_code == status
    request = exporter.named()["POST /v1/chat"]
    assert (request.attributes or {})["error.type"] in (str(status), "ValueError")
    assert CANARY not in request.to_json()


async def test_probes_are_not_traced_and_an_unknown_path_is_not_told() -> None:
    with tracing_to(Spans()) as exporter:
        async with client_of(fake_services()) as client:
            await client.get("/healthz")
            await client.get(f"/{CANARY}")
    assert exporter.named().keys() == {"GET unmatched"}


async def test_a_job_goes_on_in_the_trace_of_its_request() -> None:
    job = Job("j1", "ingest", "d1", "running", 2, request_id="r-1", traceparent=PARENT)

    class Jobs:
        async def start(self, id: str) -> Job:
            return job

        lease = 60.0

        async def succeed(self, claim: Claim, note: str = "") -> str:
            return "succeeded"

    class Ingester:
        async def process(self, id: str, progress: Any, claim: Claim) -> IngestResult:
            assert tracing.traceparent() != PARENT
            assert (tracing.traceparent() or "").split("-")[1] == PARENT.split("-")[1]
            return IngestResult("d1", 1, 2, 2)

    jobs: Any = Jobs()
    ingester: Any = Ingester()
    with tracing_to(Spans()) as exporter:
        await worker._handle(jobs, ingester, "j1")
    span = exporter.named()["job ingest"]
    assert parent(span) == int(PARENT.split("-")[2], 16)
    assert dict(span.attributes or {}) == {
        "chatbot.job.id": "j1",
        "chatbot.job.attempt": 2,
        "chatbot.job.state": "succeeded",
    }


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, str | None, ExportTraceServiceRequest]]]]:
    """Takes OTLP over HTTP and keeps path, key and spans."""
    got: list[tuple[str, str | None, ExportTraceServiceRequest]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Authorization"], ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_spans_reach_a_collector_before_the_process_ends() -> None:
    with collector() as (url, got):
        with traces.sending(f"{url}/", "authorization=Bearer%20key", "chatbot-worker", "1.2"), tracing.span("x"):
            pass
        [(path, key, request)] = got
    assert (path, key) == ("/v1/traces", "Bearer key")
    [resource] = request.resource_spans
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (about["service.name"], about["service.version"]) == ("chatbot-worker", "1.2")
    assert [span.name for each in resource.scope_spans for span in each.spans] == ["x"]
    assert tracing.traceparent() is None


def test_a_collector_that_is_down_does_not_keep_the_process(caplog: pytest.LogCaptureFixture) -> None:
    with traces.sending("http://127.0.0.1:1", f"authorization={CANARY}", "chatbot-worker", "1"):
        with tracing.span("x"):
            pass
        started = time.monotonic()
    assert time.monotonic() - started < traces.PATIENCE + 1
    assert caplog.records
    assert CANARY not in caplog.text
