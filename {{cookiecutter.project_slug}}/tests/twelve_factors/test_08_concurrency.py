"""VIII. Concurrency: processes of the same types everywhere, each a command of the one program."""

from __future__ import annotations

import click
import pytest

from chatbot import cli
from chatbot.dev import procfile
from tests.twelve_factors.declared import compose_commands


def test_procfile_and_compose_declare_the_same_processes() -> None:
    assert procfile() == compose_commands()
    assert set(procfile()) == {"release", "web", "worker", "scheduler"}


@pytest.mark.parametrize("name", procfile())
def test_each_process_is_a_command(name: str) -> None:
    command: click.Command = cli.main
    for word in procfile()[name]:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert not isinstance(command, click.Group)
