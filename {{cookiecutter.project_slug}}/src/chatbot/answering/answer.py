"""A question's answer, all at once or as it is written: retrieve, weigh the evidence, let the model write, check.

async for event in answerer.stream(Question("What is a carbon tax?", "en")):
    ...     Sources, then Token and Cited as they come, Spent, and Done with the whole answer
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, replace

from chatbot.answering.cite import Checker
from chatbot.answering.courtesy import plain
from chatbot.answering.evidence import supported
from chatbot.answering.extractive import Extractive
from chatbot.answering.grounding import Grounding
from chatbot.answering.retrieve import Retriever
from chatbot.domain import EXTRACTIVE, Answer, Citation, Language, Passage, Question, Usage
from chatbot.observability import gen_ai, metrics, tracing
from chatbot.ports import LanguageModel
from chatbot.text import sanitize as safe
from chatbot.text.reference import asked_for

NOTHING_FOUND: dict[Language, str] = {
    "en": "I found no answer to this question in the documents.",
    "fr": "Je n’ai pas trouvé de réponse à cette question dans les documents.",
}
NEAREST: dict[Language, str] = {"en": " The nearest are: {}.", "fr": " Les plus proches sont : {}."}
NEAREST_TITLES = 3
UNSUPPORTED: dict[Language, str] = {
    "en": "The documents do not support what the language model wrote. They say: ",
    "fr": "Les documents n’étayent pas ce que le modèle de langue a écrit. Ils disent : ",
}
LONG_PIECE = 1000
"""Characters that are worked on in a thread: they would hold up everybody else."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages the answer will be written from."""

    passages: Sequence[Passage]


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation whose marker the text has reached."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class Spent:
    """What the model used."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Done:
    """The end: the same text as the tokens, joined."""

    answer: Answer


Event = Sources | Token | Cited | Spent | Done


class _Page:
    """What of an answer is shown as it is written, with its citations; a model's text is checked, quotes are not."""

    def __init__(self, question: Question, passages: Sequence[Passage], checked: bool) -> None:
        self.text = ""
        self._passages = passages
        self._grounding = Grounding(passages, question.query) if checked else None
        self.begin("")

    @property
    def citations(self) -> list[Citation]:
        return self._checker.citations

    @property
    def unsupported(self) -> bool:
        """Whether a model wrote something else than that there is no answer, and no passage supports any of it."""
        grounding = self._grounding
        return bool(grounding and grounding.written and not grounding.admitted and not self.citations)

    def begin(self, preface: str) -> None:
        """Begin anew, with quotes if there is a preface."""
        self._checker = Checker(self._passages)
        self._preface = preface
        if preface:
            self._grounding = None
        quoting = self._grounding is None
        self._filter = safe.Filter(lambda: _links(self.citations), _words(self._passages), quoting)

    async def write(self, piece: str) -> list[Token | Cited]:
        """What can be shown now."""
        return await asyncio.to_thread(self._feed, piece) if len(piece) > LONG_PIECE else self._feed(piece)

    async def finish(self) -> list[Token | Cited]:
        return await asyncio.to_thread(self._finish)

    def _feed(self, piece: str) -> list[Token | Cited]:
        seen = len(self.citations)
        checked = self._checker.feed(self._grounding.feed(piece) if self._grounding else piece)
        return self._events(self._filter.feed(checked), seen)

    def _finish(self) -> list[Token | Cited]:
        """Nothing of a text that cites nothing."""
        seen = len(self.citations)
        last = self._checker.feed(self._grounding.finish()) if self._grounding else ""
        rest = self._filter.feed(last + self._checker.finish()) + self._filter.finish()
        return self._events(rest if self.citations else "", seen)

    def _events(self, shown: str, seen: int) -> list[Token | Cited]:
        if shown and self._preface:
            shown, self._preface = self._preface + shown, ""
        self.text += shown
        return [*([Token(shown)] if shown else []), *map(Cited, self.citations[seen:])]


