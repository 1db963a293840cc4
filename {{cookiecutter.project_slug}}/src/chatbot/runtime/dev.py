"""`chatbot dev`: the processes of the Procfile and the services they need, on this machine, without Docker.

The services are real (`services/`), and so is the order: services, `release`, then all other processes, each with its
own prefix. When one of them dies all are stopped: a process that is down should be seen, not papered over.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import click

from chatbot import settings, settings_files
from chatbot.domain import ChatbotError, InvalidConfiguration
from chatbot.runtime.migrate import migrate

COLOURS = ("cyan", "green", "magenta", "yellow", "blue")
MARGIN = 5
"""Seconds beyond SHUTDOWN_GRACE before a process that does not stop is killed."""
LONGEST_LINE = 1_000_000
"""Bytes of one line of output."""
QUIET = frozenset({"time", "level", "logger", "message"})
"""Fields of a log line that are shown without their name, or not at all."""
FIRST_CORPUS = ("run", "ingest", "--queue", "--if-empty")

Signalled = asyncio.Future[int]
"""Done once this process was told to stop, with the number of the signal."""


def run_processes() -> int:
    """Serve until Ctrl-C or SIGTERM, then return 0. ChatbotError when a process dies."""
    return _with_services(_serve)


def run_command(command: Sequence[str]) -> int:
    """Run one chatbot command with the services around it; returns its exit code."""

    async def work(signalled: Signalled) -> int:
        await migrate(settings.load())  # what the release process does
        return await _call(command, signalled)

    return _with_services(work)


def folder() -> Path:
    """What this machine's services and processes keep between two runs; git ignores it."""
    path = settings.home() / ".services"
    path.mkdir(exist_ok=True)
    return path


def procfile() -> dict[str, list[str]]:
    """The processes that the Procfile declares: name -> arguments of `chatbot`."""
    lines = (settings.home() / "Procfile").read_text("utf-8").splitlines()
    commands = dict(line.split(":", 1) for line in lines if line.strip())
    return {name: shlex.split(command)[1:] for name, command in commands.items()}


def compact(line: str) -> str:
    """A JSON log line as people read it: time, level, message, and the other fields as key=value."""
    try:
        entry = json.loads(line)
        parts = [entry["time"][11:19], f"{entry['level']:<7}", entry["message"]]
    except (ValueError, KeyError, TypeError):
        return line
    return " ".join([*parts, *(f"{key}={value}" for key, value in entry.items() if key not in QUIET)])


def _with_services(work: Callable[[Signalled], Awaitable[int]]) -> int:
    async def body() -> int:
        loop = asyncio.get_running_loop()
        signalled: Signalled = loop.create_future()

        def told(number: int) -> None:
            if not signalled.done():
                signalled.set_result(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, told, number)
        return await work(signalled)

    # Until the loop listens, SIGTERM unwinds as Ctrl-C does, so that no service is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _services() as urls:
        os.environ.update(urls)
        return asyncio.run(body())


def _services() -> AbstractContextManager[dict[str, str]]:
    """The services of the checkout, but for those whose URL is set already, wherever settings may come from."""
    sys.path.insert(0, str(settings.home()))
    from pydantic_settings import SettingsError

    try:
        from services import start
    except ModuleNotFoundError as error:
        raise ChatbotError(f"`chatbot dev` needs the checkout with what `make` installs: no {error.name}.") from None
    try:
        configured = _configured()
    except SettingsError as error:
        raise InvalidConfiguration(f"The configuration is not usable: {error}") from None
    return start(folder(), configured)


def _configured() -> dict[str, str]:
    """The variables that are set to something, by the environment, by `.env` or by the secrets backend."""
    from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

    from chatbot.chosen import secrets

    kind = settings.settings_class()
    settings_files.check(Path(".env"))
    files = DotEnvSettingsSource(kind, env_file=".env", env_ignore_empty=True)
    found: dict[str, Any] = {}
    for source in (EnvSettingsSource(kind, env_ignore_empty=True), files, *secrets.sources(kind)):
        source._set_current_state(found)
        found = source() | found
    return {name.upper(): str(value) for name, value in found.items()}


async def _serve(signalled: Signalled) -> int:
    loaded = settings.load()
    click.echo(f"{loaded.bot_name}: http://{loaded.host}:{loaded.port} (Ctrl-C stops)")
    await migrate(loaded)  # what the release process does
    os.environ["METRICS_PORT"] = "0"  # of one port, several processes here would fight over it
    commands = {name: command for name, command in procfile().items() if name != "release"}
    fleet = _Fleet(width=max(map(len, (*commands, "corpus"))))
    try:
        for name, command in commands.items():
            await fleet.start(name, command)
        await fleet.start("corpus", FIRST_CORPUS)
        died = await fleet.first_end(commands, signalled)
    finally:
        await fleet.stop(loaded.shutdown_grace + MARGIN)
    if died:
        raise ChatbotError(f"{died} stopped with exit code {fleet.code(died)}, so the other processes were stopped.")
    return 0


class _Fleet:
    """Processes that run side by side, what they print told apart by a prefix.

    Each is on file: what a killed `chatbot dev` left behind is stopped before it is started anew.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._processes: dict[str, Process] = {}
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, name: str, command: Sequence[str]) -> None:
        from services.process import Ended, put_on_file, stop

        file = folder() / f"{name}.pid"
        await asyncio.to_thread(stop, file)
        colour = COLOURS[len(self._processes) % len(COLOURS)]
        process = await _spawn(command, stdout=PIPE, stderr=STDOUT, limit=LONGEST_LINE)
        with suppress(Ended):
            put_on_file(file, process.pid)
        self._processes[name] = process
        prefix = click.style(f"{name:<{self._width}} |", fg=colour)
        self._readers.append(asyncio.create_task(_print_lines(process, prefix)))

    def code(self, name: str) -> int | None:
        return self._processes[name].returncode

    async def first_end(self, names: Iterable[str], signalled: Signalled) -> str | None:
        """The name of the first of these processes to end; None when this process was told to stop before."""
        ends: dict[asyncio.Future[int], str] = {asyncio.create_task(self._processes[n].wait()): n for n in names}
        done, _ = await asyncio.wait({*ends, signalled}, return_when=asyncio.FIRST_COMPLETED)
        return None if signalled in done else ends[done.pop()]

    async def stop(self, grace: float) -> None:
        """SIGTERM to all; SIGKILL after `grace` seconds to those that are left."""
        processes = list(self._processes.values())
        ends = asyncio.gather(*(process.wait() for process in processes), *self._readers)
        for order in (Process.terminate, Process.kill):
            for process in processes:
                if process.returncode is None:
                    order(process)
            await asyncio.wait([ends], timeout=grace)


async def _print_lines(process: Process, prefix: str) -> None:
    assert process.stdout
    human = sys.stdout.isatty()
    async for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        click.echo(f"{prefix} {compact(line) if human else line}")


async def _call(command: Sequence[str], signalled: Signalled) -> int:
    """Run one command on this terminal, hand signals on to it, and return its exit code as a shell would."""
    process = await _spawn(command)
    end = asyncio.create_task(process.wait())
    await asyncio.wait({end, signalled}, return_when=asyncio.FIRST_COMPLETED)
    if not end.done():
        process.send_signal(signalled.result())
    code = await end
    return code if code >= 0 else 128 - code


async def _spawn(command: Sequence[str], **options: Any) -> Process:
    """A chatbot command in a session of its own: Ctrl-C in the terminal reaches only this process, and is passed on."""
    arguments = ("-m", "chatbot", *command)
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, start_new_session=True, **options)
