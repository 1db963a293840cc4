"""The manual tells the truth: its commands, make targets, variables and links exist."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path

import click
import pytest

from chatbot.cli.main import main
from chatbot.settings import home, variables

PAGES = sorted([home() / "README.md", *(home() / "docs").rglob("*.md")])
CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.M | re.S)


def code(page: Path) -> list[str]:
    """Every line of code on the page, inline or in a block, without its comment."""
    found = [block or inline for block, inline in CODE.findall(page.read_text("utf-8"))]
    return [line.split("  #")[0].strip() for text in found for line in text.splitlines()]


def commands(program: str) -> list[tuple[str, str]]:
    """(page, what follows the program's name) for each use of the program."""
    pattern = re.compile(rf"(?:^|\| |&& |[A-Z_]+=\S+ ){program} ([^|>&]+)")
    return [(page.name, match[1]) for page in PAGES for line in code(page) if (match := pattern.search(line))]


def parse(command: click.Command, words: list[str]) -> None:
    """Let click look at the words as it would when they are run; nothing is run."""
    with command.make_context(command.name, words) as context:
        if isinstance(command, click.Group):
            name, found, rest = command.resolve_command(context, [*context.protected_args, *context.args])
            assert found is not None, name
            parse(found, rest)
        elif command.name == "dev" and context.params["command"]:
            parse(main, list(context.params["command"]))


@pytest.mark.parametrize(("page", "words"), commands("chatbot"))
def test_each_chatbot_command_is_understood(page: str, words: str) -> None:
    split = shlex.split(words.replace("…", "x").replace("COMMAND", "web").replace("run NAME", "run index"))
    # Exit: --help was asked for. The others: a command that is only named, such as `chatbot ingest`.
    with suppress(click.exceptions.Exit, click.exceptions.NoArgsIsHelpError, click.MissingParameter):
        parse(main, split)


@pytest.mark.parametrize(("page", "words"), commands("make"))
def test_each_make_target_exists(page: str, words: str) -> None:
    makefile = (home() / "Makefile").read_text("utf-8")
    for target in (word for word in words.split() if "=" not in word):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.M), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_every_variable_is_explained() -> None:
    pages = [(home() / "docs" / name).read_text("utf-8") for name in ("configure.md", "secrets.md")]
    assert [name for name in variables() if f"| `{name}` |" not in "".join(pages)] == []


def test_there_are_commands_to_look_at() -> None:
    assert len(commands("chatbot")) > 30
    assert len(commands("make")) > 5
