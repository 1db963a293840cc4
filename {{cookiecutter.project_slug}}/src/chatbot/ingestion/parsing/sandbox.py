"""Reads files in a process of their own, with limits on memory and time, so that none can take the worker with it.

    sandbox = Sandbox(memory_mb=512, seconds=3)
    parsed = await sandbox.parse(content, "report.pdf")
    png = await sandbox.draw(content, "report.pdf", page=3, quote="The rent is low.")

A file that crashes its parser, or is made to need far more than its size, is refused in one sentence like any other.
The child gets the file and the limits, no setting and no secret; what comes back is JSON (see child.py). On Linux it is
a copy of a process that has imported the parsers (forks.py), elsewhere one that is started for the file.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from base64 import b64decode
from contextlib import suppress
from typing import IO, Any

from chatbot.domain import NotFound, ParsedDocument, Reading, Section, Unavailable, UnreadableDocument
from chatbot.ingestion.parsing import forks
from chatbot.ingestion.parsing.child import TOO_DEEP, TOO_LARGE
from chatbot.ingestion.parsing.confine import hide_from_children
from chatbot.ingestion.parsing.forks import Forked, Forks
from chatbot.ingestion.parsing.parse import short_name

SERVER, CHILD = "chatbot.ingestion.parsing.forkserver", "chatbot.ingestion.parsing.child"
PATIENCE = 4
"""How much longer than its processor time a child may take: the machine has other things to do too."""
DRAWINGS = 2
"""Pages that are drawn at once, however many are asked for; the others wait."""
OUT_OF_TIME = getattr(signal, "SIGXCPU", None)
"""How a child ends whose processor time is used up. Windows has no such thing."""

Process = subprocess.Popen[bytes] | Forked

log = logging.getLogger(__name__)


class Sandbox:
    def __init__(self, memory_mb: int, seconds: int, drawing_seconds: int = 0, is_warm: bool = forks.AVAILABLE) -> None:
        """`seconds` of processor time for a small file, and one more for each MB of a larger one; `drawing_seconds`
        when pages have to be drawn."""
        self._forks = Forks(_start_server) if is_warm else None
        self._memory = memory_mb * 1_000_000
        self._seconds = seconds
        self._drawing_seconds = drawing_seconds
        self._drawings = asyncio.Semaphore(DRAWINGS)

    async def parse(self, content: bytes, name: str) -> ParsedDocument:
        """As `parse.parse`, elsewhere. UnreadableDocument; Unavailable when no process can be started."""
        answer = await self._ask(content, name)
        return await asyncio.to_thread(_document, answer["parsed"])

    async def draw(self, content: bytes, name: str, page: int, quote: str = "") -> bytes:
        """As `pdf_page.draw`, elsewhere. NotFound, and what `parse` raises."""
        async with self._drawings:
            answer = await self._ask(content, name, draw={"page": page, "quote": quote})
        return b64decode(answer["picture"])

    async def _ask(self, content: bytes, name: str, **order: Any) -> dict[str, Any]:
        """What the child made of the file."""
        seconds = self._seconds + len(content) // 1_000_000
        order |= {"name": name, "memory": self._memory, "seconds": seconds, "drawing_seconds": self._drawing_seconds}
        starting = asyncio.ensure_future(asyncio.to_thread(self._start))
        try:
            child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_abandon)
            raise
        try:
            message = json.dumps(order).encode() + b"\n" + content
            patience = seconds * PATIENCE + self._drawing_seconds
            output, late = await asyncio.to_thread(_exchange, child, message, patience, self._memory)
        finally:
            child.kill()  # also when this task is cancelled: the thread above then ends too
        if self._forks and not late and _has_crashed(child.returncode):
            self._forks.renew()
        return await asyncio.to_thread(_result, output, late, child.returncode, short_name(name))

    def close(self) -> None:
        """Keep no process ready any more."""
        if self._forks:
            self._forks.renew()

    def _start(self) -> Process:
        try:
            process = self._forks.start() if self._forks else _run(CHILD, subprocess.PIPE, subprocess.PIPE)
        except OSError as error:
            raise Unavailable("The parser", f"its process does not start ({error.strerror}).") from None
        if process is None:
            raise _not_started()
        return process


def _start_server(control: socket.socket) -> subprocess.Popen[bytes]:
    return _run(SERVER, control.fileno(), subprocess.DEVNULL)


def _run(module: str, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    """Without the environment: it holds secrets, and a parser may be taken over by what it reads."""
    hide_from_children()
    command = [sys.executable, "-S", "-P", "-m", module]
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    )


def _not_started() -> Unavailable:
    return Unavailable("The parser", "its process does not start; see PARSE_MEMORY_MB.")


def _has_crashed(code: int | None) -> bool:
    return code is not None and code < 0 and -code not in (OUT_OF_TIME, signal.SIGTERM)


def _abandon(starting: asyncio.Future[Process]) -> None:
    """End a process that was started for a task which had been cancelled meanwhile."""
    if not starting.exception():
        child = starting.result()
        child.kill()
        threading.Thread(target=_exchange, args=(child, b"", 1, 1)).start()


def _exchange(child: Process, message: bytes, seconds: float, most: int) -> tuple[bytes, bool]:
    """Give the message and take the answer, no more than `most` bytes of it; True when the time was up."""
    assert child.stdin
    assert child.stdout
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        child.kill()

    timer = threading.Timer(seconds, kill)
    feeding = threading.Thread(target=_feed, args=(child.stdin, message), daemon=True)
    timer.start()
    feeding.start()
    try:
        with child.stdout:
            output = child.stdout.read(most)
        child.wait()
    finally:
        child.kill()
        timer.cancel()
        feeding.join()
        child.wait()
    return output, killed.is_set()


def _feed(pipe: IO[bytes], message: bytes) -> None:
    """In a thread of its own: a child that dies, or answers before it has read all, must not block."""
    with suppress(OSError), pipe:
        pipe.write(message)


def _result(output: bytes, late: bool, code: int | None, name: str) -> dict[str, Any]:
    if not output:
        raise _not_started()
    answer = _decoded(output)
    if "parsed" in answer or "picture" in answer:
        return answer
    if "refused" in answer:
        raise UnreadableDocument(str(answer["refused"]))
    if "absent" in answer:
        raise NotFound(str(answer["absent"]))
    reason = _reason(answer.get("failed"), late, code)
    log.warning("a parser failed", extra={"reason": reason})
    raise UnreadableDocument(f"{name} cannot be read: {reason}.")


def _decoded(output: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _reason(failed: str | None, late: bool, code: int | None) -> str:
    """The rest of the sentence « report.pdf cannot be read: … »."""
    if late or (not failed and code is not None and -code == OUT_OF_TIME):
        return "it takes too long (PARSE_SECONDS)"
    if failed == TOO_LARGE:
        return "it needs too much memory (PARSE_MEMORY_MB)"
    if failed == TOO_DEEP:
        return f"it is {TOO_DEEP}"
    if failed:
        return f"it is damaged, or of an unusual kind ({failed})"
    return "it broke its parser, which is out of memory (PARSE_MEMORY_MB) or met something damaged"


def _document(found: dict[str, Any]) -> ParsedDocument:
    sections = [Section(**section) for section in found.pop("sections")]
    return ParsedDocument(sections=sections, reading=Reading.of(found.pop("reading")), **found)
