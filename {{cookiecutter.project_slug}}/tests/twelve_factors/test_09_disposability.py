"""IX. Disposability: quick to start, and SIGTERM is a clean end."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from tests.processes import NOWHERE, chatbot, free_port, serving, until


def test_web_stops_with_0(environ: Mapping[str, str]) -> None:
    with serving(environ) as (web, _):
        started = time.monotonic()
        assert web.stop() == 0
        assert time.monotonic() - started < 10


def test_web_serves_without_its_database_says_so_and_stops_with_0() -> None:
    with serving(NOWHERE) as (web, client):
        assert client.get("/readyz").status_code == 503
        assert web.stop() == 0
        assert web.errors() == ""


@pytest.mark.parametrize("name", ["worker", "scheduler"])
def test_a_process_waits_for_its_database_and_stops_with_0(name: str) -> None:
    with chatbot(name, environ=NOWHERE) as process:
        until(lambda: [line for line in process.logs() if line["message"].startswith("waiting")])
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 10
        assert process.errors() == ""


@pytest.mark.slow
def test_neither_a_collector_that_is_down_nor_a_scraper_keeps_a_process() -> None:
    watched = {"METRICS_PORT": str(free_port()), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with serving({**NOWHERE, **watched}) as (web, client), chatbot("worker", environ={**NOWHERE, **watched}) as worker:
        until(lambda: [line for line in worker.logs() if line["message"].startswith("waiting")])
        assert client.post("/v1/search", json={"query": "slate"}).status_code == 503
        started = time.monotonic()
        assert [web.stop(), worker.stop()] == [0, 0]
        assert time.monotonic() - started < 15
        assert web.errors() + worker.errors() == ""
        assert all("message" in line for line in web.logs())
