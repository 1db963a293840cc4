"""Asking and searching from a terminal."""

from __future__ import annotations

import dataclasses
from typing import get_args

import click

from chatbot.cli.shared import as_json, print_json, with_services
from chatbot.domain import ChatbotError, Language


@click.command()
@click.argument("question")
@click.option("--language", type=click.Choice(get_args(Language)), help="Answer in it; default: the question's.")
@click.option("--extractive", is_flag=True, help="Quote the documents, without the language model.")
@as_json
def ask(question: str, language: Language | None, extractive: bool, as_json: bool) -> None:
    """Answer QUESTION from the documents, with citations.

    Example: chatbot ask "What does a carbon tax change?" --language fr
    """
    from chatbot.cli.output import show_answer
    from chatbot.domain import ModelUnavailable, Question
    from chatbot.text.analysis import detect_language

    asked = Question(question, language or detect_language(question), extractive=extractive)
    try:
        answer = with_services(lambda services: services.answerer.answer(asked))
    except ModelUnavailable as error:
        raise ChatbotError(f"{error}. Add --extractive for quotes from the documents instead.") from None
    print_json({**dataclasses.asdict(answer), "ai_generated": True}) if as_json else show_answer(answer)


@click.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Passages at most.")
@as_json
def search(text: str, limit: int, as_json: bool) -> None:
    """Show the passages nearest to TEXT, best first.

    Example: chatbot search "flood risk in Paris" --limit 3
    """
    from chatbot.cli.output import show_passages

    passages = with_services(lambda services: services.retriever.search(text, limit))
    print_json(passages) if as_json else show_passages(passages)
