"""A conversation as clients of OpenAI's APIs send it: which message is the question, and what was said before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from chatbot.domain import Turn
from chatbot.web.api.schemas.base import MAX_QUESTION
from chatbot.web.openai import housekeeping

TEXTUAL = {"text", "input_text", "output_text", "refusal"}
"""Parts of a message that hold words or nothing."""


def _none(items: list[Any]) -> list[Any]:
    if items:
        raise ValueError("This bot calls no tools: leave them out.")
    return items


def _text_format(format: dict[str, Any]) -> dict[str, Any]:
    if format.get("type") != "text":
        raise ValueError("This bot answers in text only.")
    return format


NoTools = Annotated[list[Any], AfterValidator(_none), WithJsonSchema({"type": "array", "maxItems": 0})]
TextFormat = Annotated[
    dict[str, Any],
    AfterValidator(_text_format),
    WithJsonSchema({"type": "object", "properties": {"type": {"const": "text"}}, "required": ["type"]}),
]


class MessagePart(BaseModel):
    type: str = Field(description="`text`: images, audio and files cannot be read.", examples=["text"])
    text: str = ""


class ChatMessage(BaseModel):
    """What was said."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[MessagePart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


Messages = TypeVar("Messages", bound=Sequence[ChatMessage])


def readable(messages: Messages) -> Messages:
    """The same messages. ValueError when there is no question among them, or something that is not text."""
    parts = (part for message in messages if isinstance(message.content, list) for part in message.content)
    if any(part.type not in TEXTUAL for part in parts):
        raise ValueError("Only text can be read here: no images, audio or files.")
    if any("\0" in message.text for message in messages):
        raise ValueError("must not contain a NUL character")
    asked = question_of(messages)
    if not asked:
        raise ValueError("The last message of the role user is the question, and it is empty.")
    if len(asked) > MAX_QUESTION and housekeeping.reply(asked, []) is None:
        raise ValueError(f"A question may have {MAX_QUESTION} characters at most.")
    return messages


def question_of(messages: Sequence[ChatMessage]) -> str:
    """The last message of the role user."""
    return messages[_last_question(messages)].text.strip()


def turns_of(messages: Sequence[ChatMessage]) -> list[Turn]:
    """What was said before the question."""
    found: list[Turn] = []
    for message in messages[: _last_question(messages)]:
        text = message.text[:MAX_QUESTION]
        if message.role == "user" and text.strip():
            found.append(Turn(text, ""))
        elif message.role == "assistant" and found:
            found[-1] = replace(found[-1], answer=(found[-1].answer + text)[:MAX_QUESTION])
    return found


def _last_question(messages: Sequence[ChatMessage]) -> int:
    for position in reversed(range(len(messages))):
        if messages[position].role == "user":
            return position
    raise ValueError("There is no message of the role user.")
