"""Open Responses: the official OpenAI client's `responses`, unchanged; its events, errors and conversations."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from chatbot.bootstrap import Services
from chatbot.domain import ModelUnavailable, Turn
from tests.unit.fakes import FakeAnswerer, FakeModel, client_of, fake_services
from tests.unit.test_model_outages import listening
from tests.unit.test_web_openai import LISTED, official

pytestmark = pytest.mark.slow

ANSWER = "It weighs on poor households [1]." + LISTED
ASK: dict[str, Any] = {"model": "chatbot", "input": " Who pays the tax? "}
CANARY = "canary-7f3a"


@pytest.fixture
async def sdk(services: Services) -> AsyncIterator[openai.AsyncOpenAI]:
    async with official(services) as client:
        yield client


async def test_an_answer_is_one_message_with_its_citations(sdk: openai.AsyncOpenAI) -> None:
    response = await sdk.responses.create(**ASK, metadata={"ticket": "7"})
    assert (response.object, response.status, response.model) == ("response", "completed", "chatbot")
    assert response.output_text == ANSWER
    [message] = response.output
    assert message.type == "message"
    [part] = message.content
    assert part.type == "output_text"
    [cited] = part.annotations
    assert cited.type == "url_citation"
    assert (cited.title, cited.url) == ("Carbon pricing", "http://bot/#passage=d1/c1")
    assert ANSWER[cited.start_index : cited.end_index] == "[1]"
    assert response.usage
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (800, 3, 803)
    assert response.metadata == {"ticket": "7"}


async def test_a_stream_goes_through_its_states_and_ends_as_the_whole(sdk: openai.AsyncOpenAI) -> None:
    events = [event async for event in await sdk.responses.create(**ASK, stream=True)]
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * (len(FakeAnswerer.words) + 1),
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    first, end = events[0], events[-1]
    assert first.type == "response.created"
    assert end.type == "response.completed"
    assert (first.response.id, first.response.status) == (end.response.id, "in_progress")
    assert end.response.output_text == ANSWER
    plain = await sdk.responses.create(**ASK)
    shown, whole = end.response.output[0].to_dict(), plain.output[0].to_dict()
    assert {**shown, "id": ""} == {**whole, "id": ""}


async def test_a_stream_ends_with_done_and_is_not_held_back(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/responses", json={**ASK, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
    *events, done, end = response.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    for event in events:
        name, data = event.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == name.removeprefix("event: ")


async def test_messages_before_the_last_question_are_its_history() -> None:
    answerer, model = FakeAnswerer(), FakeModel("Who pays the carbon tax in France?")
    items: list[dict[str, Any]] = [
        {"role": "developer", "content": "Answer as a pirate."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is a carbon tax?"}]},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "phase": "final_answer",
            "content": [{"type": "output_text", "text": "A price [1].", "annotations": []}],
        },
        {"role": "user", "content": "And in France?"},
    ]
    async with official(fake_services(answerer, model)) as sdk:
        await sdk.responses.create(model="extractive", input=items, instructions="Be a pirate.")  # type: ignore[arg-type]
        await sdk.responses.create(model="chatbot", input=items)  # type: ignore[arg-type]
    assert model.turns == [[Turn("What is a carbon tax?", "A price [1].")]]
    assert [question.extractive for question in answerer.questions] == [True, False]
    assert answerer.questions[1].text == "Who pays the carbon tax in France?"


async def test_a_response_goes_on_with_a_stored_one_of_the_same_caller(services: Services) -> None:
    async with official(services) as sdk:
        first = await sdk.responses.create(**ASK)
        async with await sdk.responses.create(
            model="chatbot", input="And in France?", previous_response_id=first.id, stream=True
        ) as stream:
            *_, end = [event async for event in stream]
        assert end.type == "response.completed"
        assert end.response.previous_response_id == first.id
        [(_, conversation)] = services.conversations.rows.values()
        assert [message.question for message in conversation.messages] == ["Who pays the tax?", "And in France?"]
        alone = await sdk.responses.create(**ASK, store=False)
        for id in (alone.id, "resp_" + "0" * 32):
            with pytest.raises(openai.NotFoundError) as caught:
                await sdk.responses.create(**ASK, previous_response_id=id)
            assert caught.value.type == "not_found"
    assert len(services.conversations.rows) == 1
    async with official(services) as stranger:
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.create(**ASK, previous_response_id=first.id)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"model": None}, "model", "valid string"),
    "no input": ({"input": None}, "input", "valid list"),
    "an empty question": ({"input": "  "}, "input", "it is empty"),
    "too long": ({"input": CANARY * 400}, "input", "4000 characters"),
    "no question": ({"input": [{"role": "assistant", "content": CANARY}]}, "input", "no message of the role user"),
    "an image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": CANARY}]}]},
        "input",
        "Only text",
    ),
    "a tool's output": ({"input": [{"type": "function_call_output", "output": CANARY}]}, "input", "Only messages"),
    "tools": ({"tools": [{"type": "function", "name": CANARY}]}, "tools", "calls no tools"),
    "JSON": ({"text": {"format": {"type": "json_object"}}}, "text", "in text only"),
    "background": ({"background": True}, "background", "False"),
    "an id of another kind": ({"previous_response_id": CANARY}, "previous_response_id", "pattern"),
    "too much metadata": ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "16"),
}


@pytest.mark.parametrize(("change", "param", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_it_cannot_do_is_refused_in_its_shape(
    client: httpx2.AsyncClient, change: dict[str, Any], param: str, words: str
) -> None:
    response = await client.post("/v1/responses", json={**ASK, **change})
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request", param)
    assert words in error["message"]
    assert CANARY not in response.text


async def test_a_model_that_is_down_is_a_503_before_the_first_word_and_an_event_after_it() -> None:
    down = ModelUnavailable("it is off")
    async with official(fake_services(FakeAnswerer(error=down))) as sdk:
        for stream in (False, True):
            with pytest.raises(openai.APIStatusError) as caught:
                await sdk.responses.create(**ASK, stream=stream)
            assert (caught.value.status_code, caught.value.code) == (503, "model_unavailable")
    async with client_of(fake_services(FakeAnswerer(error=down, after=2))) as client:
        response = await client.post("/v1/responses", json={**ASK, "stream": True})
    *_, error, failed, done, _ = response.text.split("\n\n")
    assert error.startswith("event: error\n")
    assert json.loads(error.partition("data: ")[2])["error"]["code"] == "model_unavailable"
    resource = json.loads(failed.partition("data: ")[2])["response"]
    assert (resource["status"], resource["error"]["code"]) == ("failed", "model_unavailable")
    assert done == "data: [DONE]"


CONFORMS = [
    "basic-response",
    "system-prompt",
    "multi-turn",
    "streaming-response",
    "streaming-usage",
    "assistant-phase",
    "response-output-phase-schema",
    "compact-response",
    "compact-missing-model",
    "error-handling",
]
"""What of the published checker passes. It also asks for a tool to be called and a picture to be looked at, which this
bot does not do and says so, and looks at reasoning only of models whose names it knows."""


def test_the_published_checker_finds_that_it_conforms(services: Services) -> None:
    program = Path(sys.executable).with_name("llm-comply")
    with listening(services) as port:
        command = [program, "--base-url", f"http://127.0.0.1:{port}/v1", "--api-key", "anonymous", "--model", "chatbot"]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60)
    results = {each["id"]: each for each in json.loads(done.stdout)["results"]}
    assert [id for id, each in results.items() if each["status"] in ("passed", "warning")] == CONFORMS
    left = {id: results[id] for id in results.keys() - {*CONFORMS}}
    assert left.keys() == {"tool-calling", "image-input", "reasoning-summary"}
    for id in ("tool-calling", "image-input"):
        assert "HTTP 400 (expected [200])" in left[id]["errors"]


async def test_other_paths_below_it_are_errors_in_its_shape(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/responses/compact", json=ASK)
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found")
