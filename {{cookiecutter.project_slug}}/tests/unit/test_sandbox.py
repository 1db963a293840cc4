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
from chatbot.ingestion.parsing import forks
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
def sandbox() -> Iterator[Sandbox]:
    """With the limits that are the default."""
    sandbox = Sandbox(**DEFAULTS)
    yield sandbox
    sandbox.close()


def servers() -> list[psutil.Process]:
    """The children that are copied; the services that tests start are children too."""
    return [child for child in psutil.Process().children() if _runs(child, module.SERVER)]


def parsers() -> list[psutil.Process]:
    """The processes that parse, with what they start."""
    found = [child for child in psutil.Process().children() if _runs(child, module.CHILD)]
    for server in servers():
        with suppress(psutil.Error):
            found += server.children(recursive=True)
    return found


def _runs(process: psutil.Process, name: str) -> bool:
    with suppress(psutil.Error):
        return name in process.cmdline()
    return False


def started(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str, code: str, is_warm: bool = LINUX) -> None:
    """Have parsers started by that code, which changes some of them."""
    script = (
        f"{code}\nimport runpy\nrunpy.run_module({module.SERVER if is_warm else module.CHILD!r}, run_name='__main__')\n"
    )
    (tmp_path / f"{name}.py").write_text(script)
    monkeypatch.setattr(module, "SERVER" if is_warm else "CHILD", name)
    monkeypatch.syspath_prepend(tmp_path)


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
    """Seconds that the parsers took."""
    spent = os.times().children_user + os.times().children_system
    for server in servers():
        times = server.cpu_times()
        spent += times.children_user + times.children_system
    return spent


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
    await sandbox.parse(NOTE, "before.md")
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
    assert peak["MB"] < DEFAULTS["memory_mb"]
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
    worst = f"import chatbot.ingestion.parsing.text as text\ndef read(content, name):\n    {code}\ntext.read = read"
    started(tmp_path, monkeypatch, "worst", worst)
    monkeypatch.setattr(module, "PATIENCE", 2)
    sandbox = Sandbox(memory_mb=512, seconds=1)
    with pytest.raises(UnreadableDocument) as refusal:
        await sandbox.parse(b"text", "folder/a.txt")
    sandbox.close()
    assert str(refusal.value).startswith("a.txt cannot be read: ")
    assert reason in str(refusal.value)
    assert "some text" not in str(refusal.value)


@pytest.mark.parametrize("is_warm", [LINUX, False])
async def test_a_parser_that_cannot_start_is_an_outage_and_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch, is_warm: bool
) -> None:
    monkeypatch.setattr(module, "SERVER", "chatbot.no_such_module")
    monkeypatch.setattr(module, "CHILD", "chatbot.no_such_module")
    with pytest.raises(Unavailable, match="PARSE_MEMORY_MB"):
        await Sandbox(512, 3, is_warm=is_warm).parse(b"text", "a.txt")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Unavailable, match="does not start"):
        await Sandbox(512, 3, is_warm=is_warm).parse(b"text", "a.txt")


async def test_where_no_process_can_be_copied_one_is_started_for_each_file() -> None:
    assert await Sandbox(**DEFAULTS, is_warm=False).parse(NOTE, "a.md") == parse(NOTE, "a.md")


linux_only = pytest.mark.skipif(not LINUX, reason="processes are copied on Linux only")


@linux_only
async def test_files_are_read_side_by_side_by_copies_of_one_process(sandbox: Sandbox) -> None:
    files = [(f"# Note {number}\n\nText.".encode(), f"{number}.md") for number in range(20)]
    read = await asyncio.gather(*(sandbox.parse(*file) for file in files))
    assert [each.title for each in read] == [f"Note {number}" for number in range(20)]
    assert len(servers()) == 1
    assert parsers() == []


@linux_only
async def test_nothing_of_a_document_reaches_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox
) -> None:
    """A parser that was taken over keeps what it read, and looks for what others kept, in memory and in open files."""
    keeping = (
        "import os, chatbot.ingestion.parsing.text as text\n"
        "seen, original = [], text.read\n"
        "def read(content, name):\n"
        "    seen.append(content)\n"
        "    opened = [number for number in range(64) if is_open(number)]\n"
        "    return original(f'{len(seen)} seen, open: {opened}'.encode(), name)\n"
        "def is_open(number):\n"
        "    try:\n        return bool(os.fstat(number))\n    except OSError:\n        return False\n"
        "text.read = read"
    )
    started(tmp_path, monkeypatch, "keeping", keeping)
    both = [(await sandbox.parse(each, "a.txt")).sections[0].text for each in (b"one", b"two")]
    assert both[0] == both[1]
    assert both[0].startswith("1 seen, open: [0, 1, 2")


@linux_only
async def test_what_a_parser_leaves_behind_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox
) -> None:
    leaving = (
        "import os, time, chatbot.ingestion.parsing.text as text\n"
        "original = text.read\n"
        "def read(content, name):\n"
        "    for leave in (os.setsid, lambda: os.setpgid(0, 0)):\n"
        "        if not os.fork():\n"
        "            try:\n                leave()\n            except OSError:\n                pass\n"
        "            os.close(1)\n            time.sleep(60)\n"
        "    return original(content, name)\n"
        "text.read = read"
    )
    started(tmp_path, monkeypatch, "leaving", leaving)
    await sandbox.parse(b"text", "a.txt")
    deadline = time.monotonic() + 5
    while parsers():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@linux_only
