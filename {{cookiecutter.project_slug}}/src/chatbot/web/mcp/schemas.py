"""What the tools at /mcp take and give. As with HTTP, what is accepted is closed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from chatbot.domain import Answer, Chunk, Document, Language, Passage
from chatbot.text import sanitize as safe
from chatbot.web.ai_disclosure import Marked
from chatbot.web.api.schemas.answers import CitationView, PassageView, SearchResult
from chatbot.web.api.schemas.base import ConversationId, FiltersBody, QuestionText
from chatbot.web.api.schemas.documents import DocumentView

MAX_PASSAGES = 20


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchArguments(_Arguments):
    query: QuestionText = Field(description="Words or a question.", examples=["effect of a carbon tax on households"])
    limit: int = Field(default=5, ge=1, le=MAX_PASSAGES, description="At most so many passages.")
    filters: FiltersBody = {}


class AskArguments(_Arguments):
    question: QuestionText = Field(
        description="One question that can be understood by itself.", examples=["Who pays a carbon tax?"]
    )
    language: Language | None = Field(default=None, description="The answer's language; if not given, the question's.")
    filters: FiltersBody = {}


class GetDocumentArguments(_Arguments):
    id: ConversationId = Field(description="`document_id` of a passage or a citation.")
    start: int = Field(default=0, ge=0, le=10_000_000, description="Where to read on: `next` of the part before.")


class AskResult(Marked):
    answer: str = Field(description="Refers to its citations as `[number]`.")
    citations: list[CitationView]
    grounded: bool = Field(description="False when the documents hold no answer; the text then says so.")
    language: Language

    @classmethod
    def of(cls, answer: Answer) -> AskResult:
        citations = [CitationView.model_validate(each) for each in answer.citations]
        return cls(answer=answer.text, citations=citations, grounded=answer.grounded, language=answer.language)


class DocumentPassage(BaseModel):
    chunk_id: str
    page: int | None = Field(description="1-based; null where the format has no pages.")
    heading: str = Field(description="The headings above, outermost first.")
    text: str


class DocumentResult(BaseModel):
    document: DocumentView
    passages: list[DocumentPassage] = Field(description="In reading order.")
    next: int | None = Field(description="Pass it as `start` to read on; null at the end.")

    @classmethod
    def of(cls, document: Document, chunks: Sequence[Chunk], next: int | None) -> DocumentResult:
        view = DocumentView.model_validate(document)
        passages = [
            DocumentPassage(
                chunk_id=each.id, page=each.page, heading=safe.visible(each.heading), text=safe.visible(each.text)
            )
            for each in chunks
        ]
        named = view.model_copy(update={"title": safe.visible(view.title)})
        return cls(document=named, passages=passages, next=next)


def search_result(passages: Sequence[Passage]) -> SearchResult:
    """Without the characters that nobody sees: a model reads it."""
    views = [PassageView.of(each) for each in passages]
    seen = [{name: safe.visible(getattr(view, name)) for name in ("title", "heading", "text")} for view in views]
    return SearchResult(passages=[view.model_copy(update=each) for view, each in zip(views, seen, strict=True)])
