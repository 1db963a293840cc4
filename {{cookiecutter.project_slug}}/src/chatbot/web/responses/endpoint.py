"""The bot behind Open Responses, the successor of the chat completions that several providers share: /v1/responses.

    client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="anonymous")
    client.responses.create(model="chatbot", input="Who pays?")

A response is an answer of a conversation: `previous_response_id` goes on with it, unless `store` was false.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from chatbot.answering.answer import Done, Event, Sources, Token
from chatbot.bootstrap import Services
from chatbot.domain import EXTRACTIVE, Answer, NotFound, Usage
from chatbot.web import problems
from chatbot.web.ai_disclosure import mark
from chatbot.web.api.openapi import event_stream
from chatbot.web.auth.budget import BudgetParam
from chatbot.web.auth.network import origin
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, ServicesParam
from chatbot.web.openai import errors as openai_errors
from chatbot.web.openai import housekeeping
from chatbot.web.openai.endpoints import BOT, said, sources, url_citations
from chatbot.web.ops import request_metrics as metrics
from chatbot.web.responses.schemas import (
    CitedUrl,
    CreateResponse,
    OutputMessage,
    OutputText,
    ResponseError,
    ResponseResource,
    ResponseUsage,
)
from chatbot.web.streaming.disconnect import while_connected
from chatbot.web.streaming.events import EventStream, last, opening

PREFIX = "resp_"
UNKNOWN = "There is no stored response of this previous_response_id that is yours."

STREAM_EXAMPLE = """\
event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_2c1f…","status":"in_progress"}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_2c1f…","delta":"It weighs "}

event: response.completed
data: {"type":"response.completed","sequence_number":12,"response":{"id":"resp_2c1f…","status":"completed"}}

data: [DONE]
"""

router = APIRouter(
    prefix="/v1", tags=["OpenAI"], dependencies=[allowed("ask")], responses=problems.responses(400, 413, 422, 503)
)


@router.post(
    "/responses",
    summary="Ask a question as clients of Open Responses do",
    response_model=ResponseResource,
    responses=problems.responses(404) | {200: event_stream(STREAM_EXAMPLE)},
)
async def create_response(
    body: CreateResponse, request: Request, services: ServicesParam, caller: CallerParam, budget: BudgetParam
) -> Any:
    """Answers the last message of the role `user` from the documents, understood from what was said before it.

    The text ends with a list of its sources; `annotations` say where it refers to them. With `stream`, as events from
    `response.created` to `response.completed`, then `[DONE]`. If something fails on the way, `error` and
    `response.failed` come in their place; what fails before the first word has its HTTP status.
    """
    message_id = None
    if (reply := housekeeping.reply(body.question, body.turns)) is not None:
        events: AsyncGenerator[Event, None] = said(reply)
    else:
        exchange = await services.chat.begin(
            caller.id,
            body.question,
            extractive=body.model == EXTRACTIVE,
            conversation_id=await _conversation(services, caller.id, body.previous_response_id),
            store=body.store is not False,
            turns=body.turns,
        )
        message_id = exchange.message_id
        events = budget.counted(metrics.measured(exchange.events))
    response = _Response(body, message_id, origin(request, services.settings.trusted_proxies))
    if body.stream:
        begun = await while_connected(request, opening(events))
        mark(request)
        return EventStream(begun, events, response.encode, response.failure)
    answer = (await while_connected(request, last(events))).answer
    mark(request)
    return response.resource("completed", answer)


async def _conversation(services: Services, caller_id: str, response_id: str | None) -> str | None:
    """Whose answer that response is. NotFound when it is not theirs, or was not kept."""
    if response_id is None:
        return None
    found = await services.conversations.find(response_id.removeprefix(PREFIX), caller_id)
    if found is None:
        raise NotFound(UNKNOWN)
    return found[0]


class _Response:
    """One answer in the words of Open Responses, at once or as events."""

    def __init__(self, body: CreateResponse, message_id: str | None, bot: str) -> None:
        self._body, self._bot = body, bot
        id = message_id or uuid.uuid4().hex
        self._id, self._item_id = PREFIX + id, f"msg_{id}"
        self._stored = message_id is not None
        self._created = int(time.time())
        self._sequence = 0

    def resource(
        self,
        status: Literal["in_progress", "completed", "failed"],
        answer: Answer | None = None,
        error: ResponseError | None = None,
    ) -> ResponseResource:
        return ResponseResource(
            id=self._id,
            created_at=self._created,
            completed_at=int(time.time()) if answer else None,
            status=status,
            model=EXTRACTIVE if self._body.model == EXTRACTIVE else BOT,
            previous_response_id=self._body.previous_response_id,
            output=[self._message(answer)] if answer else [],
            usage=_usage(answer.usage) if answer else None,
            error=error,
            store=self._stored,
            metadata=self._body.metadata or {},
        )

    def encode(self, event: Event) -> bytes:
        """The events of the stream that one of an answer is; none for some."""
        match event:
            case Sources():
                return self._begin()
            case Token(text=text):
                return self._part_event("output_text.delta", delta=text, logprobs=[])
            case Done(answer=answer):
                return self._end(answer)
            case _:
                return b""

    def failure(self, problem: Mapping[str, Any]) -> bytes:
        error = openai_errors.of(problem, openai_errors.RESPONSES)[1]["error"]
        failed = ResponseError(code=error["code"] or error["type"], message=error["message"])
        end = self._event("response.failed", response=self.resource("failed", error=failed))
        return self._event("error", error=error) + end + DONE

    def _begin(self) -> bytes:
        begun = self.resource("in_progress")
        item = OutputMessage(id=self._item_id, status="in_progress", content=[])
        return (
            self._event("response.created", response=begun)
            + self._event("response.in_progress", response=begun)
            + self._event("response.output_item.added", output_index=0, item=item)
            + self._part_event("content_part.added", part=OutputText(text="", annotations=[]))
        )

    def _end(self, answer: Answer) -> bytes:
        message = self._message(answer)
        [part] = message.content
        listed = self._part_event("output_text.delta", delta=sources(answer), logprobs=[]) if answer.citations else b""
        cited = (
            self._part_event("output_text.annotation.added", annotation_index=index, annotation=each)
            for index, each in enumerate(part.annotations)
        )
        return (
            listed
            + b"".join(cited)
            + self._part_event("output_text.done", text=part.text, logprobs=[])
            + self._part_event("content_part.done", part=part)
            + self._event("response.output_item.done", output_index=0, item=message)
            + self._event("response.completed", response=self.resource("completed", answer))
            + DONE
        )

    def _message(self, answer: Answer) -> OutputMessage:
        annotations = [CitedUrl(**each.url_citation.model_dump()) for each in url_citations(answer, self._bot)]
        text = OutputText(text=answer.text + sources(answer), annotations=annotations)
        return OutputMessage(id=self._item_id, status="completed", content=[text])

    def _part_event(self, name: str, **members: Any) -> bytes:
        """About the text, the only part of the only item."""
        return self._event(f"response.{name}", item_id=self._item_id, output_index=0, content_index=0, **members)

    def _event(self, type: str, **members: Any) -> bytes:
        data = {"type": type, "sequence_number": self._sequence, **members}
        self._sequence += 1
        return format_sse_event(event=type, data_str=json.dumps(data, default=_plain))


DONE = format_sse_event(data_str="[DONE]")


def _plain(body: BaseModel) -> dict[str, Any]:
    return body.model_dump()


def _usage(usage: Usage) -> ResponseUsage:
    read, written = usage.prompt_tokens, usage.completion_tokens
    return ResponseUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
