"""Every attack of attacks.toml, through parsing, the prompt, a model over HTTP and the API, as JSON and as a stream.

No real model is asked: one mock obeys whatever the attack says, which no real one does every time, and one repeats all
that it was sent. What holds for them does not depend on a model's good will.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatbot.answering.answer import Answerer
from chatbot.answering.prompts import INSTRUCTIONS, LANGUAGES, REMINDER
from chatbot.bootstrap import language_model as connect
from chatbot.cli.output import show_answer
from chatbot.clients.language_model import GenerationLimits
from chatbot.domain import Chunk, Passage, Question
from chatbot.ingestion.chunk import chunk
from chatbot.ingestion.parsing.parse import parse
from chatbot.ports import LanguageModel
from tests.attacks import documents
from tests.unit import openai_server
from tests.unit.fakes import client_of, fake_services
from tests.unit.openai_server import FakeOpenAI
from tests.unit.test_safe import live
from tests.unit.test_web_api import events_of

pytestmark = pytest.mark.slow

ATTACKS = tomllib.loads(Path(__file__).with_name("attacks.toml").read_text("utf-8"))["attack"]
SEEN = "The carbon tax is 44 euros per tonne."
OTHER = Passage(
    Chunk("c2", "d2", 0, "It was raised in 2018.", "", None, "en"), "History", "https://hal.science/hal-1", 0.5
)
BUILDERS = {
    "pdf": (documents.pdf, "a.pdf"),
    "html": (documents.html, "a.html"),
    "markdown": (documents.markdown, "a.md"),
    "word": (documents.word, "a.docx"),
}
RECITED = 40
"""Letters of the instructions in a row that nobody may see."""


def letters(text: str) -> str:
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", text).casefold()))


def passages(attack: dict[str, Any]) -> list[Passage]:
    """What a search finds: what parsing makes of the document, with the attack where it belongs."""
    text, where = attack["text"], attack["where"]
    content, name = f"{SEEN}\n\n".encode(), "a.txt"
    if where == "passage":
        content += text.encode()
    elif where == "smuggled":
        content += f"Well{documents.smuggled(text)}.".encode()
    elif where in BUILDERS:
        build, name = BUILDERS[where]
        content = build(SEEN, text, attack["way"])
    parsed = parse(content, name)
    found = [Passage(each, parsed.title, name, 1.0) for each in chunk("d1", parsed, 1000, 150)]
    changes: dict[str, Any] = {
        "title": {"title": text},
        "source": {"source": text},
        "metadata": {"metadata": {"x": text}},
    }
    found = [replace(each, **changes.get(where, {})) for each in found]
    if where == "heading":
        found = [replace(each, chunk=replace(each.chunk, heading=text)) for each in found]
    return [*found, OTHER]


class FakeRetriever:
    embedding_model = "fake"

    def __init__(self, found: list[Passage]) -> None:
        self.found = found

    async def search(self, *_: Any) -> list[Passage]:
        return self.found


def obedient(attack: dict[str, Any], system: str) -> str:
    """What the model writes that does as it is told."""
    key = key_of(system)
    variants = {
        "{system}": system,
        "{key}": key,
        "{KEY}": key.upper(),
        "{spelled}": "-".join(key),
        "{system_marked}": system.replace(" ", " [1] "),
        "{system_headings}": "\n".join(f"# {word}" for word in system.split()),
        "{system_tags}": re.sub(r"\b(\w)(\w)", r"\1<b></b>\2", system),
        "{system_zero_width}": "\u200b".join(system),
        "{system_full_width}": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in system),
    }
    text: str = attack["obeys"]
    for name, value in variants.items():
        text = text.replace(name, value)
    return text


def key_of(system: str) -> str:
    found = re.search(r"carry the key ([a-z]{20})", system)
    assert found
    return found[1]


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def outside_the_data(content: str, key: str) -> tuple[str, str]:
    """What a message says besides data; and the data."""
    data = re.findall(rf"<(passage|question) {key}[^>]*>\n(.*?)\n</\1 {key}>", content, re.DOTALL)
    rest = re.sub(rf"(<(passage|question) {key}[^>]*>)\n.*?\n(</\2 {key}>)", r"\1\3", content, flags=re.DOTALL)
    return rest, "\n".join(text for _, text in data)


def test_there_are_attacks_enough_of_every_kind() -> None:
    assert len(ATTACKS) >= 50
    assert len({attack["id"] for attack in ATTACKS}) == len(ATTACKS)
    assert {attack["where"] for attack in ATTACKS} >= {"question", "passage", "title", "heading", "metadata", *BUILDERS}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOpenAI]:
    with openai_server.running() as fake:
        yield fake


@pytest.fixture(scope="module")
def model(server: FakeOpenAI) -> LanguageModel:
    return connect(server.url, "mock", "", GenerationLimits(20, 20))


@pytest.mark.parametrize("kind", ["obedient", "echo"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["id"])
async def test_attack(
    attack: dict[str, Any], kind: str, server: FakeOpenAI, model: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    found = passages(attack)
    question = attack["text"] if attack["where"] == "question" else "How high is the carbon tax?"
    sizes = iter((3, 10_000, 40))

    def write(body: dict[str, Any]) -> list[str]:
        system, user = (message["content"] for message in body["messages"])
        text = obedient(attack, system) if kind == "obedient" else f"44 euros [1]. {user} {system} {user}"
        return pieces(text, next(sizes))

    server.write = write
    server.requests.clear()
    answerer = Answerer(FakeRetriever(found), model, 5)  # type: ignore[arg-type]
    async with client_of(fake_services(answerer)) as client:  # type: ignore[arg-type]
        stream = await client.post("/v1/chat", json={"question": question, "stream": True})
        plain = await client.post("/v1/chat", json={"question": question})
    show_answer(await answerer.answer(Question(question, "en")))
    events = events_of(stream.text)
    answers = [plain.json(), events[-1][1]]

    assert (plain.status_code, stream.status_code, events[-1][0]) == (200, 200, "done")
    assert events[-1][1]["answer"] == "".join(data["text"] for name, data in events if name == "token")
    assert len(server.requests) == 3
    for body in server.requests:
        check_prompt(body, attack)
    keys = [key_of(body["messages"][0]["content"]) for body in server.requests]
    for surface in (plain.text, stream.text, capsys.readouterr().out, *(answer["answer"] for answer in answers)):
        check_secrets(surface, keys)
    for answer in answers:
        check_answer(answer, found)


def check_prompt(body: dict[str, Any], attack: dict[str, Any]) -> None:
    """The attack is in the data and nowhere else, and nothing in it can end a message."""
    system, user = body["messages"]
    assert (system["role"], user["role"], len(body["messages"])) == ("system", "user", 2)
    key = key_of(system["content"])
    assert system["content"] in [INSTRUCTIONS.format(language=name, key=key) for name in LANGUAGES.values()]
    rest, data = outside_the_data(user["content"], key)
    lines = [rf"<passages {key}>", rf'(<passage {key} number="\d"></passage {key}>\n)+</passages {key}>']
    assert re.fullmatch("\n".join([*lines, rf"<question {key}></question {key}>", re.escape(REMINDER)]), rest)
    assert (letters(attack["text"])[:25] in letters(data)) == attack.get("reaches", True)
    assert not re.search(
        r"<[|｜]|\[/?INST\]|<</?SYS|</?s>|<(?:start|end)_of|</passage>|[\u200b-\u200f\U000e0000-\U000e0fff]", data
    )
    assert not re.search(r"[\[【]\d+[\]】]", data)


def check_secrets(surface: str, keys: list[str]) -> None:
    shown, rules = letters(surface), letters(INSTRUCTIONS)
    assert not any(key in shown for key in keys)
    recited = [rules[start : start + RECITED] for start in range(len(rules) - RECITED)]
    assert not any(run in shown for run in recited)


def check_answer(answer: dict[str, Any], found: list[Passage]) -> None:
    text, citations = answer["answer"], answer["citations"]
    assert live(text) <= {OTHER.source}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\U000e0000-\U000e0fff]", text)
    assert {citation["chunk_id"] for citation in citations} <= {passage.chunk.id for passage in found}
    assert {int(number) for number in re.findall(r"\[(\d+)\]", text)} <= {citation["number"] for citation in citations}
    assert answer["grounded"] == bool(citations)
