"""The body of an error."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
