"""What is kept of one user: handed out, or erased."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from textwrap import indent
from typing import IO, TYPE_CHECKING

import click

from chatbot.cli.shared import counted, to_json, with_services
from chatbot.domain import ChatbotError, Conversation

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


@click.command("export-user")
@click.argument("id")
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write to this file.")
def export_user(id: str, output: Path | None) -> None:
    """Print all that is kept of the user ID, as JSON: conversations, feedback, consent.

    Example: chatbot export-user visitor:8fJ2kQ --output user.json
    """

    async def write(services: Services) -> int:
        """How many conversations. Nothing is opened for a user of whom nothing is kept."""
        consent, conversations = await services.personal.consent(id), services.personal.conversations(id)
        first = await anext(conversations, None)
        if first is None and consent.updated_at is None:
            raise ChatbotError("Nothing is kept of this user.")
        empty = to_json({"caller_id": id, "consent": consent, "conversations": []})
        with ExitStack() as stack:
            file = stack.enter_context(_opened(output)) if output else sys.stdout
            return await _write(file, empty.removesuffix("]\n}"), first, conversations)

    number = with_services(write)
    if output:
        click.echo(f"{number} conversations written to {output}", err=True)


def _opened(output: Path) -> IO[str]:
    """For its owner's eyes only."""
    output.touch(mode=0o600)
    return output.open("w", encoding="utf-8")


async def _write(file: IO[str], opening: str, first: Conversation | None, others: AsyncIterator[Conversation]) -> int:
    """The JSON, each conversation as soon as it is read: there may be more of them than memory."""
    file.write(opening)
    number = 0
    if first is not None:
        number, _ = 1, file.write("\n" + indent(to_json(first), "    "))
        async for each in others:
            number, _ = number + 1, file.write(",\n" + indent(to_json(each), "    "))
    file.write("\n  ]\n}\n")
    return number


@click.command("erase-user")
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def erase_user(id: str, yes: bool) -> None:
    """Erase all that is kept of the user ID, at once and for good.

    Example: chatbot erase-user visitor:8fJ2kQ --yes
    """
    if not yes:
        click.confirm("Erase everything that is kept of this user, for good?", abort=True)
    click.echo(f"Erased: {counted(with_services(lambda services: services.personal.erase(id)))}.")
