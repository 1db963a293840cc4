"""What the bot answers from: documents, their chunks, and what a search finds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

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
    is_continued: bool = False
    """Its first sentence began in the section before, on another page."""


def find_words(text: str, words: str) -> int | None:
    """Where in the text these words begin, however they are spaced and broken; None when it has them not."""
    bare = "".join(words.split())
    places = [index for index, letter in enumerate(text) if not letter.isspace()]
    found = "".join(text[index] for index in places).find(bare) if bare else -1
    return None if found < 0 else places[found]


PARTIAL = 0.2
"""Share of a file's words from which their absence is a warning."""

UNEXPLAINED = "unexplained"
"""The reason of what no rule of a parser left out."""
LITTLE = 0.01
"""Share of a file's words that may be unexplained without a word on the terminal; its job's record has them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a file's words were kept, by an extraction that knows nothing of how it was read."""

    seen: int = 0
    """Words in the file."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many of them are not in the passages, by reason: "hidden", "repeated lines"."""
    notes: Sequence[str] = ()
    """What else whoever added it should know: "read as Windows-1252"."""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Reading:
        """From what `dataclasses.asdict` makes of one and JSON gives back; an empty record is of an older release."""
        return cls(record.get("seen", 0), record.get("left_out", {}), tuple(record.get("notes", ())))

    @property
    def is_partial(self) -> bool:
        return sum(self.left_out.values()) > PARTIAL * self.seen

    def __str__(self) -> str:
        """E.g. "32 of 410 words left out: 20 hidden, 12 repeated lines; read as Windows-1252"; "" when all is well."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        missing = sum(self.left_out.values())
        counts = [f"{missing:,} of {self.seen:,} words left out: {reasons}"] if missing else []
        return "; ".join([*counts, *self.notes])

    @property
    def told(self) -> str:
        """The same for a terminal: without a few words that two ways to read a file count differently."""
        if self.left_out.get(UNEXPLAINED, 0) > LITTLE * self.seen:
            return str(self)
        return str(replace(self, left_out={each: n for each, n in self.left_out.items() if each != UNEXPLAINED}))


WHOLE = Reading()
"""Nothing was left out, or nobody has looked."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser makes of one file."""

    title: str
    sections: Sequence[Section]
    language: Language
    metadata: Metadata = field(default_factory=dict)
    """What the file says of itself, where it can be relied on: `authors` (strings), `year`, `journal`, `doi`."""
    pages: int = 1
    reading: Reading = WHOLE


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
    reading: Reading = WHOLE
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
class Outline:
    """What questions about a document can be made from."""

    title: str
    language: Language
    metadata: Metadata
    headings: Sequence[str]
    """Those of its first passages, in reading order, each with the headings above it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit of retrieval: about 1,000 characters of one document, never across a heading."""

    id: str
    document_id: str
    position: int
    text: str
    heading: str
    page: int | None
    """Where it begins; None where the format has no pages."""
    language: Language
    page_breaks: tuple[int, ...] = ()
    """Where it goes on overleaf, in pairs: an offset in `text`, and the page that begins there."""

    def page_of(self, quote: str) -> int | None:
        """The page on which words of the chunk begin, white space apart; that of the chunk when they are not in it."""
        at = find_words(self.text, quote) if self.page_breaks else None
        if at is None:
            return self.page
        pairs = zip(self.page_breaks[::2], self.page_breaks[1::2], strict=True)
        return max((pair for pair in pairs if pair[0] <= at), default=(0, self.page))[1]


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
    closeness: float = 0.0
    """How far the similarity is above that of unrelated texts, 1 being far; 0 where that is not known."""
