"""One server as a child process: found or started, waited for until it is ready, stopped."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chatbot.domain import ChatbotError
from services.plain_path import forget, plain_path

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[1]
"""Where a server of this folder's own, `python -m services.…`, is found."""
Ended = psutil.NoSuchProcess
"""A process that is not there any more."""
PATIENCE = 60.0
"""Seconds for a server to be ready, on a slow machine."""


class ServiceError(ChatbotError):
    """A service cannot start; the message says what to do."""


class NotInstalled(ServiceError):
    """Its program is not on this machine; the message says how to install it."""


def put_on_file(file: Path, pid: int) -> psutil.Process:
    """Remember a process, so that another program can find it after this one was killed. Raises Ended."""
    process = psutil.Process(pid)
    file.write_text(f"{pid} {process.create_time()}")
    return process


def running(file: Path) -> psutil.Process | None:
    """The process that is on file, unless its pid is by now another program's."""
    try:
        pid, born = file.read_text().split()
        process = psutil.Process(int(pid))
        ours = str(process.create_time()) == born and process.status() != psutil.STATUS_ZOMBIE
        return process if ours else None
    except (OSError, ValueError, psutil.Error):
        return None


def stop(file: Path, number: int = signal.SIGTERM, patience: float = 10) -> None:
    """Stop the process that is on file, if it runs, by this signal; by SIGKILL after `patience` seconds."""
    process = running(file)
    if process is not None:
        process.send_signal(number)
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    file.unlink(missing_ok=True)


def _free(port: int) -> int | None:
    """This port if nobody listens on it, for 0 any that is free, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return None
        return probe.getsockname()[1]


@dataclass
class Folder:
    """What needs no server: a folder of its own, which `url` names by {data}."""

    folder: Path
    url: str

    def start(self) -> str:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        return self.url.format(data=data)

    def stop(self) -> None: ...


@dataclass
class Process:
    """`command`, `url` and the values of `environ` are templates over host, port, data and spare, one more free port.

    PATH in `environ` is where `command` is looked for first. `ready` is a path that answers 200, or empty: then the
    port only has to accept a connection.
    """

    folder: Path
    variable: str
    command: str
    url: str
    ready: str
    environ: Mapping[str, str] = field(default_factory=dict)
    _child: subprocess.Popen[bytes] | None = None
    """The server, when it was this program that started it."""

    def start(self) -> str:
        """Its URL. A server that an earlier program left running on the folder is used."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        server = running(self._pid)
        if server is None:
            self._port.write_text(str(self._free_port()))
            server = self._spawn()
        self._wait(server)
        return self.url.format(host=HOST, port=self._port.read_text())

    def stop(self) -> None:
        stop(self._pid)
        forget(self.folder / "data")
        if self._child is not None:
            self._child.poll()  # lets Python know that it is over
            self._child = None

    @property
    def _port(self) -> Path:
        return self.folder / "port"

    @property
    def _pid(self) -> Path:
        return self.folder / "pid"

    def _free_port(self) -> int:
        """The port of the last time if it is free, so that URLs stay the same, else any."""
        last = int(self._port.read_text()) if self._port.exists() else 0
        port = _free(last) or _free(0)
        if port is None:
            raise ServiceError("There is no free port on this machine.")
        return port

    def _spawn(self) -> psutil.Process:
        data = plain_path(self.folder / "data")
        values = {"host": HOST, "port": self._port.read_text(), "spare": _free(0), "data": data}
        program, *arguments = (part.format(**values) for part in self.command.split())
        environ = {name: template.format(**values) for name, template in self.environ.items()}
        folders = [environ.get("PATH", ""), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        environ["PATH"] = os.pathsep.join(filter(None, folders))
        found = shutil.which(program, path=environ["PATH"])
        if found is None:
            raise NotInstalled(
                f"{program} is not installed: install it (Debian, Ubuntu: apt install {program}), "
                f"or set {self.variable} to a server that runs."
            )
        with (self.folder / "log").open("ab") as log:
            # In a session of its own, so that Ctrl-C stops the bot first and the server after it.
            self._child = subprocess.Popen(
                [found, *arguments],
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return put_on_file(self._pid, self._child.pid)

    def _wait(self, server: psutil.Process) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if server.status() == psutil.STATUS_ZOMBIE or not server.is_running() or time.monotonic() > deadline:
                raise ServiceError(f"{self.folder.name} did not start: see {self.folder / 'log'}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        port = int(self._port.read_text())
        try:
            if not self.ready:
                socket.create_connection((HOST, port), timeout=1).close()
                return True
            with closing(http.client.HTTPConnection(HOST, port, timeout=1)) as connection:
                connection.request("GET", self.ready)
                return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
