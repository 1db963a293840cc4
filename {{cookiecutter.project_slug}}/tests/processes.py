"""Starts the chatbot's processes as a platform would: a command, an environment, and what comes out on stdout.

with serving(environ) as (web, client), chatbot("worker", environ=environ) as worker:
    client.get("/readyz")
    assert worker.stop() == 0
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from chatbot import settings
from chatbot.settings import home

T = TypeVar("T")
SCHEMES = settings.url_schemes()
NOWHERE = {
    "DATABASE_URL": "postgresql://someone:s3cret@127.0.0.1:1/none",
    "VECTOR_DB_URL": f"{SCHEMES['vector_db_url'][0]}://127.0.0.1:1",
    "QUEUE_URL": f"{SCHEMES['queue_url'][0]}://127.0.0.1:1/0",
}
"""URLs that the chosen adapters take, and where nothing answers."""
NOT_TO_BE_SAID = ("s3cret", "wolpertinger", "slate", "kestrel", "meadow", "carbon tax", "what sings", "zinc", "walls")
"""Of the tests' passwords, questions and documents: no lasting process may log them, or hold them in its figures."""
LASTING = ("web", "worker", "scheduler")
PATIENCE = 60.0
"""Seconds until a test gives up waiting, on a machine that is busy."""


def environment(**variables: str) -> dict[str, str]:
    """These settings and no others, with the code on the path wherever a child is started."""
    inherited = {name: value for name, value in os.environ.items() if name not in settings.variables()}
    return {**inherited, "PYTHONPATH": str(home() / "src"), **variables}


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Process:
    """A running `chatbot` command, in an empty folder, so that it meets no `.env`."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.cwd = Path(self._folder.name, "cwd")
        self.cwd.mkdir()
        self._output, self._errors = (Path(self._folder.name, name) for name in ("stdout", "stderr"))
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "chatbot", *command],
                cwd=self.cwd,
                env=environment(**environ),
                stdout=output,
                stderr=errors,
            )

    @property
    def code(self) -> int | None:
        return self._popen.poll()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def output(self) -> list[str]:
        return self._output.read_text().splitlines()

    def errors(self) -> str:
        return self._errors.read_text()

    def logs(self) -> list[dict[str, Any]]:
        """Every line of stdout, which has to be JSON (XI)."""
        return [json.loads(line) for line in self.output()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        if self.code is None:
            self._popen.send_signal(number)
        return self._popen.wait(PATIENCE)

    def close(self) -> None:
        self._folder.cleanup()


@contextmanager
def chatbot(*command: str, environ: Mapping[str, str]) -> Iterator[Process]:
    process = Process(command, environ)
    try:
        yield process
        process.stop(signal.SIGKILL)
        if command[0] in LASTING:
            assert said("\n".join([*process.output(), process.errors()])) == []
    finally:
        process.stop(signal.SIGKILL)
        process.close()


def said(text: str) -> list[str]:
    """What it holds of the words that no log and no figure may hold."""
    return [words for words in NOT_TO_BE_SAID if words in text.lower()]


@contextmanager
def serving(environ: Mapping[str, str]) -> Iterator[tuple[Process, httpx2.Client]]:
    """A web process that answers, and a client for it."""
    port = free_port()
    with (
        chatbot("web", environ={**environ, "HOST": "127.0.0.1", "PORT": str(port)}) as web,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as client,
    ):
        until(lambda: web.code is not None or answers(client))
        assert web.code is None, web.errors()
        yield web, client
        if web.code is None and answers(client):
            assert said(client.get("/metrics").text) == []


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/healthz").is_success
    except httpx2.TransportError:
        return False


def until(condition: Callable[[], T], patience: float = PATIENCE) -> T:
    """Wait until the condition holds, and return what it gave."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {patience:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
