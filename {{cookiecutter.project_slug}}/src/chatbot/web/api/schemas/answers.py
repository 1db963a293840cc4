"""The bodies of questions, answers and searches."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, computed_field

from chatbot.domain import Answer, Language, Passage
from chatbot.web.ai_disclosure import Marked
from chatbot.web.api import addresses
from chatbot.web.api.schemas.base import Body, ConversationId, FiltersBody, QuestionText, View


class ChatRequest(Body):
    """A question to the bot."""

    question: QuestionText = Field(examples=["How does a carbon tax affect households?"])
    language: Language | None = Field(default=None, description="The answer's language; if not given, the question's.")
    filters: FiltersBody = Field(default={})
    model: Literal["extractive"] | None = Field(
        default=None, description="`extractive`: answer with quotes from the documents, without the language model."
    )
    stream: bool = Field(default=False, description="Answer as server-sent events, as the words come.")
    conversation_id: ConversationId | None = Field(
        default=None, description="Go on with this conversation of yours; if not given, a new one begins."
    )
    replaces: ConversationId | None = Field(
        default=None, description="An answer of that conversation: this one takes its place, and of all after it."
    )
    store: bool = Field(default=True, description="False: neither the question nor the answer is kept.")


class CitationView(View):
    """One numbered reference of an answer, to a passage that was retrieved for it."""

    number: int = Field(description="The answer's text refers to it as `[number]`.", examples=[1])
    chunk_id: str
    document_id: str
    title: str = Field(examples=["Carbon pricing and inequality"])
    source: str = Field(description="Where the document comes from: a file's name or a URL.")
    page: int | None = Field(description="1-based; null where the format has no pages.", examples=[12])
    heading: str = Field(description="The headings above the passage, outermost first.", examples=["Results"])
    quote: str = Field(description="The words of the passage that carry the answer, verbatim.")

    @computed_field(description="Where the chat page shows the passage, marked, in its document.")  # type: ignore[prop-decorator]
    @property
    def passage_url(self) -> str:
        return addresses.passage(self.document_id, self.chunk_id)

    @computed_field(description="The document on the web, at the page or the quoted words; null for a file.")  # type: ignore[prop-decorator]
    @property
    def original_url(self) -> str | None:
        return addresses.original(self.source, self.page, self.quote)


class UsageView(View):
    """Tokens spent, and what they cost."""

    prompt_tokens: int
    completion_tokens: int
    cost: float = Field(description="In the currency of the prices that the operator set; 0 where none are set.")
    estimated: bool = Field(description="True when the model reported no tokens: a quarter of the characters.")


class ChatAnswer(View, Marked):
    """An answer, with the passages it rests on."""

    answer: str = Field(examples=["Without redistribution it weighs more on poorer households [1]."])
    citations: list[CitationView]
    grounded: bool = Field(description="False when the corpus holds no evidence; the answer then says so.")
    language: Language
    model: str
    usage: UsageView
    conversation_id: str | None = Field(description="Send it with the next question; null when nothing is kept.")
    message_id: str | None = Field(description="What feedback refers to; null when nothing is kept.")

    @classmethod
    def of(cls, answer: Answer, conversation_id: str | None, message_id: str | None) -> ChatAnswer:
        return cls(
            conversation_id=conversation_id,
            message_id=message_id,
            answer=answer.text,
            citations=[CitationView.model_validate(each) for each in answer.citations],
            grounded=answer.grounded,
            language=answer.language,
            model=answer.model,
            usage=UsageView.model_validate(answer.usage),
        )


class Piece(View):
    """Some of the answer's text, while it is streamed."""

    text: str


class SearchRequest(Body):
    """What to look for."""

    query: QuestionText = Field(examples=["effet de la taxe carbone sur les ménages"])
    limit: int = Field(default=10, ge=1, le=50, description="At most so many passages.")
    filters: FiltersBody = Field(default={})


class PassageView(View):
    """A stretch of a document, as it was found."""

    chunk_id: str
    document_id: str
    title: str
    source: str
    page: int | None
    heading: str
    text: str
    score: float = Field(description="Higher is better; comparable within one search only.")

    @classmethod
    def of(cls, passage: Passage) -> PassageView:
        chunk = passage.chunk
        return cls(
            chunk_id=chunk.id,
            document_id=chunk.document_id,
            title=passage.title,
            source=passage.source,
            page=chunk.page,
            heading=chunk.heading,
            text=chunk.text,
            score=passage.score,
        )


class SearchResult(View):
    passages: list[PassageView] = Field(description="Best first.")


class Sources(SearchResult, Marked):
    """The beginning of a streamed answer. The ids hold once it is complete: of one that fails nothing is kept."""

    conversation_id: str | None
    message_id: str | None


class Suggestions(BaseModel):
    """What could be asked first."""

    questions: list[str] = Field(examples=[["Who wrote “Carbon pricing”?"]])
    documents: int = Field(description="How many there are to answer from.")
