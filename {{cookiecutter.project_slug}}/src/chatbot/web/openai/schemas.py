"""The bodies of the OpenAI endpoint: of its many fields those that mean something here. Others are ignored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from chatbot.domain import Turn
from chatbot.web.ai_disclosure import Marked
from chatbot.web.openai.messages import ChatMessage, NoTools, TextFormat, question_of, readable, turns_of


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
    messages: Annotated[list[ChatMessage], AfterValidator(readable)] = Field(
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

    @property
    def question(self) -> str:
        return question_of(self.messages)

    @property
    def turns(self) -> list[Turn]:
        """What was said before the question."""
        return turns_of(self.messages)


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
