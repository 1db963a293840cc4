"""Questions: an answer with citations, at once as JSON or word by word as server-sent events; and plain search."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from chatbot.answering.answer import Cited, Done, Event, Sources, Spent, Token
from chatbot.bootstrap import Services
from chatbot.domain import EXTRACTIVE
from chatbot.web import problems
from chatbot.web.ai_disclosure import mark
from chatbot.web.api.openapi import event_stream
from chatbot.web.api.schemas import answers
from chatbot.web.api.schemas.answers import (
    ChatAnswer,
    ChatRequest,
    CitationView,
    PassageView,
    Piece,
    SearchRequest,
    SearchResult,
    UsageView,
)
from chatbot.web.api.schemas.problems import Problem
from chatbot.web.auth.budget import BudgetParam
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, ServicesParam
from chatbot.web.ops import request_metrics as metrics
from chatbot.web.streaming import resume
from chatbot.web.streaming.disconnect import while_connected
from chatbot.web.streaming.events import STREAM_HEADERS, Events, EventStream, last, opening
from chatbot.web.streaming.resume import Position

STREAM_EXAMPLE = """\
event: sources
data: {"passages":[{"title":"Carbon pricing","page":12,"text":"…"}],"conversation_id":"2c1f…","message_id":"9b0e…"}
id: 9b0e…-0-0-0

event: token
data: {"text":"It weighs more on poorer households "}
id: 9b0e…-36-0-0

event: token
data: {"text":"[1]."}
id: 9b0e…-40-0-0

event: citation
data: {"number":1,"title":"Carbon pricing","page":12,"quote":"…"}
id: 9b0e…-40-1-0

event: usage
data: {"prompt_tokens":812,"completion_tokens":64,"cost":0.0009,"estimated":false}
id: 9b0e…-40-1-1

event: done
data: {"answer":"It weighs more on poorer households [1].","citations":[{"number":1}],"conversation_id":"2c1f…"}
id: 9b0e…-40-1-1
"""


router = APIRouter(
    prefix="/v1", tags=["answers"], dependencies=[allowed("ask")], responses=problems.responses(400, 413, 422, 503)
)


@router.post(
    "/chat",
    summary="Ask a question",
    response_model=ChatAnswer,
    responses=problems.responses(404) | {200: event_stream(STREAM_EXAMPLE)},
)
async def chat(
    body: ChatRequest,
    request: Request,
    services: ServicesParam,
    caller: CallerParam,
    budget: BudgetParam,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: Annotated[
        str, Header(pattern=resume.ID, description="The last event of a stream that broke: the rest of it is wanted.")
    ] = "",
) -> Any:
    """Answers from the documents, with citations that were checked against the passages retrieved.

    With `stream`, or `Accept: text/event-stream`, as events: **sources** (the passages), **token** (a piece of the
    text) many times, **citation** for each, **usage**, **done** (the whole answer, as without streaming). If something
    fails on the way, the last event is **error**, a problem; what fails before the first word is an ordinary 503.
    When the connection breaks, the same request with the `id` of the last event as `Last-Event-ID` brings the rest.

    Question and answer are kept in a conversation once the answer is complete, unless `store` is false. With its
    `conversation_id` the next question is understood from them.
    """
    streamed = body.stream or "text/event-stream" in accept
    if streamed and last_event_id:
        return await _resumed(request, services, caller.id, Position.of(last_event_id))
    exchange = await services.chat.begin(
        caller.id,
        body.question,
        language=body.language,
        filters=body.filters,
        extractive=body.model == EXTRACTIVE,
        conversation_id=body.conversation_id,
        replaces=body.replaces,
        store=body.store,
    )
    events = budget.counted(metrics.measured(exchange.events))
    if streamed:
        begun = await while_connected(request, opening(events))
        mark(request)
        rest = await _resumable(services, caller.id, exchange.message_id, events)
        return EventStream(begun, rest, _Encoder(exchange.conversation_id, exchange.message_id), _failure)
    done = await while_connected(request, last(events))
    mark(request)
    return ChatAnswer.of(done.answer, exchange.conversation_id, exchange.message_id)


@router.post("/search", summary="Find passages", response_model=SearchResult)
async def search(body: SearchRequest, services: ServicesParam) -> SearchResult:
    """The passages an answer could be written from: by words (BM25) and by meaning, in one ranking."""
    passages = await services.retriever.search(body.query, body.limit, body.filters)
    return SearchResult(passages=[PassageView.of(each) for each in passages])


async def _resumable(
    services: Services, caller_id: str, message_id: str | None, events: AsyncGenerator[Event, None]
) -> Events:
    """The events, to be resumed by another request; as they are, when nothing is kept."""
    if message_id is None:
        return events
    try:
        await services.open_answers.add(message_id, caller_id)
    except BaseException:
        await events.aclose()
        raise
    return resume.DetachedStream(events, services.open_answers, message_id, services.settings.resume_grace)


async def _resumed(request: Request, services: Services, caller_id: str, position: Position) -> Response:
    """What follows the position, once the answer is complete."""
    conversation_id, message = await while_connected(request, resume.finished(services, caller_id, position.message_id))
    mark(request)
    encode = _Encoder(conversation_id, message.id, position)
    pieces = [encode(event) for event in resume.rest(message, position)]
    return Response(b"".join(pieces), media_type="text/event-stream", headers=STREAM_HEADERS)


class _Encoder:
    """Events as a stream has them; with ids, if the answer is kept, from that position on."""

    def __init__(self, conversation_id: str | None, message_id: str | None, position: Position | None = None) -> None:
        self._ids = conversation_id, message_id
        self._position = position or (Position(message_id) if message_id else None)

    def __call__(self, event: Event) -> bytes:
        if self._position:
            self._position = self._position.after(event)
        return _format(*self._event(event), str(self._position) if self._position else None)

    def _event(self, event: Event) -> tuple[str, BaseModel]:
        match event:
            case Sources(passages=passages):
                found = [PassageView.of(each) for each in passages]
                conversation_id, message_id = self._ids
                return "sources", answers.Sources(
                    passages=found, conversation_id=conversation_id, message_id=message_id
                )
            case Token(text=text):
                return "token", Piece(text=text)
            case Cited(citation=citation):
                return "citation", CitationView.model_validate(citation)
            case Spent(usage=usage):
                return "usage", UsageView.model_validate(usage)
            case Done(answer=answer):
                return "done", ChatAnswer.of(answer, *self._ids)


def _failure(problem: dict[str, Any]) -> bytes:
    return _format("error", Problem(**problem))


def _format(name: str, data: BaseModel, id: str | None = None) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json(), id=id)
