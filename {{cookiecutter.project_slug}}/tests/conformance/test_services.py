"""The development services: found again, shared, stopped by the last to leave, whoever was killed meanwhile."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import services
from services.plain_path import forget, plain_path
from services.process import Process, ServiceError

PROGRAM = """
import sys
from pathlib import Path
import services

with services.start(Path(sys.argv[1]), {}):
    print("started", flush=True)
    sys.stdin.read()
"""
SERVER = "python -m http.server --bind {host} --directory {data} {port}"


@pytest.fixture
def program(urls: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another program that holds the services in `folder` until it is told or killed; `urls` shows that they start."""
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "started\n"
        yield started
        started.kill()


def postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def answers(urls: dict[str, str]) -> bool:
    with closing(psycopg.connect(urls["DATABASE_URL"])) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def stopped(folder: Path) -> bool:
    return not (folder / "postgres" / "postmaster.pid").exists() and not (folder / "env").exists()


@pytest.mark.services
def test_two_programs_share_and_the_last_stops(folder: Path, program: subprocess.Popen[str]) -> None:
    first = postmaster(folder)
    with services.start(folder, {}) as urls:
        assert postmaster(folder) == first
        written = dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
        assert written == urls
        program.communicate()
        assert program.returncode == 0
        assert answers(urls)
    assert stopped(folder)


@pytest.mark.services
def test_a_killed_programs_servers_are_used_again_and_stopped(folder: Path, program: subprocess.Popen[str]) -> None:
    left = postmaster(folder)
    program.send_signal(signal.SIGKILL)
    program.wait()
    with services.start(folder, {}) as urls:
        assert postmaster(folder) == left
        assert answers(urls)
    assert stopped(folder)


@pytest.mark.services
def test_what_the_environment_names_is_left_alone(tmp_path: Path) -> None:
    named = {"DATABASE_URL": "postgresql://elsewhere", "VECTOR_DB_URL": "x", "QUEUE_URL": "y"}
    with services.start(tmp_path, named) as urls:
        assert urls == {}
    assert not (tmp_path / "postgres").exists()


def server(folder: Path, command: str = SERVER) -> Process:
    return Process(folder / "web", "WEB_URL", command, "http://{host}:{port}", "/")


def test_a_server_keeps_its_port_and_gets_another_when_it_is_taken(tmp_path: Path) -> None:
    process = server(tmp_path)
    url = process.start()
    process.stop()
    assert process.start() == url
    process.stop()
    with socket.create_server(("127.0.0.1", int(url.rsplit(":", 1)[1]))):
        assert process.start() != url
        process.stop()


def test_a_leftover_server_is_used_and_stopped(tmp_path: Path) -> None:
    first, second = server(tmp_path), server(tmp_path)
    assert first.start() == second.start()
    second.stop()
    assert not first._answers()
    first.stop()


def test_a_pid_that_is_now_another_programs_is_left_alone(tmp_path: Path) -> None:
    process = server(tmp_path)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "pid").write_text(f"{os.getpid()} 1.0")
    process.stop()
    process.start()
    process.stop()


def test_a_missing_program_and_one_that_fails_are_told(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"no-such-server is not installed: .* or set WEB_URL"):
        server(tmp_path, "no-such-server --port {port}").start()
    failing = server(tmp_path, "python -c raise(SystemExit)")
    with pytest.raises(ServiceError, match=r"web did not start: see .*log"):
        failing.start()
    failing.stop()


@pytest.mark.parametrize("name", ["l'été", "a, b", 'the "new" $HOME', "long" * 25])
def test_a_path_that_programs_cannot_use_has_another_name_meanwhile(folder: Path, name: str) -> None:
    odd = folder / name
    odd.mkdir()
    path = plain_path(odd)
    assert path.samefile(odd)
    assert re.fullmatch(r"[\w/.-]{1,85}", str(path))
    forget(odd)
    assert not path.is_symlink()
    assert odd.is_dir()
    assert plain_path(folder) == folder
