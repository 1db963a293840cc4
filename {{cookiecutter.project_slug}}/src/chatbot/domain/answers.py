"""Questions, answers and their citations, and the conversations that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from chatbot.domain.documents import Filters, Language

EXTRACTIVE = "extractive"
"""The name of the answerer that needs no language model: it quotes."""


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    language: Language
    filters: Filters = field(default_factory=dict)
    extractive: bool = False
    """Wants quotes, although a language model may be attached."""
    search: str = ""
    """What to look for in place of `text`, where that is understood only from the questions before it."""

    @property
    def query(self) -> str:
        return self.search or self.text


@dataclass(frozen=True, slots=True)
class Citation:
    """One numbered reference of an answer, to a passage that was retrieved for it."""

    number: int
    chunk_id: str
    document_id: str
    title: str
    source: str
    page: int | None
    heading: str
    quote: str
    """The words of the passage that carry the answer, verbatim but for white space."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took of the language model."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """In the currency of LLM_PRICE_INPUT and LLM_PRICE_OUTPUT."""
    estimated: bool = False
    """The model reported no tokens, so they were estimated from the length of the texts."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` cites as [1], [2]…; `grounded` is False when the corpus holds no evidence and the text says so."""

    text: str
    citations: Sequence[Citation]
    grounded: bool
    language: Language
    model: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Turn:
    """What was said before: a question as it was asked, and its answer."""

    question: str
    answer: str


Rating = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user thinks of an answer."""

    rating: Rating
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """A rating with what it is about, as the operator reads it: without who sent it."""

    question: str
    answer: str
    rating: Rating
    comment: str
    model: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that found no answer, of somebody who agrees to statistics."""

    question: str
    language: Language
    times: int
    day: datetime
    """When it was last asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """A question and its answer, as a conversation keeps them."""

    id: str
    question: str
    answer: Answer
    created_at: datetime | None = None
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one caller asked, in order; seen by nobody else, but by who has the link that its owner made."""

    id: str
    title: str
    """The first question, shortened."""
    created_at: datetime
    updated_at: datetime
    """When its last answer was complete."""
    messages: Sequence[Message] = ()
    """Left out where conversations are listed."""
    share: str | None = None
    """What its link for others ends with; None while it has none. Whoever knows it reads what was said until then."""
