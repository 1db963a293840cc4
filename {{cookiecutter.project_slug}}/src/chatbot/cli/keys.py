"""Keys to the HTTP API."""

from __future__ import annotations

from typing import get_args

import click

from chatbot.cli.shared import as_json, print_json, with_services
from chatbot.domain import ChatbotError, Scope


@click.group()
def keys() -> None:
    """Give programs and people keys to the HTTP API, and take them back.

    Example: chatbot keys list
    """


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(get_args(Scope)),
    multiple=True,
    default=("ask",),
    show_default=True,
    help="What it may do; may be given several times.",
)
def create_key(name: str, scopes: tuple[Scope, ...]) -> None:
    """Make a key for NAME and print it, this once: only its hash is kept.

    Example: chatbot keys create "the intranet" --scope ask --scope ingest
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= 80:
        raise click.UsageError("A name has 1 to 80 printable characters.")
    key, secret = with_services(lambda services: services.keys.create(name.strip(), frozenset(scopes)))
    click.echo(f"Key {key.id}, for {', '.join(sorted(key.scopes))}. It is not shown again:", err=True)
    click.echo(secret)


@keys.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """List the keys, the latest first: never the keys themselves, only how they begin.

    Example: chatbot keys list --json
    """
    from chatbot.cli.output import show_keys

    found = with_services(lambda services: services.keys.list())
    print_json(found) if as_json else show_keys(found)


@keys.command("revoke")
@click.argument("id")
def revoke_key(id: str) -> None:
    """Refuse the key with this ID from now on, in every process.

    Example: chatbot keys revoke 0f3c9a
    """
    if not with_services(lambda services: services.keys.revoke(id)):
        raise ChatbotError(f"There is no key {id} that could be revoked: see `chatbot keys list`.")
    click.echo(f"The key {id} is revoked.")
