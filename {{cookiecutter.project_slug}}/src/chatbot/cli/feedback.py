"""What readers think of the answers, and what they asked in vain."""

from __future__ import annotations

from typing import get_args

import click

from chatbot.cli.shared import as_json, print_json, with_services
from chatbot.domain import Rating


@click.command()
@click.option("--rating", type=click.Choice(get_args(Rating)), help="Only these ratings.")
@click.option("--unanswered", is_flag=True, help="Questions without an answer, of those who agree to statistics.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Lines at most.")
@as_json
def feedback(rating: Rating | None, unanswered: bool, limit: int, as_json: bool) -> None:
    """Show ratings with their comments, the latest first, and what they are about; never who sent them.

    \b
    Examples:
      chatbot feedback --rating down
      chatbot feedback --unanswered --json
    """
    from chatbot.cli.output import show_reviews, show_unanswered

    if unanswered and rating:
        raise click.UsageError("A question without an answer has no --rating here: say one or the other.")
    if unanswered:
        asked = with_services(lambda services: services.reviews.unanswered(limit))
        return print_json(asked) if as_json else show_unanswered(asked)
    found = with_services(lambda services: services.reviews.list(rating, limit))
    return print_json(found) if as_json else show_reviews(found)
