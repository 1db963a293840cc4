"""What is kept of one user: handed out, or erased."""

from __future__ import annotations

from pathlib import Path

import click

from chatbot.cli.shared import counted, print_json, to_json, with_services
from chatbot.domain import ChatbotError


@click.command("export-user")
@click.argument("id")
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write to this file.")
def export_user(id: str, output: Path | None) -> None:
    """Print all that is kept of the user ID, as JSON: conversations, feedback, consent.

    Example: chatbot export-user visitor:8fJ2kQ --output user.json
    """
    record = with_services(lambda services: services.personal.export(id))
    if not record.conversations and record.consent.updated_at is None:
        raise ChatbotError("Nothing is kept of this user.")
    if output is None:
        return print_json(record)
    output.touch(mode=0o600)
    output.write_text(to_json(record) + "\n", "utf-8")
    click.echo(f"{len(record.conversations)} conversations written to {output}", err=True)


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
