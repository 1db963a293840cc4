"""The words of the domain, as plain data: no behaviour beyond what the data itself says, no vendor, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar | Sequence[str]]
"""What is known of a document besides its text: year, authors, type… A value is a scalar or a list of strings."""

Filters = Mapping[str, Sequence[Scalar]]
"""Which documents to search: for every key, the metadata value (or one of its values) is among those given."""

Language = Literal["en", "fr"]

EXTRACTIVE = "extractive"
"""The name of the answerer that needs no language model: it quotes."""


class ChatbotError(Exception):
    """A mistake or an outage that a person can act on; its message is one sentence that may be shown to users."""


class InvalidConfiguration(ChatbotError):
    """A setting is missing, malformed or does not fit what is stored; nothing was started."""


class UnreadableDocument(ChatbotError):
    """A file that cannot become text: broken, encrypted, empty, only images, or not what its name says."""


class NotFound(ChatbotError):
    """There is no such thing, or it belongs to somebody else: no answer tells the two apart."""


class Unavailable(ChatbotError):
    """An attached resource does not answer; trying again later may succeed."""

    def __init__(self, resource: str, advice: str) -> None:
        super().__init__(f"{resource} does not answer: {advice}")
        self.resource = resource


class InvalidToken(ChatbotError):
    """A token that the identity provider did not give, or not to this bot, or that is over."""


class LimitReached(ChatbotError):
    """So many requests or tokens that the caller has to wait."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds."""


class ModelUnavailable(Unavailable):
    """The language model does not answer; passages can be quoted without it."""

    def __init__(self, advice: str, retry_after: float = 0, passing: bool = True) -> None:
        super().__init__("the language model", advice)
        self.retry_after = retry_after
        """Seconds until it will be asked again; 0: at once."""
        self.passing = passing
        """Whether it is a failure of the moment, unlike a wrong key."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a parsed document under one heading and on one page, in reading order."""

    text: str
    heading: str = ""
    """The headings above the text, outermost first, joined by « > »; empty when there are none."""
    page: int | None = None
    """1-based page number; None where the format has no pages."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser makes of one file."""

    title: str
    sections: Sequence[Section]
    language: Language
    metadata: Metadata = field(default_factory=dict)
    pages: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A document the bot may answer from. `source` (a path or a URL) identifies it; `id` is derived from it."""

    id: str
    source: str
    title: str
    media_type: str
    language: Language
    metadata: Metadata
    content_hash: str | None
    """SHA-256 of the original bytes, set only once the chunks can be found; None while there is nothing to find."""
    chunks: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit of retrieval: about 1,000 characters of one document, never across a heading."""

    id: str
    document_id: str
    position: int
    text: str
    heading: str
    page: int | None
    language: Language


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk as a vector store keeps it: the embedding and what searches may filter on, not the text."""

    chunk_id: str
    document_id: str
    vector: Sequence[float]
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by one search; a higher score is a better match, comparable within that search only."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk with all that a citation needs."""

    chunk: Chunk
    title: str
    source: str
    score: float
    similarity: float | None = None
    """Cosine similarity of question and chunk, -1 to 1; None when only the lexical search found it."""
    metadata: Metadata = field(default_factory=dict)


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
class Message:
    """A question and its answer, as a conversation keeps them."""

    id: str
    question: str
    answer: Answer
    created_at: datetime | None = None
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one caller asked, in order; seen by nobody else."""

    id: str
    title: str
    """The first question, shortened."""
    created_at: datetime
    updated_at: datetime
    """When its last answer was complete."""
    messages: Sequence[Message] = ()
    """Left out where conversations are listed."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a caller agreed to."""

    analytics: bool
    updated_at: datetime | None = None
    """None: they never said."""


@dataclass(frozen=True, slots=True)
class PersonalRecord:
    """All that is kept of a caller."""

    caller_id: str
    consent: Consent
    conversations: Sequence[Conversation]


Scope = Literal["ask", "ingest", "admin"]
"""What a caller may do: ask (and look after what is one's own); change the corpus; look after everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: an API key's holder, a user of the identity provider, or an anonymous visitor."""

    id: str
    """Opaque, and nothing that identifies a person: what conversations, feedback and budgets belong to."""
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of an API key besides the key itself, which only its holder has."""

    id: str
    name: str
    """Who or what it was made for, in the operator's words."""
    prefix: str
    """The key's first characters, to recognise it by."""
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None = None
    """To the minute."""
    revoked_at: datetime | None = None


JobState = Literal["pending", "queued", "running", "succeeded", "failed", "dead"]
"""pending: accepted, not yet with the broker (or waiting for its next attempt); queued: the broker has it;
running: a worker has it; succeeded; failed: the input is at fault, another attempt would not help;
dead: out of attempts, kept for a person to requeue."""


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work and what became of it. The record in PostgreSQL is the truth; a queue message is only its id."""

    id: str
    kind: str
    document_id: str | None
    state: JobState
    attempts: int = 0
    progress: float = 0.0
    """0 to 1."""
    error: str | None = None
    """One sentence for the person who asked; never holds document text or secrets."""
    idempotency_key: str | None = None
    request_id: str | None = None
    """The HTTP request that it was made for, as the logs know it."""
    traceparent: str | None = None
    """The span of that request, when requests are traced."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
