"""The bodies that operators see: what readers think, what found no answer, the keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from chatbot.domain import ApiKey, Language, Rating, Scope
from chatbot.web.api.schemas.base import Body, View, printable


class ReviewView(View):
    """What a reader thinks of an answer."""

    question: str
    answer: str
    rating: Rating
    comment: str
    model: str
    created_at: datetime


class ReviewList(BaseModel):
    feedback: list[ReviewView]


class UnansweredView(View):
    """What was asked and found no answer."""

    question: str
    language: Language
    times: int
    day: datetime = Field(description="When it was last asked.")


class UnansweredList(BaseModel):
    questions: list[UnansweredView]


class KeyBody(Body):
    """Whom a key is for, and what it may do."""

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(printable)
    ]
    scopes: list[Scope] = Field(default=["ask"], min_length=1)


class KeyView(View):
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
