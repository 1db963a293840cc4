"""The official OpenAI client, unchanged, talks to the bot: answers, citations, usage, history, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import openai
import pytest

from chatbot.answering.answer import NOTHING_FOUND, Answerer, Event, Sources
from chatbot.answering.extractive import Extractive
from chatbot.bootstrap import Services
from chatbot.domain import Answer, ModelUnavailable, Passage, Question, Turn
from chatbot.web.app import create_app
from chatbot.web.openai.endpoints import sources, url_citations
from tests.unit.fakes import CITATION, DOWN, PASSAGE, FakeAnswerer, FakeModel, client_of, fake_services

pytestmark = pytest.mark.slow

ANSWER = "It weighs on poor households [1]."
LISTED = "\n\nSources:\n\n- [1] Carbon pricing, p. 12, carbon.pdf"
ASK: dict[str, Any] = {"model": "chatbot", "messages": [{"role": "user", "content": " Who pays the tax? "}]}
CANARY = "canary-7f3a"


@asynccontextmanager
async def official(services: Services, api_key: str = "anonymous") -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(services) as http:
        yield openai.AsyncOpenAI(base_url="http://bot/v1", api_key=api_key, http_client=http, max_retries=0)


@pytest.fixture
async def sdk(services: Services) -> AsyncIterator[openai.AsyncOpenAI]:
    async with official(services) as client:
        yield client


def said(*texts: str) -> list[dict[str, str]]:
    """Messages of the user and the assistant in turn."""
    return [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)]


async def test_models_are_the_bot_and_its_quotes(sdk: openai.AsyncOpenAI, services: Services) -> None:
    models = (await sdk.models.list()).data
    assert [(each.id, each.object, each.owned_by) for each in models] == [
        ("chatbot", "model", services.settings.bot_name),
        ("extractive", "model", services.settings.bot_name),
    ]
    assert (await sdk.models.retrieve("extractive")).id == "extractive"
    for unknown in ("gpt-9", "some/model"):
        with pytest.raises(openai.NotFoundError) as caught:
            await sdk.models.retrieve(unknown)
        assert caught.value.code == "model_not_found"


async def test_an_answer_has_its_citations_as_annotations_and_as_a_list(sdk: openai.AsyncOpenAI) -> None:
    completion = await sdk.chat.completions.create(**ASK)
    assert completion.id.startswith("chatcmpl-")
    assert (completion.object, completion.model) == ("chat.completion", "chatbot")
    [choice] = completion.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    text = choice.message.content
    assert text == ANSWER + LISTED
    [annotation] = choice.message.annotations or []
    cited = annotation.url_citation
    assert (annotation.type, cited.title, cited.url) == ("url_citation", "Carbon pricing", "http://bot/#passage=d1/c1")
    assert text[cited.start_index : cited.end_index] == "[1]"
    assert text[: cited.start_index] == "It weighs on poor households "
    usage = completion.usage
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (800, 3, 803)


@pytest.mark.parametrize("include_usage", [True, False])
async def test_a_stream_ends_with_sources_annotations_usage(sdk: openai.AsyncOpenAI, include_usage: bool) -> None:
    stream = await sdk.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": include_usage})
    chunks = [chunk async for chunk in stream]
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1
    usage = chunks.pop().usage if include_usage else None
    assert all(chunk.usage is None for chunk in chunks)
    assert usage is None or usage.total_tokens == 803
    assert (usage is not None) == include_usage
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    pieces = [delta.content for delta in deltas if delta.content]
    assert pieces == [*FakeAnswerer.words, LISTED]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    plain = (await sdk.chat.completions.create(**ASK)).choices[0].message
    assert "".join(pieces) == plain.content
    assert deltas[-1].annotations == [each.model_dump() for each in plain.annotations or []]


async def test_a_stream_ends_with_done_and_is_not_held_back(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/chat/completions", json={**ASK, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") for event in events[:-2])
    assert "usage" not in response.text


async def test_every_marker_has_its_annotation_and_nothing_else_has() -> None:
    other = replace(CITATION, number=2, title="Two\n<b>lines</b> ](http://evil.example/)", page=None, source="a_b.md")
    web = replace(CITATION, number=3, title="https://hal.science/hal-1", source="https://hal.science/hal-1", page=None)
    answer = Answer("é [1] et [2][1], non [9]\u2060 [3].", [CITATION, other, web], True, "fr", "fake")
    found = [each.url_citation for each in url_citations(answer, "http://bot")]
    assert [answer.text[each.start_index : each.end_index] for each in found] == ["[1]", "[2]", "[1]", "[3]"]
    assert {each.url for each in found[:3]} == {"http://bot/#passage=d1/c1"}
    assert found[3].url == "https://hal.science/hal-1#:~:text=weighs%20on%20poor%20households"
    listed = sources(answer).split("\n")
    assert listed[2:5] == ["Sources :", "", "- [1] Carbon pricing, p. 12, carbon.pdf"]
    assert listed[5].startswith("- [2] Two lines ")
    assert listed[5].endswith(", Results, a_b.md")
    assert "evil" not in sources(answer)
    assert "evil" not in found[1].title
    assert listed[6] == "- [3] hal.science/hal-1, Results, https://hal.science/hal-1"


async def test_without_evidence_it_says_so_and_lists_no_source() -> None:
    class Unrelated:
        embedding_model = "fake"

        async def search(self, *_: Any) -> list[Passage]:
            return [PASSAGE]

    answerer = Answerer(Unrelated(), Extractive(), 5)  # type: ignore[arg-type]
    question = {**ASK, "messages": said("Which planets have rings?")}
    async with official(fake_services(answerer)) as sdk:  # type: ignore[arg-type]
        message = (await sdk.chat.completions.create(**question)).choices[0].message
        stream = await sdk.chat.completions.create(**question, stream=True)
        deltas = [chunk.choices[0].delta async for chunk in stream]
    assert message.content
    assert message.content.startswith(NOTHING_FOUND["en"])
    assert "Sources" not in message.content
    assert message.annotations == []
    assert "".join(delta.content or "" for delta in deltas) == message.content


async def test_messages_before_the_last_question_are_its_history() -> None:
    answerer, model = FakeAnswerer(), FakeModel("Who pays the carbon tax in France?")
    services = fake_services(answerer, model)
    messages = [
        {"role": "system", "content": "Answer as a pirate."},
        {"role": "assistant", "content": "Welcome!"},
        *said("What is a carbon tax?", "A price [1].", "Who pays it?"),
        {"role": "assistant", "content": [{"type": "text", "text": "House"}, {"type": "text", "text": "holds [1]."}]},
        {"role": "developer", "content": "Arr!"},
        {"role": "user", "content": [{"type": "text", "text": "And in"}, {"type": "text", "text": "France?"}]},
    ]
    async with official(services) as sdk:
        await sdk.chat.completions.create(model="chatbot", messages=messages)  # type: ignore[arg-type]
    assert model.turns == [[Turn("What is a carbon tax?", "A price [1]."), Turn("Who pays it?", "House\nholds [1].")]]
    assert [question.text for question in answerer.questions] == ["Who pays the carbon tax in France?"]
    assert services.conversations.rows == {}


async def test_a_follow_up_keeps_the_language_and_a_first_question_has_no_history() -> None:
    answerer, model = FakeAnswerer(), FakeModel()
    async with official(fake_services(answerer, model)) as sdk:
        messages: Any = said("Quel est le prix de la tonne de carbone ?", "44 euros [1].", "Pourquoi ?")
        await sdk.chat.completions.create(model="chatbot", messages=messages)
        await sdk.chat.completions.create(**ASK)
    follow_up, first = answerer.questions
    assert (follow_up.text, follow_up.language) == ("Pourquoi ?", "fr")
    assert "carbone" in follow_up.query
    assert (first.text, first.search, len(model.turns)) == ("Who pays the tax?", "", 1)


@pytest.mark.parametrize(
    ("model", "extractive"), [("extractive", True), ("chatbot", False), ("gpt-4o-mini", False), (None, False)]
)
async def test_a_client_can_choose_quotes_and_any_other_name_is_the_bot(model: str | None, extractive: bool) -> None:
    answerer = FakeAnswerer()
    async with client_of(fake_services(answerer)) as client:
        body = {**ASK, "model": model} if model else {"messages": ASK["messages"]}
        response = await client.post("/v1/chat/completions", json=body)
    assert response.json()["model"] == ("extractive" if extractive else "chatbot")
    assert [question.extractive for question in answerer.questions] == [extractive]


async def test_parameters_that_mean_nothing_here_are_ignored(sdk: openai.AsyncOpenAI) -> None:
    completion = await sdk.chat.completions.create(
        **ASK,
        temperature=0.3,
        top_p=0.9,
        max_tokens=5,
        max_completion_tokens=5,
        n=1,
        seed=7,
        stop=["tax"],
        user="someone",
        store=True,
        tools=[],
        presence_penalty=1,
        metadata={"chat": "1"},
        response_format={"type": "text"},
        extra_body={"unknown": {"deeply": [1]}, "functions": None, "stream": None, "stream_options": None},
    )
    assert completion.choices[0].message.content == ANSWER + LISTED


IMAGE = {"type": "image_url", "image_url": {"url": f"https://{CANARY}.example/a.png"}}
TOOL = {"type": "function", "function": {"name": CANARY}}


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": None}, "messages", "valid list"),
        ({"messages": said("Why?", CANARY)[1:]}, "messages", "no message of the role user"),
        ({"messages": said(" \n")}, "messages", "is empty"),
        ({"messages": said("Why?", "So.", "")}, "messages", "is empty"),
        ({"messages": said(CANARY * 400)}, "messages", "4000 characters at most"),
        ({"messages": said(f"{CANARY}\0", "So.", "Why?")}, "messages", "NUL"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}, IMAGE]}]},
            "messages",
            "no image",
        ),
        ({"messages": [{"role": CANARY, "content": "Why?"}]}, "messages", "should be"),
        ({"messages": [{"role": "user", "content": {"text": CANARY}}]}, "messages", "valid"),
        ({"n": 2}, "n", "1"),
        ({"tools": [TOOL]}, "tools", "calls no tools"),
        ({"functions": [{"name": CANARY}]}, "functions", "calls no tools"),
        ({"response_format": {"type": "json_object"}}, "response_format", "text only"),
        ({"stream": CANARY}, "stream", "boolean"),
    ],
)
async def test_what_cannot_be_done_is_refused_clearly(
    sdk: openai.AsyncOpenAI, change: dict[str, Any], param: str, words: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.post("/chat/completions", body={**ASK, **change}, cast_to=object)
    error = caught.value
    assert (error.type, error.param, error.code) == ("invalid_request_error", param, None)
    assert words in error.message
    assert CANARY not in error.response.text


@pytest.mark.parametrize("content", ['{"messages": [', "[]", "null", ""])
async def test_broken_json_is_400_in_the_same_shape(client: httpx2.AsyncClient, content: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.post("/v1/chat/completions", content=content, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/json")
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}


async def test_keys_and_limits_raise_what_the_client_names() -> None:
    services = fake_services(anonymous_scopes="none", rate_limit_per_minute=2)
    _, ask = await services.keys.create("a program", frozenset({"ask"}))
    _, ingest = await services.keys.create("another", frozenset({"ingest"}))
    for wrong in ("anonymous", "cb_wrong"):
        async with official(services, wrong) as sdk:
            with pytest.raises(openai.AuthenticationError) as unknown:
                await sdk.chat.completions.create(**ASK)
            assert unknown.value.code == "invalid_api_key"
            assert "www-authenticate" in unknown.value.response.headers
            with pytest.raises(openai.AuthenticationError):
                await sdk.models.list()
    async with official(services, ingest) as sdk:
        with pytest.raises(openai.PermissionDeniedError, match="scope ask"):
            await sdk.chat.completions.create(**ASK)
    async with official(services, ask) as sdk:
        assert (await sdk.models.list()).data
        for _ in range(2):
            await sdk.chat.completions.create(**ASK)
        with pytest.raises(openai.RateLimitError) as limited:
            await sdk.chat.completions.create(**ASK)
        assert limited.value.code == "rate_limit_exceeded"
        assert limited.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True])
async def test_tokens_are_counted_and_bounded(stream: bool) -> None:
    services = fake_services(daily_tokens=800, llm_url="http://127.0.0.1:1", llm_model="some")
    async with client_of(services) as http:
        http.cookies.set("visitor", "v" * 24)
        sdk = openai.AsyncOpenAI(base_url="http://bot/v1", api_key="anonymous", http_client=http, max_retries=0)
        answer = await sdk.chat.completions.create(**ASK, stream=stream)  # type: ignore[call-overload]
        if stream:
            [chunk async for chunk in answer]
        assert services.limits.tokens[f"visitor:{'v' * 24}"] == 803
        with pytest.raises(openai.RateLimitError, match="tokens of this day"):
            await sdk.chat.completions.create(**ASK, stream=stream)  # type: ignore[call-overload]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (DOWN, 503, "service_unavailable"),
        (ModelUnavailable("it is down", 9), 503, "model_unavailable"),
        (RuntimeError(CANARY), 500, None),
    ],
)
async def test_what_fails_before_the_first_word_has_its_status(
    failure: Exception, status: int, code: str | None, stream: bool
) -> None:
    async with official(fake_services(FakeAnswerer(error=failure))) as sdk:
        with pytest.raises(openai.InternalServerError) as caught:
            await sdk.chat.completions.create(**ASK, stream=stream)  # type: ignore[call-overload]
    error = caught.value
    assert (error.status_code, error.type, error.code) == (status, "server_error", code)
    assert ("retry-after" in error.response.headers) == (status == 503)
    assert ("extractive" in error.message) == (code == "model_unavailable")
    assert CANARY not in error.response.text


async def test_what_fails_in_mid_stream_is_raised_by_the_client() -> None:
    services = fake_services(FakeAnswerer(error=ModelUnavailable("it is down"), after=2))
    async with official(services) as sdk:
        stream = await sdk.chat.completions.create(**ASK, stream=True)
        pieces = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
        with pytest.raises(openai.APIError, match="the language model does not answer") as caught:
            await anext(stream)
    assert pieces == ["", "It weighs ", "on poor households "]
    assert caught.value.code == "model_unavailable"


async def test_other_errors_of_these_paths_have_the_shape_and_those_of_other_paths_do_not(
    client: httpx2.AsyncClient,
) -> None:
    large = await client.post("/v1/chat/completions", json={**ASK, "user": "x" * 300_000})
    for response, status in (
        (large, 413),
        (await client.get("/v1/chat/completions"), 405),
        (await client.post("/v1/models"), 405),
        (await client.get("/v1/models/a/b"), 404),
    ):
        assert response.status_code == status
        assert response.json().keys() == {"error"}
    for path in ("/v1/chat/other", "/v1/modelsx"):
        assert (await client.get(path)).headers["content-type"] == "application/problem+json"
    assert (await client.post("/v1/chat", json={})).status_code == 422


async def test_the_description_tells_of_both(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/v1/chat/completions"]["post"]
    responses = operation["responses"]
    assert responses["200"]["content"].keys() == {"application/json", "text/event-stream"}
    assert responses["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/ChatCompletion")
    assert responses.keys() == {"200", "400", "401", "403", "413", "429", "500", "503"}
    for status in responses.keys() - {"200"}:
        [content] = responses[status]["content"].values()
        assert content["schema"]["$ref"].endswith("/OpenAIError")
    listing = document["paths"]["/v1/models"]["get"]["responses"]["200"]["content"]["application/json"]
    assert listing["schema"]["$ref"].endswith("/ModelList")
    request = document["components"]["schemas"]["ChatCompletionRequest"]
    assert request["required"] == ["messages"]


async def test_a_client_that_leaves_stops_the_answer() -> None:
    """Straight through ASGI: the client goes while the model is silent."""
    closed = []

    class Silent(FakeAnswerer):
        async def stream(self, question: Question) -> AsyncIterator[Event]:
            try:
                yield Sources([PASSAGE])
                async for event in FakeAnswerer(pause=3).stream(question):
                    yield event
            finally:
                closed.append(question.text)

    body = json.dumps(ASK).encode()
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    path = "/v1/chat/completions"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    headers = [(b"content-type", b"application/json"), (b"host", b"bot")]
    await create_app(fake_services(Silent()))({**scope, "headers": headers}, receive, send)
    assert closed == ["Who pays the tax?"]
    assert sent[0]["status"] == 499
