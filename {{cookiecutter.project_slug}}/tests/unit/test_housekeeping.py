"""Titles and the like that chat front ends ask for: told from questions, and never answered from documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatbot.domain import Turn
from chatbot.web.openai.housekeeping import reply
from tests.unit.fakes import client_of, fake_services
from tests.unit.test_web_openai import FakeAnswerer

HISTORY = "<chat_history>\nUSER: What is a carbon tax?\nASSISTANT: It weighs [1].\n</chat_history>"
OPEN_WEBUI = {
    "title": "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n"
    'JSON format: { "title": "your concise title here" }\n### Chat History:\n' + HISTORY,
    "tags": "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history, along with 1-3 more"
    ' specific subtopic tags.\n### Output:\nJSON format: { "tags": ["tag1", "tag2"] }\n### Chat History:\n' + HISTORY,
    "follow_ups": "### Task:\nSuggest 3-5 relevant follow-up questions or prompts that the user might naturally ask"
    ' next in this conversation.\n### Output:\nJSON format: { "follow_ups": ["Question 1?"] }\n' + HISTORY,
    "queries": "### Task:\nAnalyze the chat history to determine the necessity of generating search queries, in the"
    ' given language.\n### Output: JSON: { "queries": [] }\n' + HISTORY,
    "text": "### Task:\nYou are an autocompletion system. Continue the text in `<text>` based on the completion type.\n"
    + HISTORY,
}


@pytest.mark.parametrize("key", OPEN_WEBUI)
def test_open_webui_gets_the_form_it_wants(key: str) -> None:
    value = json.loads(reply(OPEN_WEBUI[key], []) or "")[key]
    assert value == ("What is a carbon tax?" if key == "title" else "" if key == "text" else [])


@pytest.mark.parametrize(
    "prompt",
    [
        "Provide a concise, 5-word-or-less title for the conversation, using its same language.",
        "Please generate a concise, 5-word title for this conversation, with no punctuation.",
        "Create a concise, 3-5 word phrase as a header for the following query.\nUser: What is a carbon tax?",
        "You are a conversation summarizer. Summarize the conversation into a title of 10 words.",
    ],
)
def test_other_front_ends_get_a_title_in_words(prompt: str) -> None:
    assert reply(prompt, [Turn("What is a carbon tax?", "It weighs [1].")]) == "What is a carbon tax?"


@pytest.mark.parametrize(
    "question",
    [
        "Who wrote the title story?",
        "What is the title of the paper on roofs?",
        "Suggest a title for my thesis on wind power.",
        "Which tags does the conversation API return?",
        "What is my task?",
        "How do I follow up on a job?",
        "Quel est le titre de la thèse ?",
    ],
)
def test_a_question_is_none_of_it(question: str) -> None:
    assert reply(question, []) is None
    assert reply(question, [Turn("What is a carbon tax?", "")]) is None


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
async def test_no_document_is_asked_and_a_long_history_is_no_fault(stream: bool) -> None:
    answerer = FakeAnswerer()
    body: dict[str, Any] = {"model": "chatbot", "stream": stream}
    body["messages"] = [{"role": "user", "content": OPEN_WEBUI["title"] + "\nUSER: more" * 1000}]
    async with client_of(fake_services(answerer)) as client:  # type: ignore[arg-type]
        response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200
    assert "What is a carbon tax?" in response.text
    assert answerer.questions == []
