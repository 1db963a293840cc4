"""What the bot answers from: documents, their chunks, and what a search finds of them."""

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

DocumentState = Literal["waiting", "words", "complete"]
"""waiting: what was accepted last cannot be found yet; words: it can, by its words; complete: by its meaning too."""


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
    """SHA-256 of the bytes that the chunks were made from; None while there is nothing to find."""
    chunks: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = 0
    """Of what was accepted last; each content and each metadata makes a higher one."""
    up_to_date: bool = False
    """Whether that version is the one that can be found; until then it is the one before, if there is any."""
    accepted_hash: str | None = None
    """SHA-256 of the bytes accepted last; None while a URL's are still to be fetched."""
    given: Metadata = field(default_factory=dict)
    """The metadata accepted last; what the parser finds is added to it."""
    embedded: int = 0
    """How many of the chunks can be found by meaning too."""

    @property
    def state(self) -> DocumentState:
        if not self.up_to_date:
            return "waiting"
        return "complete" if self.embedded >= self.chunks else "words"


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
    """A chunk as a vector store keeps it: the embedding and what searches may filter on, not the text.

    It is written once and never changed: a chunk that is embedded again, or whose metadata is another, gets a new one.
    """

    id: str
    """Made for this point alone and never used again, so that removing one can never hit another."""
    document_id: str
    vector: Sequence[float]
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Match:
    """A point near a vector; the score is their cosine similarity, -1 to 1."""

    point_id: str
    score: float


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
