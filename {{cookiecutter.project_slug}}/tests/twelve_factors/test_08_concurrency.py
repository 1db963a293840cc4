"""VIII. Concurrency: processes of the same types everywhere, each a command of the one program."""

from __future__ import annotations

import json
import re

import click
import pytest

from chatbot.cli import main as cli
from chatbot.runtime.dev import procfile
from chatbot.settings import home
from tests.twelve_factors.declared import compose_commands


def test_procfile_and_compose_declare_the_same_processes() -> None:
    assert procfile() == compose_commands()
    assert set(procfile()) == {"release", "web", "worker", "scheduler"}


def test_kubernetes_declares_them_too() -> None:
    manifest = (home() / "deploy" / "kubernetes" / "base" / "chatbot.yaml").read_text()
    kinds = re.findall(r"^kind: (?:Job|Deployment)\nmetadata:\n  name: (\w+)", manifest, re.M)
    arguments = [json.loads(found) for found in re.findall(r"^ +args: (\[.*\])$", manifest, re.M)]
    assert dict(zip(kinds, arguments, strict=True)) == procfile()


@pytest.mark.parametrize("name", procfile())
def test_each_process_is_a_command(name: str) -> None:
    command: click.Command = cli.main
    for word in procfile()[name]:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert not isinstance(command, click.Group)
