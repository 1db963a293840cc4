"""The public API's bodies. What is accepted is closed: an unknown field is an error, not silently ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, computed_field

from chatbot.domain import (
    Answer,
    ApiKey,
    Caller,
    Chunk,
    Conversation,
    Document,
    DocumentState,
    JobKind,
    JobState,
    Language,
    Message,
    Passage,
    Rating,
    Scope,
)
from chatbot.ingestion.parsing.parse import PDF
from chatbot.web.ai_disclosure import Marked
from chatbot.web.api import addresses


def _printable(text: str) -> str:
    """PostgreSQL keeps no NUL character."""
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


MAX_QUESTION = 4000
"""Characters."""
QuestionText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION), AfterValidator(_printable)
]
ConversationId = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{1,64}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_printable)]
Value = Word | bool | int | FiniteFloat
MetadataBody = Annotated[dict[Word, Value | list[Word]], Field(max_length=50)]
FiltersBody = Annotated[
    dict[Word, Annotated[list[Value], Field(min_length=1, max_length=100)]],
    Field(
        max_length=20,
        description="Search only documents whose metadata has, for every key, one of the values given.",
        examples=[{"year": [2023, 2024], "language": ["fr"]}],
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ChatRequest(_Body):
    """A question to the bot."""

    question: QuestionText = Field(examples=["How does a carbon tax affect households?"])
    language: Language | None = Field(default=None, description="The answer's language; if not given, the question's.")
    filters: FiltersBody = {}
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


class CitationView(_View):
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


class UsageView(_View):
    """Tokens spent, and what they cost."""

    prompt_tokens: int
    completion_tokens: int
    cost: float = Field(description="In the currency of the prices that the operator set; 0 where none are set.")
    estimated: bool = Field(description="True when the model reported no tokens: a quarter of the characters.")


class ChatAnswer(_View, Marked):
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


class Piece(_View):
    """Some of the answer's text, while it is streamed."""

    text: str


class SearchRequest(_Body):
    """What to look for."""

    query: QuestionText = Field(examples=["effet de la taxe carbone sur les ménages"])
    limit: int = Field(default=10, ge=1, le=50, description="At most so many passages.")
    filters: FiltersBody = {}


class PassageView(_View):
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


class SearchResult(_View):
    passages: list[PassageView] = Field(description="Best first.")


class Sources(SearchResult, Marked):
    """The beginning of a streamed answer. The ids hold once it is complete: of one that fails nothing is kept."""

    conversation_id: str | None
    message_id: str | None


class Suggestions(BaseModel):
    """What could be asked first."""

    questions: list[str] = Field(examples=[["Who wrote “Carbon pricing”?"]])
    documents: int = Field(description="How many there are to answer from.")


class ConversationView(_View):
    """What was asked and answered; only its owner sees it, and who has the link that its owner made."""

    id: str
    title: str = Field(
        description="The first question, shortened, or what you called it.", examples=["How does a carbon tax affect…"]
    )
    created_at: datetime
    updated_at: datetime = Field(description="When its last answer was complete.")
    share: str | None = Field(exclude=True)

    @computed_field(description="Where others read it on the chat page; null while you share it with nobody.")  # type: ignore[prop-decorator]
    @property
    def share_url(self) -> str | None:
        return addresses.shared(self.share) if self.share else None


class Title(_Body):
    """What you call a conversation."""

    title: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
    ]


class ShareView(BaseModel):
    """The link for others."""

    share_url: str = Field(examples=["/#shared=bQ0…"])


class ConversationPage(_View):
    conversations: list[ConversationView] = Field(description="The latest first.")
    next: str | None = Field(description="Pass it as `after` to get the next page; null on the last.")


class FeedbackView(_View):
    rating: Rating
    comment: str


class SharedMessage(_View, Marked):
    """A question and its answer, as others see it."""

    question: str
    answer: str
    citations: list[CitationView]
    grounded: bool
    language: Language
    model: str
    created_at: datetime | None

    @classmethod
    def shared(cls, message: Message) -> SharedMessage:
        answer = message.answer
        return SharedMessage(
            question=message.question,
            answer=answer.text,
            citations=[CitationView.model_validate(each) for each in answer.citations],
            grounded=answer.grounded,
            language=answer.language,
            model=answer.model,
            created_at=message.created_at,
        )


class SharedConversation(_View):
    """What its owner lets others read; not who they are, nor what they think of the answers."""

    title: str
    messages: list[SharedMessage] = Field(description="In order.")


class MessageView(SharedMessage):
    """A question and its answer, with the citations as they were given."""

    id: str
    usage: UsageView
    feedback: FeedbackView | None

    @classmethod
    def of(cls, message: Message) -> MessageView:
        answer = message.answer
        return cls(
            id=message.id,
            question=message.question,
            answer=answer.text,
            citations=[CitationView.model_validate(each) for each in answer.citations],
            grounded=answer.grounded,
            language=answer.language,
            model=answer.model,
            usage=UsageView.model_validate(answer.usage),
            created_at=message.created_at,
            feedback=FeedbackView.model_validate(message.feedback) if message.feedback else None,
        )


