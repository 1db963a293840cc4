"""The bodies of documents, and of the jobs that take them in."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from chatbot.domain import Caller, Chunk, Document, DocumentState, JobKind, JobState, Language
from chatbot.ingestion.parsing.parse import PDF
from chatbot.web.api.schemas.base import Body, MetadataBody, View


class ReadingView(View):
    """How much of a file's words are in its passages."""

    seen: int = Field(description="Words in the file.")
    left_out: dict[str, int] = Field(
        description="How many of them are in no passage, by reason.", examples=[{"hidden": 20}]
    )
    notes: list[str] = Field(description="What else there is to know.", examples=[["read as Windows-1252"]])
    is_partial: bool = Field(description="More than a fifth was left out: somebody should look.")


class DocumentView(View):
    """A document the bot may answer from."""

    id: str
    source: str = Field(examples=["report-2024.pdf"])
    title: str
    media_type: str = Field(examples=["application/pdf"])
    language: Language
    metadata: dict[str, str | bool | int | float | list[str]]
    chunks: int = Field(description="How many passages it has; 0 until it is ingested.")
    reading: ReadingView = Field(description="How much of the file was kept.")
    state: DocumentState = Field(
        description="Of what was accepted last. waiting: not found yet, though what was there before is; words: found "
        "by its words; complete: by its meaning too."
    )
    page_images: bool = Field(
        default=False, description="You may see its pages as images, at `/v1/documents/{id}/pages/{page}`."
    )
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, document: Document, caller: Caller) -> DocumentView:
        """As this caller sees it: pages are drawn of PDFs, for those who may have the original too."""
        view = cls.model_validate(document)
        view.page_images = document.media_type == PDF and "ingest" in caller.scopes
        return view


class DocumentPage(View):
    documents: list[DocumentView] = Field(description="In the order of their ids.")
    next: str | None = Field(description="Pass it as `after` to get the next page; null on the last.")


class CatalogueView(BaseModel):
    documents: list[DocumentView] = Field(description="The latest first.")
    count: int = Field(description="How many there are in all.")
    facets: dict[str, dict[str, int]] = Field(
        description="For each facet its values among them, and how many have each.",
        examples=[{"year": {"2024": 12, "2023": 7}}],
    )
    next: str | None = Field(description="Pass it as `after` to get the next page; null on the last.")


class DocumentPassage(View):
    """A passage in its place."""

    chunk_id: str
    position: int = Field(description="0 is the document's first.")
    page: int | None
    heading: str
    text: str

    @classmethod
    def of(cls, chunk: Chunk) -> DocumentPassage:
        return cls(chunk_id=chunk.id, position=chunk.position, page=chunk.page, heading=chunk.heading, text=chunk.text)


class DocumentText(View):
    """A document, and a stretch of what was read of it."""

    document: DocumentView
    passages: list[DocumentPassage] = Field(description="In reading order.")
    next: int | None = Field(description="Pass it as `start` to read on; null at the end.")


class JobView(View):
    """One unit of work and what became of it."""

    id: str
    kind: JobKind = Field(description="ingest: a file; fetch: what a URL holds.")
    document_id: str | None
    state: JobState = Field(
        description="pending: accepted; queued; running; succeeded; failed: the input is at fault, see `error`; "
        "dead: out of attempts, waits for an operator."
    )
    attempts: int
    progress: float = Field(description="0 to 1.")
    error: str | None = Field(description="One sentence, when something went wrong.")
    note: str | None = Field(
        description="What was left out of a document, and how it was read.",
        examples=["32 of 410 words left out: 20 hidden, 12 repeated lines"],
    )
    waiting_since: datetime | None = Field(description="While it waits for something that is down: since when.")
    created_at: datetime | None
    updated_at: datetime | None


class JobList(BaseModel):
    jobs: list[JobView]


class UrlBody(Body):
    """A document that a worker is to fetch."""

    url: str = Field(min_length=1, max_length=2000, examples=["https://example.org/report-2024.pdf"])
    metadata: MetadataBody = Field(default={}, description="To filter on later.", examples=[{"year": 2024}])


class Upload(View):
    """What became of a file or a URL."""

    state: Literal["accepted", "unchanged", "duplicate"] = Field(
        description="unchanged: this very content can be found already; duplicate: under another name, `document`."
    )
    document: DocumentView
    job: JobView | None = Field(description="Follow it at the URL in `Location`; null unless accepted.")
