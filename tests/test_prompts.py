"""The prompts, answered in a pseudo-terminal as a person would; docs/prompts.md shows what came of it.

UPDATE_TRANSCRIPT=1 writes that page anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
from pathlib import Path

import pytest
from conftest import CONTEXT, ROOT, clean_environment

pty = pytest.importorskip("pty", reason="pseudo-terminals are of Unix")

PAGE = ROOT / "docs" / "prompts.md"
FENCE = re.compile(r"(?<=```text\n).*?(?=```\n)", re.S)
TYPED = ["Harbour Office", "", "", "", "", "Apache", "2", "", "9", "1", "3", "", "2", ""]
"""What is typed at each prompt in turn, Enter for the default; «Apache» and «9» are no choices, and are asked again."""
WAITS = re.compile(rb"\): $")


def said(terminal: int) -> bytes:
    """What a terminal shows next; nothing once the program has closed it."""
    assert select.select([terminal], [], [], 60)[0], "nothing was shown for a minute"
    with contextlib.suppress(OSError):
        return os.read(terminal, 65536)
    return b""


def converse(command: list[str], typed: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in a terminal, type a line whenever it waits for one; its exit code and all that was shown."""
    process, terminal = pty.fork()
    if not process:
        os.chdir(folder)
        plain = {
            "TERM": "dumb",
            "COLUMNS": "100",
            "LINES": "40",
            "NO_COLOR": "1",
            "HOME": str(folder),
            "PWD": str(folder),
        }
        os.execve(command[0], command, clean_environment() | plain)
    shown, since, rest = b"", b"", list(typed)
    try:
        while more := said(terminal):
            shown, since = shown + more, since + more
            if WAITS.search(since):
                os.write(terminal, (rest.pop(0) + "\n").encode())
                since = b""
    finally:
        os.close(terminal)  # which ends a program that still waits
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert rest == [], "it asked less than was answered"
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r\n", "\n")


one_conversation = pytest.mark.xdist_group("conversation")


@pytest.fixture(scope="module")
def conversation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conversation")
    code, shown = converse([sys.executable, "-m", "cookiecutter", str(ROOT)], TYPED, folder)
    assert code == 0, shown
    return folder, shown


@one_conversation
def test_the_questions_are_asked_in_their_order_with_their_defaults(conversation):
    _, shown = conversation
    labels = [label if isinstance(label, str) else label["__prompt__"] for label in CONTEXT["__prompts__"].values()]
    places = [shown.index(f"[{number}/{len(labels)}] {label}") for number, label in enumerate(labels, 1)]
    assert places == sorted(places)
    assert f"({CONTEXT['project_name']}): " in shown
    assert "(harbour-office): " in shown, "the slug follows from the name"


@one_conversation
def test_a_wrong_choice_is_asked_again(conversation):
    _, shown = conversation
    assert shown.count("Please select one of the available options") == 2


@one_conversation
def test_the_answers_are_in_the_project(conversation):
    folder, _ = conversation
    project = folder / "harbour-office"
    pyproject = (project / "pyproject.toml").read_text("utf-8")
    assert 'license = "Apache-2.0"' in pyproject
    assert "chromadb" in pyproject
    assert "redis" not in pyproject
    assert (project / "README.md").read_text("utf-8").startswith("# Harbour Office")


@one_conversation
def test_the_page_shows_this_conversation(conversation):
    _, shown = conversation
    text = "\n".join(line.rstrip() for line in f"$ cookiecutter gh:org/template\n{shown}".splitlines()) + "\n"
    page = PAGE.read_text("utf-8")
    if os.environ.get("UPDATE_TRANSCRIPT"):
        page = FENCE.sub(lambda _: text, page)
        PAGE.write_text(page, "utf-8")
    assert FENCE.search(page)[0] == text


@pytest.mark.parametrize("name", ['A "quoted" C:\\name', "{{ 6 * 7 }} {% if", "Чат-бот 🤖"])
def test_a_text_that_is_typed_arrives_as_it_is(name, tmp_path):
    typed = [name, "bot", *[""] * 10]
    code, shown = converse([sys.executable, "-m", "cookiecutter", str(ROOT)], typed, tmp_path)
    assert code == 0, shown
    bot = (tmp_path / "bot/src/chatbot/defaults.toml").read_text("utf-8")
    assert f'bot_name = "{name}"'.replace("\\", "\\\\").replace('"q', '\\"q').replace('d"', 'd\\"') in bot
