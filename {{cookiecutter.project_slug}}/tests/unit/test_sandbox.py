"""A parser in its own process: the same result, bombs refused in bounded time and memory, a crash that harms nobody."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from chatbot.domain import Unavailable, UnreadableDocument
from chatbot.ingestion.parsing import sandbox as module
from chatbot.ingestion.parsing.parse import parse
from chatbot.ingestion.parsing.sandbox import Sandbox
from chatbot.settings import Settings
from tests.unit.bombs import BOMBS, HARMLESS
from tests.unit.test_parse import pdf, word

pytestmark = pytest.mark.slow

LINUX = sys.platform == "linux"
NOTE = "---\nyear: 2024\ntags: [a, b]\n---\n# Énergie\n\n## Prix\n\nLe prix « monte » 🙂.\n".encode()
DEFAULTS = {name: Settings.model_fields[f"parse_{name}"].default for name in ("memory_mb", "seconds")}


@pytest.fixture
def sandbox() -> Sandbox:
    """With the limits that are the default."""
    return Sandbox(**DEFAULTS)


def parsers() -> list[psutil.Process]:
    """The children that parse; the services that tests start are children too."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "chatbot.ingestion.parsing.child" in child.cmdline():
                found.append(child)
    return found


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """The peak of the children's memory in MB, looked at all the time."""
    peak, stop = {"MB": 0.0}, threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            for child in parsers():
                try:
                    peak["MB"] = max(peak["MB"], child.memory_info().rss / 1e6)
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()