async def test_after_a_crash_another_process_is_copied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox
) -> None:
    """A copy lays out its memory as the others do: who could crash one after the other would learn where things are."""
    crashing = (
        "import os, signal, chatbot.ingestion.parsing.text as text\n"
        "original = text.read\n"
        "def read(content, name):\n"
        "    if content == b'crash':\n        import ctypes; ctypes.string_at(0)\n"
        "    return original(content, name)\n"
        "text.read = read"
    )
    started(tmp_path, monkeypatch, "crashing", crashing)
    await sandbox.parse(b"text", "a.txt")
    before = {server.pid for server in servers()}
    with pytest.raises(UnreadableDocument, match="broke its parser"):
        await sandbox.parse(b"crash", "a.txt")
    await sandbox.parse(b"text", "a.txt")
    assert not before & {server.pid for server in servers()}


@linux_only
async def test_a_process_that_had_nothing_to_do_is_gone_and_comes_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox
) -> None:
    started(
        tmp_path,
        monkeypatch,
        "idle",
        "import time, select\noriginal = select.select\n"
        "select.select = lambda *waiting: original(*waiting[:3], waiting[3] and 0.2)",
    )
    await sandbox.parse(b"text", "a.txt")
    (server,) = servers()
    server.wait(5)
    assert (await sandbox.parse(b"text", "a.txt")).sections[0].text == "text"


@linux_only
async def test_a_process_that_hangs_keeps_nobody(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """A job would show for ever that its worker lives."""
    monkeypatch.setattr(forks, "LATE", 1.0)
    await sandbox.parse(b"text", "a.txt")
    for server in servers():
        server.suspend()
    assert (await sandbox.parse(b"more text", "a.txt")).sections[0].text == "more text"


@linux_only
async def test_nor_does_one_that_hangs_while_a_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(forks, "LATE", 1.0)
    code = "import time, chatbot.ingestion.parsing.text as text\ntext.read = lambda *_: time.sleep(600)\n"
    started(tmp_path, monkeypatch, "sleepy", code)
    sandbox = Sandbox(512, 1)
    reading = asyncio.create_task(sandbox.parse(b"text", "a.txt"))
    while not (copies := parsers()):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    for server in servers():
        server.suspend()
    with pytest.raises(UnreadableDocument, match="takes too long"):
        await reading
    _, alive = psutil.wait_procs(copies, timeout=10)
    assert alive == []
    sandbox.close()


@linux_only
def test_with_its_parent_every_parser_ends(tmp_path: Any) -> None:
    code = (
        "import asyncio\nfrom chatbot.ingestion.parsing.sandbox import Sandbox\n"
        "asyncio.run(Sandbox(512, 60).parse(b'<div><!--</div>-->' * 50_000, 'long.html'))"
    )
    parent = psutil.Popen([sys.executable, "-c", code], env={"PYTHONPATH": os.pathsep.join(sys.path)})
    deadline = time.monotonic() + 30
    while len(below := parent.children(recursive=True)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(below, timeout=10)
    assert alive == []


async def test_a_parser_knows_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, sandbox: Sandbox) -> None:
    spy = (
        "import os, chatbot.ingestion.parsing.text as text\n"
        "original = text.read\n"
        "text.read = lambda content, name: original(str(sorted(os.environ)).encode(), name)"
    )
    started(tmp_path, monkeypatch, "spy", spy)
    monkeypatch.setenv("LLM_API_KEY", "canary-key")
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
    "group": "os.setpgid(0, 0) if os.getpgrp() == os.getpid() else os.setsid()",
}
"""What a parser that was taken over may try, from inside."""


@pytest.mark.skipif(sys.platform != "linux", reason="what confines a parser is Linux's: see docs/ingest.md")
@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("is_warm", [True, False])
async def test_a_parser_that_was_taken_over_reaches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, is_warm: bool, attempt: str
) -> None:
    private = tmp_path / "private" / "credentials"
    private.parent.mkdir()
    private.write_text("canary")
    (tmp_path / "taken").mkdir()
    over = (
        "import os, socket, chatbot.ingestion.parsing.text as text\n"
        f"PROJECT = {str(private)!r}\n"
        "original = text.read\n"
        "def read(content, name):\n"
        f"    try:\n        outcome = 'reached ' + repr({ATTEMPTS[attempt]})[:40]\n"
        "    except OSError as error:\n        outcome = 'refused ' + type(error).__name__\n"
        "    return original(outcome.encode(), name)\n"
        "text.read = read"
    )
    started(tmp_path / "taken", monkeypatch, "over", over, is_warm)
    sandbox = Sandbox(**DEFAULTS, is_warm=is_warm)
    attempted = await sandbox.parse(b"text", "a.txt")
    sandbox.close()
    assert attempted.sections[0].text == "refused PermissionError"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have nothing of the kind")
def test_the_process_that_has_a_file_read_shows_its_memory_and_environment_to_nobody() -> None:
    """But to root, whom no setting keeps out; a parser that was taken over may be of the same account."""
    code = (
        "import asyncio, ctypes\nfrom chatbot.ingestion.parsing.sandbox import Sandbox\n"
        "sandbox = Sandbox(512, 3)\nasyncio.run(sandbox.parse(b'Slate.', 'a.txt'))\nsandbox.close()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == "0"


def test_where_there_is_linux_all_of_it_holds() -> None:
    code = "import sys; from chatbot.ingestion.parsing.confine import confine; print(*confine(sys.path))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    expected = {"privileges", "files", "calls"} if sys.platform == "linux" else set()
    assert expected <= set(done.stdout.split())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="who is nobody in particular stays so")
def test_started_by_root_it_becomes_nobody() -> None:
    """Wherever Python may be read by all, as in the image; here that is said to be so."""
    code = "import os; from chatbot.ingestion.parsing import confine; confine._open_to_all = lambda _: True; "
    code += "print(*confine.confine(), *os.getresuid(), *os.getresgid(), os.getgroups())"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.startswith("account")
    assert done.stdout.strip().endswith(f"{' '.join(['65534'] * 6)} []")


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
