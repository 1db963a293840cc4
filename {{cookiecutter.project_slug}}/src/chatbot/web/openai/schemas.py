"""The bodies of the OpenAI endpoint: of its many fields those that mean something here. Others are ignored."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema, field_validator

from chatbot.domain import Turn
from chatbot.web.ai_disclosure import Marked
from chatbot.web.api.schemas import MAX_QUESTION
from chatbot.web.openai import housekeeping

TEXTUAL = {"text", "refusal"}
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


class StreamOptions(BaseModel):
    include_usage: bool | None = Field(default=None, description="Tell the tokens in a chunk of their own at the end.")


class ChatCompletionRequest(BaseModel):
    """A question to the bot, as OpenAI's clients send it. Sampling parameters are taken and ignored."""

    model: str = Field(
        default="chatbot",
        max_length=200,
        description="`extractive`: answer with quotes, without the language model. Any other name: the bot.",
        examples=["chatbot"],
    )
    messages: list[ChatMessage] = Field(
        min_length=1,
        description="The last one of the role `user` is the question, those before it are the conversation. "
        "Messages of the roles `system` and `developer` are ignored: they instruct nobody here.",
        examples=[[{"role": "user", "content": "How does a carbon tax affect households?"}]],
    )
    stream: bool | None = Field(default=None, description="Answer as server-sent events, as the words come.")
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = Field(default=None, description="One answer is given.")
    tools: NoTools | None = Field(default=None, description="This bot calls none.")
    functions: NoTools | None = Field(default=None, description="This bot calls none.")
    response_format: TextFormat | None = Field(default=None, description="Text is all there is.")

    @field_validator("messages")
    @classmethod
    def _readable(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        parts = (part for message in messages if isinstance(message.content, list) for part in message.content)
        if any(part.type not in TEXTUAL for part in parts):
            raise ValueError("Only text can be read here: no images, audio or files.")
        if any("\0" in message.text for message in messages):
            raise ValueError("must not contain a NUL character")
        question = messages[_last_question(messages)].text.strip()
        if not question:
            raise ValueError("The last message of the role user is the question, and it is empty.")
        if len(question) > MAX_QUESTION and housekeeping.reply(question, []) is None:
            raise ValueError(f"A question may have {MAX_QUESTION} characters at most.")
        return messages

    @property
    def question(self) -> str:
        return self.messages[_last_question(self.messages)].text.strip()

    @property
    def turns(self) -> list[Turn]:
        """What was said before the question."""
        turns: list[Turn] = []
        for message in self.messages[: _last_question(self.messages)]:
            text = message.text[:MAX_QUESTION]
            if message.role == "user" and text.strip():
                turns.append(Turn(text, ""))
            elif message.role == "assistant" and turns:
                turns[-1] = replace(turns[-1], answer=(turns[-1].answer + text)[:MAX_QUESTION])
        return turns


def _last_question(messages: list[ChatMessage]) -> int:
    for position in reversed(range(len(messages))):
        if messages[position].role == "user":
            return position
    raise ValueError("There is no message of the role user.")


class UrlCitation(BaseModel):
    """A source, where the text refers to it."""

    url: str = Field(description="The document on the web, at the page or words; else where the bot shows the passage.")
    title: str = Field(examples=["Carbon pricing and inequality"])
    start_index: int = Field(description="Where the marker, such as `[1]`, begins in the text.")
    end_index: int = Field(description="The position after its last character.")


class Annotation(BaseModel):
    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str = Field(description="The answer, with a list of its sources at the end.")
    refusal: None = None
    annotations: list[Annotation] = Field(description="One for each marker in the text.")


class AnswerChoice(BaseModel):
    index: Literal[0] = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class TokenUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Marked):
    """An answer."""

    id: str = Field(examples=["chatcmpl-2c1f…"])
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = Field(examples=["chatbot"])
    choices: list[AnswerChoice]
    usage: TokenUsage


class Model(BaseModel):
    """Who can be asked."""

    id: str = Field(examples=["chatbot"])
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


class ErrorDetails(BaseModel):
    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="What is wrong with the request.", examples=["messages"])
    code: str | None


class OpenAIError(BaseModel):
    """An error, as OpenAI has it."""

    error: ErrorDetails
