"""The bodies of conversations and of what else is kept of a caller."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, computed_field

from chatbot.domain import Conversation, Language, Message, Rating, Scope
from chatbot.web.ai_disclosure import Marked
from chatbot.web.api import addresses
from chatbot.web.api.schemas.answers import CitationView, UsageView
from chatbot.web.api.schemas.base import Body, ConversationId, View, printable


class ConversationView(View):
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


class Title(Body):
    """What you call a conversation."""

    title: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(printable)
    ]


class ShareView(BaseModel):
    """The link for others."""

    share_url: str = Field(examples=["/#shared=bQ0…"])


class ConversationPage(View):
    conversations: list[ConversationView] = Field(description="The latest first.")
    next: str | None = Field(description="Pass it as `after` to get the next page; null on the last.")


class FeedbackView(View):
    rating: Rating
    comment: str


class SharedMessage(View, Marked):
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


class SharedConversation(View):
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


class FeedbackRequest(Body):
    """What you think of an answer."""

    message_id: ConversationId
    rating: Rating
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(printable)] = ""


class MeView(BaseModel):
    """Who sends the request, as far as it matters."""

    scopes: list[Scope]


class ConsentBody(Body):
    """What you agree to."""

    analytics: bool


class ConsentView(View):
    analytics: bool = Field(description="Whether your questions may be counted, without who you are.")
    updated_at: datetime | None = Field(description="When you said so; null: never.")


class PersonalData(View):
    """All that is kept of you."""

    caller_id: str = Field(description="What your conversations belong to.")
    consent: ConsentView
    conversations: list[WholeConversation]
