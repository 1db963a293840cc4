"""A Prefect server of its own for the tests, with the deployments of prefect.yaml and a worker of the process pool.

    with serving(folder) as server, server.worker(environ):
        run = server.run("ingest", {"through_queue": False})
        assert server.state(run)["name"] == "Completed"

Server and worker live in environments of their own, as in production: their locks are installed into `.services/` at
first use, and again when they change. All of it is on loopback, on SQLite, and gone afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil

from chatbot.settings import home
from tests.processes import environment, free_port, until

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
SETTLING = 15
"""Seconds after a crash in which the worker would take the next attempt for the one that ended."""
BUSY = 20
"""Attempts while the server's database is busy."""
PATIENCE = 180.0
"""Seconds for what takes some on a machine that has nothing else to do."""


def installed(lock: Path, name: str) -> Path:
    """The folder of programs of an environment that holds what the lock says."""
    folder = home() / ".services" / name / ".venv"
    programs, stamp = folder / "bin", folder / "installed.lock"
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        python = programs / "python"
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        without = ["--without-pip"] if uv else []
        install = [uv, "pip", "sync", "--python", python] if uv else [python, "-m", "pip", "install", "--requirement"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", *without, folder], check=True)
        subprocess.run([*install, lock, "--quiet", "--require-hashes"], check=True)
        shutil.copyfile(lock, stamp)
    return programs


class Server:
    def __init__(self, url: str, folder: Path, programs: Path) -> None:
        self.url, self._folder, self._programs = url, folder, programs
        self._client = httpx2.Client(base_url=url, timeout=30, trust_env=False)
        self._worker: psutil.Popen | None = None

    def close(self) -> None:
        self._client.close()

    def environ(self, **variables: str) -> dict[str, str]:
        """Of a process that knows the server."""
        known = {
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self._folder / "client"),
            "PIPELINES_HOME": str(home()),
        }
        return environment(**QUIET | known | variables)

    def command(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the pipelines' environment to its end."""
        program, *arguments = command
        return subprocess.run(
            [self._programs / program, *arguments],
            env=self.environ(**variables),
            cwd=home(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def answers(self) -> bool:
        try:
            return self._client.get("/health").is_success
        except httpx2.TransportError:
            return False

    def ask(self, path: str, **body: Any) -> Any:
        for _ in range(BUSY):
            answer = self._client.post(path, json=body)
            if answer.status_code != 503:  # as Prefect's own client: SQLite takes one writer at a time
                break
            time.sleep(1)
        return answer.raise_for_status().json()

    def run(self, name: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Begin a run of the pipeline's deployment for the process pool; its id."""
        deployment = self._client.get(f"/deployments/name/{name}/process").raise_for_status().json()
        begun = {"state": {"type": "SCHEDULED"}, "parameters": {**deployment["parameters"], **(parameters or {})}}
        id: str = self.ask(f"/deployments/{deployment['id']}/create_flow_run", **begun)["id"]
        return id

    def again(self, run: str) -> None:
        """As `prefect flow-run retry`, by a person who has taken a look."""
        time.sleep(SETTLING)
        self.ask(f"/flow_runs/{run}/set_state", state={"type": "SCHEDULED", "name": "AwaitingRetry"}, force=True)

    def ended(self, run: str) -> dict[str, Any]:
        """The state in which the run ends."""

        def state() -> dict[str, Any] | None:
            found: dict[str, Any] = self._client.get(f"/flow_runs/{run}").raise_for_status().json()["state"]
            return found if found["type"] in ENDED else None

        try:
            return until(state, PATIENCE) or {}
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.said()}") from None

    def complete(self, *runs: str) -> None:
        """Wait until they have ended, and see that they ended well."""
        for state in map(self.ended, runs):
            assert state["name"] == "Completed", (state["message"], self.said())

    def said(self) -> str:
        """What the worker said last."""
        return (self._folder / "worker.log").read_text()[-8000:]

    def runs(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("/flow_runs/filter", flows={"name": {"any_": [name]}})
        return found

    def processes(self) -> list[psutil.Process]:
        """Those of the flows that the worker runs at the moment."""
        assert self._worker
        return self._worker.children(recursive=True)

    @contextmanager
    def worker(self, environ: Mapping[str, str]) -> Iterator[None]:
        with (self._folder / "worker.log").open("wb") as log:
            # No --limit: with one, Prefect's worker ends when a run that crashed is tried again soon.
            command = [self._programs / "prefect", "worker", "start", "--pool", "process-pool"]
            self._worker = psutil.Popen(command, env=self.environ(**environ), cwd=self._folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            _end(self._worker)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """The server, with both pools and all deployments."""
    programs = installed(home() / "deploy" / "prefect" / "server.lock", "prefect-server")
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [programs / "prefect", "server", "start", "--no-ui", "--no-services"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        home_of_it = {"PREFECT_HOME": str(folder / "server")}
        process = psutil.Popen(command, env={**env, **QUIET, **home_of_it}, cwd=folder, stdout=log, stderr=log)
    try:
        pipelines = installed(home() / "requirements-prefect.lock", "prefect")
        server = Server(f"http://127.0.0.1:{port}/api", folder, pipelines)
        until(lambda: process.poll() is not None or server.answers(), PATIENCE)
        assert process.poll() is None, (folder / "server.log").read_text()
        pool = (home() / "deploy" / "prefect" / "kubernetes-pool.json").read_text()
        server.ask("/work_pools/", name="process-pool", type="process")
        server.ask("/work_pools/", name="kubernetes-pool", type="kubernetes", base_job_template=json.loads(pool))
        done = server.command("prefect", "--no-prompt", "deploy", "--all")
        assert done.returncode == 0, done.stdout + done.stderr
        yield server
        server.close()
    finally:
        _end(process)


def _end(process: psutil.Popen) -> None:
    """With its children, which would outlive a worker that was killed."""
    every = [*process.children(recursive=True), process] if process.is_running() else []
    for each in every:
        each.kill()
    process.wait()
