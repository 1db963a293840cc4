"""A conversation as Markdown, to keep or to pass on: each answer with the sources it cites and where to find them."""

from __future__ import annotations

from chatbot.domain import Citation, Conversation, Language
from chatbot.web.api import addresses

WORDS = {"en": {"sources": "Sources", "page": "page"}, "fr": {"sources": "Sources", "page": "page"}}


def markdown(conversation: Conversation, base: str, language: Language) -> str:
    """`base` is what the reader calls the bot by: https://bot.example.org."""
    parts = [f"# {_line(conversation.title)}"]
    for message in conversation.messages:
        parts += [f"## {_line(message.question)}", message.answer.text.strip()]
        if message.answer.citations:
            sources = [_source(each, base, language) for each in message.answer.citations]
            parts += [f"**{WORDS[language]['sources']}**", "\n".join(sources)]
    return "\n\n".join(parts) + "\n"


def _source(citation: Citation, base: str, language: Language) -> str:
    page = f"{WORDS[language]['page']} {citation.page}" if citation.page else ""
    where = addresses.original(citation.source, citation.page, citation.quote) or citation.source
    passage = base + addresses.passage(citation.document_id, citation.chunk_id)
    about = [_line(citation.title), page, _line(citation.heading), where, passage]
    return f"- [{citation.number}] {', '.join(filter(None, about))}\n  > {_line(citation.quote)}"


def _line(text: str) -> str:
    return " ".join(text.split())
