"""The settings, as a process sees them."""

from __future__ import annotations

import click

from chatbot.cli.shared import as_json, print_json


@click.group()
def config() -> None:
    """Look at the settings.

    Example: chatbot config check
    """


@config.command()
def check() -> None:
    """Say which variables are missing or wrong; exit code 1 if any is.

    Example: chatbot config check
    """
    from chatbot import settings

    settings.load()
    click.echo("The configuration is usable.")


@config.command()
@as_json
def show(as_json: bool) -> None:
    """Print every variable as this process sees it, secrets masked.

    Example: chatbot config show --json
    """
    from chatbot import settings

    values = settings.masked(settings.load())
    print_json(values) if as_json else click.echo("\n".join(f"{name}={value}" for name, value in values.items()))
