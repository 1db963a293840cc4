"""Starts a parser in a millisecond: one process has imported what reads files, and each file is read by a copy of it.

    forks = Forks(start)
    process = forks.start()     # reads one file (child.py), and nothing is left of it when it has ended

Nothing of a file comes to the process that is copied (forkserver.py): it goes to the copy through pipes of its own. So
nothing of a document reaches the next, as with a process started anew, which takes a third of a second. Copies lay out
their memory alike, which an attacker could learn by crashing them one after the other: `renew` after each crash.

Linux only: elsewhere a copy of a process that uses the system's libraries is not safe, or not to be had.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

AVAILABLE = sys.platform == "linux"
BEGUN = b"!"
LATE = 30.0
"""Seconds after which the process that is copied is taken for hung, and killed with its copies."""
STATUS = struct.Struct("=i")
"""How a process has ended, as subprocess.Popen says it: an exit code, or minus a signal."""


class Forked:
    """A process that reads one file; of subprocess.Popen what a caller needs."""

    def __init__(
        self, stdin: IO[bytes], stdout: IO[bytes], life: socket.socket, server: subprocess.Popen[bytes]
    ) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._life = life
        self._closing = threading.Lock()
        self._late = threading.Timer(LATE, server.kill)  # whose copies end with it
        self._late.daemon = True

    def kill(self) -> None:
        """Harmless when it has ended."""
        with self._closing, suppress(OSError):
            self._life.shutdown(socket.SHUT_WR)
            if not self._late.is_alive():
                self._late.start()

    def wait(self) -> int:
        """Return when it has ended, and whatever it had started."""
        if self.returncode is None:
            status = self._life.recv(STATUS.size)
            self._late.cancel()
            self.returncode = STATUS.unpack(status)[0] if status else -signal.SIGKILL
            with self._closing:
                self._life.close()
        return self.returncode


class Forks:
    """Any number of threads may use it at once."""

    def __init__(self, start: Callable[[socket.socket], subprocess.Popen[bytes]]) -> None:
        """`start` starts the process that is copied, with that socket as its stdin."""
        self._start_server = start
        self._server: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        self._lock = threading.Lock()

    def start(self) -> Forked | None:
        """A process for one file; None when none can be had. Raises as `start` does."""
        for _ in range(2):  # the first may be one that has just ended, having had nothing to do
            with self._lock:
                self._server = self._server or self._started()
                forked = _asked(*self._server)
            if forked:
                return forked
            self.renew()
        return None

    def renew(self) -> None:
        """Copy another process from now on. Copies that are at work go on."""
        with self._lock:
            server, self._server = self._server, None
        if server:
            server[0].close()
            threading.Thread(target=server[1].wait, daemon=True).start()

    def _started(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                return ours, self._start_server(theirs)
            except BaseException:
                ours.close()
                raise


def _asked(control: socket.socket, server: subprocess.Popen[bytes]) -> Forked | None:
    """Have a copy made, which gets the other ends of its pipes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stdin, write = os.pipe()
    read, stdout = os.pipe()
    forked = Forked(os.fdopen(write, "wb"), os.fdopen(read, "rb"), ours, server)
    ours.settimeout(LATE)
    try:
        with theirs:
            socket.send_fds(control, [BEGUN], [stdin, stdout, theirs.fileno()])
        begun = ours.recv(len(BEGUN))
    except TimeoutError:
        server.kill()
        begun = b""
    except OSError:
        begun = b""
    finally:
        os.close(stdin)
        os.close(stdout)
    if begun == BEGUN:
        ours.settimeout(None)
        return forked
    for each in (forked.stdin, forked.stdout, ours):
        each.close()
    return None