def processor_time() -> float:
    """Seconds that the children took."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.parametrize(("content", "name"), [(NOTE, "a.md"), (word(), "a.docx"), (pdf(["One."], ["Two."]), "a.pdf")])
async def test_the_result_is_that_of_the_parser(sandbox: Sandbox, content: bytes, name: str) -> None:
    assert await sandbox.parse(content, name) == parse(content, name)


async def test_a_refusal_is_that_of_the_parser(sandbox: Sandbox) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a\.pdf is not a complete PDF"):
        await sandbox.parse(b"%PDF-1.4 nothing more", "a.pdf")


@pytest.mark.skipif(not LINUX, reason="only Linux limits a process's memory")
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_in_bounded_time_and_memory(sandbox: Sandbox, name: str) -> None:
    make, words = BOMBS[name]
    content = make()
    assert len(content) < 15_000_000
    with watched() as peak:
        started, spent = time.monotonic(), processor_time()
        with pytest.raises(UnreadableDocument, match=words) as refusal:
            await sandbox.parse(content, name)
        seconds, spent = time.monotonic() - started, processor_time() - spent
    assert str(refusal.value).startswith(name)
    assert str(refusal.value).endswith((".", "split it."))
    assert "\n" not in str(refusal.value)
    assert spent < 5
    assert seconds < 15  # on a machine that does much else
    assert 0 < peak["MB"] < DEFAULTS["memory_mb"]
    assert parsers() == []
    assert (await sandbox.parse(NOTE, "after.md")).title == "Énergie"


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_only_looks_like_a_bomb_is_read(sandbox: Sandbox, name: str) -> None:
    try:
        assert await sandbox.parse(HARMLESS[name](), name)
    except UnreadableDocument as refusal:
        assert "holds no text" in str(refusal)  # noqa: PT017


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import ctypes; ctypes.string_at(0)", "broke its parser"),
        ("import os; os._exit(3)", "broke its parser"),
        ("raise KeyError('some text of the document')", "damaged, or of an unusual kind (KeyError)"),
        ("raise MemoryError", "needs too much memory"),
        ("def f(): f()\n    f()", "nested too deeply"),
        ("while True: pass", "takes too long"),
        ("import time; time.sleep(60)", "takes too long"),
        ("print('{\"parsed\": {}}'); import os; os._exit(0)", "broke its parser"),
    ],
)
async def test_whatever_a_parser_does_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, code: str, reason: str
) -> None:
    """The real child, with a parser of text that does the worst."""
    (tmp_path / "worst.py").write_text(
        "import chatbot.ingestion.parsing.text, runpy\n"
        f"def read(content, name):\n    {code}\n"
        "chatbot.ingestion.parsing.text.read = read\n"
        "runpy.run_module('chatbot.ingestion.parsing.child', run_name='__main__')\n"
    )
    monkeypatch.setattr(module, "MODULE", "worst")
    monkeypatch.setattr(module, "PATIENCE", 2)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnreadableDocument) as refusal:
        await Sandbox(memory_mb=512, seconds=1).parse(b"text", "folder/a.txt")
    assert str(refusal.value).startswith("a.txt cannot be read: ")
    assert reason in str(refusal.value)
    assert "some text" not in str(refusal.value)


async def test_a_parser_that_cannot_start_is_an_outage_and_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MODULE", "chatbot.no_such_module")
    with pytest.raises(Unavailable, match="PARSE_MEMORY_MB"):
        await Sandbox(512, 3).parse(b"text", "a.txt")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Unavailable, match="does not start"):
        await Sandbox(512, 3).parse(b"text", "a.txt")


async def test_a_parser_knows_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox) -> None:
    (tmp_path / "spy.py").write_text(
        "import os, chatbot.ingestion.parsing.text, runpy\n"
        "original = chatbot.ingestion.parsing.text.read\n"
        "chatbot.ingestion.parsing.text.read = lambda content, name: original(str(sorted(os.environ)).encode(), name)\n"
        "runpy.run_module('chatbot.ingestion.parsing.child', run_name='__main__')\n"
    )
    monkeypatch.setenv("LLM_API_KEY", "canary-key")
    monkeypatch.setattr(module, "MODULE", "spy")
    monkeypatch.syspath_prepend(tmp_path)
    seen = (await sandbox.parse(b"text", "a.txt")).sections[0].text
    assert "PYTHONPATH" in seen
    assert "LLM_API_KEY" not in seen


ATTEMPTS = {
    "socket": "__import__('socket').socket()",
    "connection": "__import__('socket').create_connection(('127.0.0.1', 9), 1)",
    "environment": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "memory": "open(f'/proc/{os.getppid()}/mem', 'rb').read()",
    "accounts": "open('/etc/passwd').read()",
    "project": "open(PROJECT).read()",
    "folder": "os.listdir('/proc')",
    "file": "open('/tmp/left-behind', 'w')",
    "program": "os.execv('/bin/true', ['/bin/true'])",
    "signal": "os.kill(os.getppid(), 0)",
}
"""What a parser that was taken over may try, from inside."""


@pytest.mark.skipif(sys.platform != "linux", reason="what confines a parser is Linux's: see docs/ingest.md")
@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_a_parser_that_was_taken_over_reaches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox, attempt: str
) -> None:
    private = tmp_path / "private" / "credentials"
    private.parent.mkdir()
    private.write_text("canary")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "over.py").write_text(
        "import os, socket, chatbot.ingestion.parsing.text, runpy\n"
        f"PROJECT = {str(private)!r}\n"
        "original = chatbot.ingestion.parsing.text.read\n"
        "def read(content, name):\n"
        f"    try:\n        outcome = 'reached ' + repr({ATTEMPTS[attempt]})[:40]\n"
        "    except OSError as error:\n        outcome = 'refused ' + type(error).__name__\n"
        "    return original(outcome.encode(), name)\n"
        "chatbot.ingestion.parsing.text.read = read\n"
        "runpy.run_module('chatbot.ingestion.parsing.child', run_name='__main__')\n"
    )
    monkeypatch.setattr(module, "MODULE", "over")
    monkeypatch.syspath_prepend(tmp_path / "taken")
    assert (await sandbox.parse(b"text", "a.txt")).sections[0].text == "refused PermissionError"


def test_where_there_is_linux_all_of_it_holds() -> None:
    code = "import sys; from chatbot.ingestion.parsing.confine import confine; print(*confine(sys.path))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    expected = {"privileges", "files", "calls"} if sys.platform == "linux" else set()
    assert expected <= set(done.stdout.split())


async def test_a_cancelled_job_leaves_no_process(sandbox: Sandbox) -> None:
    parsing = asyncio.create_task(sandbox.parse(b"<div><!--</div>-->" * 50_000, "long.html"))
    while not parsers():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing
    deadline = time.monotonic() + 5
    while parsers():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
