"""IX. Disposability: quick to start, and SIGTERM is a clean end."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from tests.processes import chatbot, serving, until

NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}


def test_web_stops_with_0(environ: Mapping[str, str]) -> None:
    with serving(environ) as (web, _):
        started = time.monotonic()
        assert web.stop() == 0
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["worker", "scheduler"])
def test_a_process_waits_for_its_database_and_stops_with_0(environ: Mapping[str, str], name: str) -> None:
    with chatbot(name, environ={**environ, **NOWHERE}) as process:
        until(lambda: [line for line in process.logs() if line["message"].startswith("waiting")])
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 10
        assert process.errors() == ""
