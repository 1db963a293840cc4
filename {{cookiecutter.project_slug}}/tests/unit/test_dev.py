"""`chatbot dev`: prefixes, compact logs, and one end for all, with small scripts in the place of the processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from chatbot import settings
from chatbot.domain import ChatbotError
from chatbot.runtime import dev
from services.process import put_on_file
from tests.processes import NOWHERE, until

SLEEP = "import os, time; print('ready', flush=True); open(os.environ['READY'], 'a').write('.'); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What runs instead of each chatbot command, by its first word; services are none."""
    code = {"run": "pass", "web": SLEEP, "worker": SLEEP, "scheduler": SLEEP}

    async def spawn(command: Sequence[str], **options: Any) -> Any:
        arguments = ("-c", code[command[0]])
        return await asyncio.create_subprocess_exec(sys.executable, *arguments, start_new_session=True, **options)

    async def migrated(_: settings.Settings) -> None: ...

    for name, url in NOWHERE.items():
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("SHUTDOWN_GRACE", "0.1")
    monkeypatch.setenv("READY", str(tmp_path / "ready"))
    monkeypatch.setattr(dev, "migrate", migrated)
    monkeypatch.setattr(dev, "folder", lambda: tmp_path)
    monkeypatch.setattr(dev, "_services", lambda: nullcontext({}))
    monkeypatch.setattr(dev, "_spawn", spawn)
    monkeypatch.setattr(dev, "MARGIN", 0.5)
    return code


@contextmanager
def once_ready(scripts: int, number: int) -> Iterator[None]:
    """Send this process a signal when so many scripts are ready, unless what it is for has ended before."""
    ready, over = Path(os.environ["READY"]), threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            if ready.exists() and ready.stat().st_size == scripts:
                os.kill(os.getpid(), number)
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(scripts: dict[str, str], capsys: pytest.CaptureFixture[str], number: int) -> None:
    with once_ready(3, number):
        assert dev.run_processes() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "http://127.0.0.1:8000" in lines[0]
    assert sorted(lines[1:]) == ["scheduler | ready", "web       | ready", "worker    | ready"]


def test_a_process_that_dies_takes_all_down_and_is_named(scripts: dict[str, str]) -> None:
    scripts["worker"] = "raise SystemExit(3)"
    with pytest.raises(ChatbotError, match="worker stopped with exit code 3"):
        dev.run_processes()


def test_a_process_that_does_not_stop_is_killed(scripts: dict[str, str]) -> None:
    scripts["web"] = STUBBORN
    with once_ready(3, signal.SIGTERM):
        assert dev.run_processes() == 0


def test_what_a_killed_run_left_behind_is_stopped(scripts: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as orphan:
        put_on_file(tmp_path / "web.pid", orphan.pid)
        until((tmp_path / "ready").exists)
        with once_ready(4, signal.SIGTERM):
            assert dev.run_processes() == 0
        orphan.wait(0)  # raises if it still runs


def test_nothing_starts_when_the_migration_fails(
    scripts: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refuse(_: settings.Settings) -> None:
        raise ChatbotError("no such table")

    monkeypatch.setattr(dev, "migrate", refuse)
    with pytest.raises(ChatbotError, match="no such table"):
        dev.run_processes()
    assert "ready" not in capsys.readouterr().out


@pytest.mark.parametrize(("code", "expected"), [("pass", 0), ("raise SystemExit(4)", 4)])
def test_a_command_hands_on_its_exit_code(scripts: dict[str, str], code: str, expected: int) -> None:
    scripts["ask"] = code
    assert dev.run_command(["ask", "why?"]) == expected


def test_a_command_gets_the_signal(scripts: dict[str, str]) -> None:
    scripts["ask"] = SLEEP
    with once_ready(1, signal.SIGTERM):
        assert dev.run_command(["ask", "why?"]) == 128 + signal.SIGTERM


def test_a_url_that_is_set_anywhere_is_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUEUE_URL", raising=False)
    monkeypatch.setenv("VECTOR_DB_URL", "")
    (tmp_path / ".env").write_text("QUEUE_URL=redis://elsewhere:6379\n")
    configured = dev._configured()
    assert configured["QUEUE_URL"] == "redis://elsewhere:6379"
    assert "VECTOR_DB_URL" not in configured


def test_log_lines_are_short_for_people() -> None:
    line = '{"time": "2026-01-02T03:04:05.678Z", "level": "INFO", "logger": "x", "message": "done", "chunks": 12}'
    assert dev.compact(line) == "03:04:05 INFO    done chunks=12"
    assert dev.compact("plain words") == "plain words"
    assert dev.compact("[1]") == "[1]"


def test_the_procfile_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("release: chatbot run migrate\n\nweb: chatbot web\n")
    monkeypatch.setattr(settings, "home", lambda: tmp_path)
    assert dev.procfile() == {"release": ["run", "migrate"], "web": ["web"]}
