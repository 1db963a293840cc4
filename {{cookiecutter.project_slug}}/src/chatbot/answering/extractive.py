"""Answers without a language model: quotes, word for word, the sentences that most likely hold the answer.

model = Extractive(embedder)
async for piece in model.stream(question, passages):
    ...     “The oven was built in 1921.” [1]
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from chatbot.answering import quotes
from chatbot.answering.evidence import closeness, is_comparable
from chatbot.domain import EXTRACTIVE, Passage, Question, Turn, Unavailable, Usage
from chatbot.ports import Embedder


class Extractive:
    """Fulfils `ports.LanguageModel`; compares meanings with `embedder`, where its scale is known."""

    model = EXTRACTIVE

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    async def stream(self, question: Question, passages: Sequence[Passage]) -> AsyncGenerator[str | Usage, None]:
        found = await asyncio.to_thread(quotes.find, question, passages)
        chosen = quotes.choose(found, await self._closeness(question, found))
        for number, quote in enumerate(quotes.written(question, passages, found, chosen)):
            yield f"\n{quote}" if number else quote

    async def rewrite(self, question: Question, turns: Sequence[Turn]) -> tuple[str, Usage]:
        return "", Usage()

    async def ping(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """Nothing is open."""

    async def _closeness(self, question: Question, found: quotes.Found) -> dict[str, float]:
        """How close the best sentences are to the question, by their text; nothing where that cannot be told."""
        texts = [quote.text for quote in found.quotes[: quotes.COMPARED]]
        if self._embedder is None or not texts or not is_comparable(self._embedder.model):
            return {}
        try:
            asked, *vectors = await asyncio.gather(
                self._embedder.embed_query(question.query), self._embedder.embed_passages(texts)
            )
        except Unavailable:  # the passages were found without it, or it went away since
            return {}
        similarity = [sum(a * b for a, b in zip(asked, vector, strict=True)) for vector in vectors[0]]
        return {text: closeness(each, self._embedder.model) for text, each in zip(texts, similarity, strict=True)}