class WholeConversation(ConversationView):
    messages: list[MessageView] = Field(description="In order.")

    @classmethod
    def of(cls, conversation: Conversation) -> WholeConversation:
        return cls(
            id=conversation.id,
            title=conversation.title,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
            share=conversation.share,
            messages=[MessageView.of(each) for each in conversation.messages],
        )


class FeedbackRequest(_Body):
    """What you think of an answer."""

    message_id: ConversationId
    rating: Rating
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_printable)] = ""


class MeView(BaseModel):
    """Who sends the request, as far as it matters."""

    scopes: list[Scope]


class ConsentBody(_Body):
    """What you agree to."""

    analytics: bool


class ConsentView(_View):
    analytics: bool = Field(description="Whether your questions may be counted, without who you are.")
    updated_at: datetime | None = Field(description="When you said so; null: never.")


class PersonalData(_View):
    """All that is kept of you."""

    caller_id: str = Field(description="What your conversations belong to.")
    consent: ConsentView
    conversations: list[WholeConversation]


class ReadingView(_View):
    """How much of a file's words are in its passages."""

    seen: int = Field(description="Words in the file.")
    left_out: dict[str, int] = Field(
        description="How many of them are in no passage, by reason.", examples=[{"hidden": 20}]
    )
    notes: list[str] = Field(description="What else there is to know.", examples=[["read as Windows-1252"]])
    is_partial: bool = Field(description="More than a fifth was left out: somebody should look.")


class DocumentView(_View):
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


class DocumentPage(_View):
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


class DocumentPassage(_View):
    """A passage in its place."""

    chunk_id: str
    position: int = Field(description="0 is the document's first.")
    page: int | None
    heading: str
    text: str

    @classmethod
    def of(cls, chunk: Chunk) -> DocumentPassage:
        return cls(chunk_id=chunk.id, position=chunk.position, page=chunk.page, heading=chunk.heading, text=chunk.text)


class DocumentText(_View):
    """A document, and a stretch of what was read of it."""

    document: DocumentView
    passages: list[DocumentPassage] = Field(description="In reading order.")
    next: int | None = Field(description="Pass it as `start` to read on; null at the end.")


class JobView(_View):
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


class ReviewView(_View):
    """What a reader thinks of an answer."""

    question: str
    answer: str
    rating: Rating
    comment: str
    model: str
    created_at: datetime


class ReviewList(BaseModel):
    feedback: list[ReviewView]


class UnansweredView(_View):
    """What was asked and found no answer."""

    question: str
    language: Language
    times: int
    day: datetime = Field(description="When it was last asked.")


class UnansweredList(BaseModel):
    questions: list[UnansweredView]


class KeyBody(_Body):
    """Whom a key is for, and what it may do."""

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(_printable)
    ]
    scopes: list[Scope] = Field(default=["ask"], min_length=1)


class KeyView(_View):
    """What is known of a key besides the key itself."""

    id: str
    name: str
    prefix: str = Field(description="How it begins.")
    scopes: list[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyView:
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
        )


class KeyList(BaseModel):
    keys: list[KeyView]


class NewKey(BaseModel):
    key: KeyView
    secret: str = Field(description="The key itself, shown this once.")


class UrlBody(_Body):
    """A document that a worker is to fetch."""

    url: str = Field(min_length=1, max_length=2000, examples=["https://example.org/report-2024.pdf"])
    metadata: MetadataBody = Field(default={}, description="To filter on later.", examples=[{"year": 2024}])


class Upload(_View):
    """What became of a file or a URL."""

    state: Literal["accepted", "unchanged", "duplicate"] = Field(
        description="unchanged: this very content can be found already; duplicate: under another name, `document`."
    )
    document: DocumentView
    job: JobView | None = Field(description="Follow it at the URL in `Location`; null unless accepted.")


class FieldError(BaseModel):
    pointer: str | None = Field(default=None, description="JSON pointer into the body.", examples=["#/question"])
    parameter: str | None = Field(default=None, description="A path, query or header parameter.")
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str = Field(examples=["Service Unavailable"])
    status: int = Field(examples=[503])
    detail: str | None = Field(default=None, examples=["PostgreSQL does not answer: check DATABASE_URL."])
    request_id: str | None = Field(default=None, description="To be found in the server's log.")
    fallback: Literal["extractive"] | None = Field(
        default=None, description="Ask again with this as `model`: it works although the language model is down."
    )
    errors: list[FieldError] | None = Field(default=None, description="What is wrong with the request, field by field.")