class Answerer:
    """Answers from the best `passages` passages, or says that they hold no answer.

    `quoting` writes the answers to those who ask for quotes.
    """

    def __init__(
        self, retriever: Retriever, model: LanguageModel, passages: int, quoting: LanguageModel | None = None
    ) -> None:
        self._retriever = retriever
        self._model = model
        self._quoting = quoting or (model if model.model == EXTRACTIVE else Extractive())
        self._passages = passages

    async def answer(self, question: Question) -> Answer:
        """Raises Unavailable."""
        async with aclosing(self.stream(question)) as events:
            async for event in events:
                if isinstance(event, Done):
                    return event.answer
        raise AssertionError("a stream ends with Done")

    async def stream(self, question: Question) -> AsyncGenerator[Event, None]:
        """The events of one answer. Raises Unavailable, before the first token or in their midst."""
        question = without_courtesy(question)
        passages = await self._retriever.search(question.query, self._passages, question.filters)
        if asked_for(question.query):
            passages = [*passages, *await self._retriever.references(passages)]
        yield Sources(passages)
        model = self._quoting if question.extractive else self._model
        page, usage = _Page(question, passages, checked=model.model != EXTRACTIVE), Usage()
        async with aclosing(self._written(model, question, passages)) as written:
            async for piece in written:
                if isinstance(piece, Usage):
                    usage = piece
                    continue
                for event in await page.write(piece):
                    yield event
        for event in await page.finish():
            yield event
        if page.unsupported:  # whoever asked is not to believe that the documents say nothing
            model = self._quoting
            async for event in self._quotes(page, question, passages):
                yield event
        if not page.citations:
            page.text = nothing_found(question.language, passages)
            yield Token(page.text)
        yield Spent(usage)
        grounded = bool(page.citations)
        yield Done(Answer(page.text, page.citations, grounded, question.language, model.model, usage))

    async def _quotes(
        self, page: _Page, question: Question, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Cited, None]:
        """The passages' own words, in place of a text that they do not support."""
        pieces = [each async for each in self._quoting.stream(question, passages) if isinstance(each, str)]
        if pieces:
            page.begin(UNSUPPORTED[question.language])
            for event in (*await page.write("".join(pieces)), *await page.finish()):
                yield event

    async def _written(
        self, model: LanguageModel, question: Question, passages: Sequence[Passage]
    ) -> AsyncGenerator[str | Usage, None]:
        """What the model writes; nothing where the passages do not bear on the question."""
        if await asyncio.to_thread(supported, question.query, passages, self._retriever.embedding_model):
            with model_span(model.model) as span:
                async with aclosing(model.stream(question, passages)) as written:
                    async for piece in written:
                        if isinstance(piece, Usage):
                            span.set(spent(piece))
                        yield piece


def without_courtesy(question: Question) -> Question:
    """What is looked for leaves out greetings and the like; the model reads the question as it was asked."""
    asked = plain(question.query)
    return question if asked == question.query else replace(question, search=asked)


def model_span(model: str) -> AbstractContextManager[tracing.Span]:
    """One call of the model, in the words of OpenTelemetry's GenAI conventions; never what it reads or writes."""
    if model == EXTRACTIVE:
        return tracing.span("extract", current=False)
    return tracing.span(f"chat {model}", "client", gen_ai.chat(model), current=False)


def spent(usage: Usage) -> tracing.Attributes:
    """Counts what the model used, and returns it as a span's attributes."""
    metrics.MODEL_TOKENS.labels("prompt").inc(usage.prompt_tokens)
    metrics.MODEL_TOKENS.labels("completion").inc(usage.completion_tokens)
    metrics.MODEL_COST.inc(usage.cost)
    return gen_ai.tokens(usage)


def nothing_found(language: Language, passages: Sequence[Passage]) -> str:
    """Says so, and which documents came near; none where all are as far as unrelated texts."""
    near = [passage for passage in passages if passage.closeness >= 0]
    titles = list(dict.fromkeys(safe.text(passage.title) for passage in near))[:NEAREST_TITLES]
    return NOTHING_FOUND[language] + (NEAREST[language].format("; ".join(titles)) if titles else "")


def _links(citations: Sequence[Citation]) -> set[str]:
    """The sources that are addresses on the web."""
    return {each.source for each in citations if each.source.startswith(("https://", "http://"))}


def _words(passages: Sequence[Passage]) -> str:
    """All that the passages say, their titles included."""
    return "\n".join(f"{passage.title}\n{passage.chunk.heading}\n{passage.chunk.text}" for passage in passages)
