"""The bodies of Open Responses, version 2026-04-24: of its fields those that mean something here, and the fixed rest.

https://www.openresponses.org/reference lists them; what a response must have and this bot has not, it says so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from chatbot.domain import Turn
from chatbot.web.ai_disclosure import Marked
from chatbot.web.openai.messages import ChatMessage, NoTools, TextFormat, question_of, readable, turns_of
from chatbot.web.openai.schemas import UrlCitation

MESSAGE = "message"
RESPONSE_ID = "^resp_[0-9a-f]{32}$"
MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]


class InputItem(ChatMessage):
    """What was said. Nothing else than messages can be read here."""

    type: Literal["message"] = "message"


def _as_items(given: Any) -> Any:
    """Items, of the question alone if that is all there is. Others than messages have no role, which would be told."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    items = (each for each in given if isinstance(each, dict)) if isinstance(given, list) else ()
    if any(each.get("type", MESSAGE) != MESSAGE for each in items):
        raise ValueError("Only messages can be read here: no results of tools, files or references.")
    return given


class TextOptions(BaseModel):
    format: TextFormat | None = Field(default=None, description="Text is all there is.")


class CreateResponse(BaseModel):
    """A question to the bot, as clients of Open Responses send it. Sampling parameters are taken and ignored."""

    model: str = Field(
        max_length=200,
        description="`extractive`: answer with quotes, without the language model. Any other name: the bot.",
        examples=["chatbot"],
    )
    input: Annotated[
        list[InputItem],
        BeforeValidator(_as_items, json_schema_input_type=Annotated[str, Field(min_length=1)] | list[InputItem]),
        AfterValidator(readable),
    ] = Field(
        description="The question; or messages, of which the last one of the role `user` is it. `system` and "
        "`developer` are ignored, as `instructions` are: they instruct nobody here.",
        examples=["How does a carbon tax affect households?"],
    )
    previous_response_id: Annotated[str, StringConstraints(pattern=RESPONSE_ID)] | None = Field(
        default=None, description="Go on with the conversation of that response of yours, if it was stored."
    )
    store: bool | None = Field(default=None, description="False: neither the question nor the answer is kept.")
    stream: bool | None = Field(default=None, description="Answer as server-sent events, as the words come.")
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)] | None = Field(
        default=None, description="Comes back with the response, and is not kept."
    )
    text: TextOptions | None = None
    tools: NoTools | None = Field(default=None, description="This bot calls none.")
    background: Literal[False] | None = Field(default=None, description="Answers are given while you wait.")

    @property
    def question(self) -> str:
        return question_of(self.input)

    @property
    def turns(self) -> list[Turn]:
        """What was said before the question."""
        return turns_of(self.input)


class CitedUrl(UrlCitation):
    type: Literal["url_citation"] = "url_citation"


class OutputText(BaseModel):
    type: Literal["output_text"] = "output_text"
    text: str = Field(description="The answer, with a list of its sources at the end.")
    annotations: list[CitedUrl] = Field(description="One for each marker in the text.")
    logprobs: tuple[()] = ()


class OutputMessage(BaseModel):
    type: Literal["message"] = "message"
    id: str = Field(examples=["msg_2c1f…"])
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class InputTokens(BaseModel):
    cached_tokens: Literal[0] = 0


class OutputTokens(BaseModel):
    reasoning_tokens: Literal[0] = 0


class ResponseUsage(BaseModel):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputTokens = InputTokens()
    output_tokens_details: OutputTokens = OutputTokens()


class ResponseError(BaseModel):
    code: str
    message: str


class PlainText(BaseModel):
    type: Literal["text"] = "text"


class ResponseText(BaseModel):
    format: PlainText = PlainText()


class ResponseResource(Marked):
    """An answer, or one on its way."""

    id: str = Field(examples=["resp_2c1f…"])
    object: Literal["response"] = "response"
    created_at: int = Field(description="Seconds since 1970.")
    completed_at: int | None
    status: Literal["in_progress", "completed", "failed"]
    model: str = Field(examples=["chatbot"])
    previous_response_id: str | None
    output: list[OutputMessage]
    usage: ResponseUsage | None
    error: ResponseError | None
    store: bool
    metadata: dict[str, str]
    text: ResponseText = ResponseText()
    incomplete_details: None = None
    instructions: None = None
    reasoning: None = None
    tools: tuple[()] = ()
    tool_choice: Literal["none"] = "none"
    parallel_tool_calls: Literal[False] = False
    max_tool_calls: None = None
    max_output_tokens: None = None
    truncation: Literal["auto"] = "auto"
    temperature: Literal[1] = 1
    top_p: Literal[1] = 1
    presence_penalty: Literal[0] = 0
    frequency_penalty: Literal[0] = 0
    top_logprobs: Literal[0] = 0
    background: Literal[False] = False
    service_tier: Literal["default"] = "default"
    safety_identifier: None = None
    prompt_cache_key: None = None
