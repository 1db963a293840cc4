"""The bot as a model of OpenAI's API, for its clients and any chat front end: /v1/chat/completions and /v1/models.

    client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="anonymous")
    client.chat.completions.create(model="chatbot", messages=[{"role": "user", "content": "Who pays?"}])

The client keeps the conversation, and nothing is kept here. Citations are annotations, and a list at the text's end.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.sse import format_sse_event
from starlette.exceptions import HTTPException

from chatbot.answering.answer import Done, Event, Sources, Token
from chatbot.domain import EXTRACTIVE, Answer, Citation, Language, Usage
from chatbot.text import sanitize as safe
from chatbot.web import problems
from chatbot.web.ai_disclosure import Marked, mark
from chatbot.web.api import addresses
from chatbot.web.api.openapi import event_stream
from chatbot.web.auth.budget import BudgetParam
from chatbot.web.auth.network import origin
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, ServicesParam
from chatbot.web.openai import errors as openai_errors
from chatbot.web.openai import housekeeping
from chatbot.web.openai.schemas import (
    Annotation,
    AnswerChoice,
    AnswerMessage,
    ChatCompletion,
    ChatCompletionRequest,
    Model,
    ModelList,
    TokenUsage,
    UrlCitation,
)
from chatbot.web.ops import request_metrics as metrics
from chatbot.web.streaming.disconnect import while_connected
from chatbot.web.streaming.events import EventStream, last, opening

BOT = "chatbot"
MODELS = (BOT, EXTRACTIVE)
MARKER = re.compile(r"\[(\d{1,3})\]")
LIST_TITLE: dict[Language, str] = {"en": "Sources:", "fr": "Sources :"}

STREAM_EXAMPLE = """\
data: {"id":"chatcmpl-2c1f…","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"It weighs "}}]}

data: [DONE]
"""

router = APIRouter(
    prefix="/v1", tags=["OpenAI"], dependencies=[allowed("ask")], responses=problems.responses(400, 413, 422, 503)
)


@router.post(
    "/chat/completions",
    summary="Ask a question as OpenAI's clients do",
    response_model=ChatCompletion,
    responses={200: event_stream(STREAM_EXAMPLE)},
)
async def create_chat_completion(
    body: ChatCompletionRequest, request: Request, services: ServicesParam, caller: CallerParam, budget: BudgetParam
) -> Any:
    """Answers the last message of the role `user` from the documents, understood from the messages before it.

    The text ends with a list of its sources; `annotations` say where it refers to them. With `stream`, in chunks: the
    list comes after the words, the annotations in the delta that has the `finish_reason`, and `[DONE]` at the end. If
    something fails on the way, an `error` is the last; what fails before the first word has its HTTP status.
    """
    if (reply := housekeeping.reply(body.question, body.turns)) is not None:
        events: AsyncGenerator[Event, None] = said(reply)
    else:
        exchange = await services.chat.begin(
            caller.id, body.question, extractive=body.model == EXTRACTIVE, store=False, turns=body.turns
        )
        events = budget.counted(metrics.measured(exchange.events))
    completion = _Completion(body, origin(request, services.settings.trusted_proxies))
    if body.stream:
        begun = await while_connected(request, opening(events))
        mark(request)
        return EventStream(begun, events, completion.encode, completion.failure)
    answer = (await while_connected(request, last(events))).answer
    mark(request)
    return completion.whole(answer)


@router.get("/models", summary="List the models", response_model=ModelList)
async def list_models(services: ServicesParam) -> ModelList:
    """`chatbot` answers with the language model, where there is one; `extractive` quotes the documents."""
    return ModelList(data=[Model(id=each, owned_by=services.settings.bot_name) for each in MODELS])


@router.get("/models/{model}", summary="Look at one model", response_model=Model, responses=problems.responses(404))
async def retrieve_model(model: Annotated[str, Path(max_length=200)], services: ServicesParam) -> Model:
    if model not in MODELS:
        raise HTTPException(404, f"There is no such model: ask {BOT} or {EXTRACTIVE}.")
    return Model(id=model, owned_by=services.settings.bot_name)


async def said(text: str) -> AsyncGenerator[Event, None]:
    """The events of a text that no document was asked for."""
    yield Sources([])
    yield Token(text)
    yield Done(Answer(text, [], False, "en", BOT))


class _Completion:
    """One answer in OpenAI's words, at once or in chunks."""

    def __init__(self, body: ChatCompletionRequest, bot: str) -> None:
        self._bot = bot
        self._usage = bool(body.stream_options and body.stream_options.include_usage)
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._model = EXTRACTIVE if body.model == EXTRACTIVE else BOT

    def whole(self, answer: Answer) -> ChatCompletion:
        message = AnswerMessage(content=answer.text + sources(answer), annotations=url_citations(answer, self._bot))
        choices = [AnswerChoice(message=message)]
        return ChatCompletion(
            id=self._id, created=self._created, model=self._model, choices=choices, usage=_usage(answer.usage)
        )

    def encode(self, event: Event) -> bytes:
        """The chunks that an event is; none for some."""
        match event:
            case Sources():
                return self._delta({"role": "assistant", "content": ""})
            case Token(text=text):
                return self._delta({"content": text})
            case Done(answer=answer):
                return self._end(answer)
            case _:
                return b""

    def failure(self, problem: Mapping[str, Any]) -> bytes:
        """The client raises it."""
        return _data(openai_errors.of(problem)[1])

    def _end(self, answer: Answer) -> bytes:
        listed = self._delta({"content": sources(answer)}) if answer.citations else b""
        annotations = [each.model_dump() for each in url_citations(answer, self._bot)]
        final = self._delta({"annotations": annotations}, "stop")
        usage = self._chunk([], _usage(answer.usage).model_dump()) if self._usage else b""
        return listed + final + usage + format_sse_event(data_str="[DONE]")

    def _delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
        about = {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
        marked, told = Marked().model_dump(), {"usage": usage} if self._usage else {}
        return _data({**about, **marked, "choices": choices, **told})


def url_citations(answer: Answer, bot: str) -> list[Annotation]:
    """One for each marker in the text. Of a document that is not on the web, the bot itself shows the passage."""
    cited = {citation.number: citation for citation in answer.citations}
    markers = [marker for marker in MARKER.finditer(answer.text) if int(marker[1]) in cited]
    return [Annotation(url_citation=_citation(cited[int(marker[1])], bot, *marker.span())) for marker in markers]


def _citation(citation: Citation, bot: str, start: int, end: int) -> UrlCitation:
    original = addresses.original(citation.source, citation.page, citation.quote)
    url = original or bot + addresses.passage(citation.document_id, citation.chunk_id)
    return UrlCitation(url=url, title=_line(citation.title), start_index=start, end_index=end)


def sources(answer: Answer) -> str:
    """The list at the end of the text, as Markdown; nothing for an answer that cites nothing."""
    if not answer.citations:
        return ""
    lines = (f"- [{citation.number}] {_described(citation)}" for citation in answer.citations)
    return "\n\n" + "\n".join([LIST_TITLE[answer.language], "", *lines])


def _described(citation: Citation) -> str:
    """Title, page or else heading, source."""
    place = f"p. {citation.page}" if citation.page else _line(citation.heading)
    links = {citation.source} if citation.source.startswith(("https://", "http://")) else set[str]()
    parts = (_line(citation.title), place, _line(citation.source, links))
    return ", ".join(dict.fromkeys(part for part in parts if part))


def _line(untrusted: str, links: Collection[str] = ()) -> str:
    """One line, in which addresses stay to be read, and no links but these."""
    return " ".join(safe.text(untrusted, links, known=untrusted).split())


def _usage(usage: Usage) -> TokenUsage:
    read, written = usage.prompt_tokens, usage.completion_tokens
    return TokenUsage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)


def _data(body: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(body))
