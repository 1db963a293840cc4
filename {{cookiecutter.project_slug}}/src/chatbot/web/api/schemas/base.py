"""What the bodies are made of. What is accepted is closed: an unknown field is an error, not silently ignored."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints


def printable(text: str) -> str:
    """PostgreSQL keeps no NUL character."""
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


MAX_QUESTION = 4000
"""Characters."""
QuestionText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION), AfterValidator(printable)
]
ConversationId = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{1,64}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(printable)]
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


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)
