"""How soon each process is ready after its start, and how much memory it holds then.

python -m benchmarks.processes            web, worker, scheduler; medians of five starts each
python -m benchmarks.processes --json

Web is ready when /readyz answers 200: database, vector store and queue were all reached. Worker and scheduler are
when they say so in their log. Services are started for the occasion. Times are of whole processes on this machine;
beside them stands what a bare FastAPI application takes in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from chatbot import settings
from chatbot.runtime.migrate import migrate
from services import start

PATIENCE = 60.0
"""Seconds to wait for one start."""
BARE = """
import os, uvicorn
from fastapi import FastAPI
app = FastAPI()
app.get("/readyz")(lambda: {})
uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error")
"""


@dataclass(frozen=True, slots=True)
class Start:
    """`seconds` to be ready, `megabytes` resident then."""

    seconds: float
    megabytes: float


def measure(command: list[str], environ: Mapping[str, str], is_ready: Callable[[Path, int], bool]) -> Start:
    """Start the process, wait until it is ready, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.NamedTemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, env={**environ, "PORT": str(port)}, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not is_ready(Path(log.name), port):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    sys.exit(f"{' '.join(command)} did not become ready:\n{Path(log.name).read_text()}")
                time.sleep(0.01)
            seconds = time.perf_counter() - began
            return Start(seconds, psutil.Process(process.pid).memory_info().rss / 1e6)
        finally:
            process.terminate()
            process.wait()


def answers(_: Path, port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def says_so(log: Path, _: int) -> bool:
    return '"message": "ready"' in log.read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="starts of each process (default 5)")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, start(Path(folder), {}) as urls:
        os.environ.update(urls)
        asyncio.run(migrate(settings.load()))
        environ = {**os.environ, "PYTHONPATH": str(settings.home() / "src")}
        commands = {
            "bare FastAPI": ([sys.executable, "-c", BARE], answers),
            "web": ([sys.executable, "-m", "chatbot", "web"], answers),
            "worker": ([sys.executable, "-m", "chatbot", "worker"], says_so),
            "scheduler": ([sys.executable, "-m", "chatbot", "scheduler"], says_so),
        }
        figures: dict[str, list[Start]] = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, (command, is_ready) in commands.items():
                figures[name].append(measure(command, environ, is_ready))
    medians = {
        name: {"seconds": median(s.seconds for s in starts), "megabytes": median(s.megabytes for s in starts)}
        for name, starts in figures.items()
    }
    if arguments.json:
        print(json.dumps(medians))
        return
    for name, values in medians.items():
        print(f"{name:<14} {values['seconds']:5.2f} s   {values['megabytes']:4.0f} MB")


if __name__ == "__main__":
    main()
