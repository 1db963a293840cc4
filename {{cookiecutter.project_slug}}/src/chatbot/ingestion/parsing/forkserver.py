"""The process that forks.py has copied: it imports the parsers, and makes a copy of itself for each file.

On its stdin is a socket, on which come three descriptors a file: the copy's stdin, its stdout, and a socket for its
life. On that goes BEGUN, and when the copy has ended, with all that it started, how it ended. Whoever closes that
socket, or is gone, ends the copy; with the socket on stdin closed this process ends too, when no copy is left.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from chatbot.ingestion.parsing import child, ocr
from chatbot.ingestion.parsing.confine import adopt_orphans, end_with_parent, hide_from_children
from chatbot.ingestion.parsing.forks import BEGUN, STATUS
from chatbot.ingestion.parsing.parse import FORMATS

IDLE = 60.0
"""Seconds without a file after which this process ends: it holds some 40 MB."""
DESCRIPTORS = 3

Lives = dict[int, socket.socket]
"""By process, what tells its end."""


def main() -> None:
    hide_from_children()
    adopt_orphans()
    for name in FORMATS.values():
        import_module(f"chatbot.ingestion.parsing.{name}")
    ocr.is_installed()
    gc.freeze()  # what a collection would touch, a copy would have to copy
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _serve(socket.socket(fileno=os.dup(0)), woken)


def _serve(control: socket.socket, woken: int) -> None:
    lives: Lives = {}
    is_open = True
    while is_open or lives:
        waiting: list[int | socket.socket] = [woken, *lives.values(), *([control] if is_open else [])]
        ready, _, _ = select.select(waiting, [], [], None if lives else IDLE)
        if not ready:
            return
        for each in ready:
            if each is control:
                is_open = _begin(control, lives)
            elif each is not woken:
                _kill(next(pid for pid, life in lives.items() if life is each))
        with suppress(BlockingIOError):
            os.read(woken, 4096)
        _bury(lives)


def _begin(control: socket.socket, lives: Lives) -> bool:
    """Make a copy; False when there will be no more of them."""
    message, descriptors, _, _ = socket.recv_fds(control, len(BEGUN), DESCRIPTORS)
    if not message:
        return False
    stdin, stdout, life = descriptors
    with suppress(OSError):  # no process to be had: whoever asked sees the sockets close
        if not (pid := os.fork()):
            _read(stdin, stdout)
        lives[pid] = socket.socket(fileno=os.dup(life))
        lives[pid].send(BEGUN)
    for each in descriptors:
        os.close(each)
    return True


def _read(stdin: int, stdout: int) -> NoReturn:
    """In the copy: keep nothing of this process but what is imported, and read the file."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        end_with_parent()
        os.setpgid(0, 0)
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        child.main()
        code = 0
    finally:
        os._exit(code)


def _kill(pid: int) -> None:
    """And whatever it has started, which is of its group: a parser can not leave it."""
    for kill in (os.killpg, os.kill):  # the copy itself may not have made its group yet
        with suppress(OSError):
            kill(pid, signal.SIGKILL)


def _bury(lives: Lives) -> None:
    """Tell of the copies that have ended."""
    while ended := _ended():
        _kill(ended)  # its number is its own until it has been waited for
        _, status = os.waitpid(ended, 0)
        if ended in lives:
            with lives.pop(ended) as life, suppress(OSError):
                life.send(STATUS.pack(os.waitstatus_to_exitcode(status)))


def _ended() -> int | None:
    with suppress(ChildProcessError):
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found.si_pid if found else None
    return None


if __name__ == "__main__":
    main()
