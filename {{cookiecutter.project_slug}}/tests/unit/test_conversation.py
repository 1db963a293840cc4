"""A question in a conversation: whose it is, what it is understood from, what is kept and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatbot.answering import conversation as converse
from chatbot.answering.answer import Done, Event, Sources, Spent
from chatbot.answering.conversation import Exchange
from chatbot.bootstrap import Services
from chatbot.domain import NotFound, Turn, Unavailable, Usage
from tests.unit.fakes import DOWN, FakeAnswerer, FakeModel, fake_services

ALICE, BOB = "visitor:alice", "visitor:bob"


async def events(exchange: Exchange) -> list[Event]:
    return [event async for event in exchange.events]


async def ask(services: Services, text: str, caller: str = ALICE, **options: Any) -> Exchange:
    exchange = await services.chat.begin(caller, text, **options)
    await events(exchange)
    return exchange


async def test_question_and_answer_are_kept_when_the_answer_is_complete() -> None:
    services = fake_services(FakeAnswerer())
    exchange = await services.chat.begin(ALICE, "Who pays?")
    seen = []
    async for event in exchange.events:
        kept = await services.conversations.get(exchange.conversation_id, ALICE)
        assert (kept is None) == (not isinstance(event, Done))
        seen.append(event)
    assert isinstance(seen[0], Sources)
    assert isinstance(seen[-1], Done)
    [message] = kept.messages
    assert (kept.title, message.id, message.question) == ("Who pays?", exchange.message_id, "Who pays?")
    assert message.answer == seen[-1].answer


async def test_a_failed_answer_leaves_nothing() -> None:
    services = fake_services(FakeAnswerer(error=DOWN, after=2))
    with pytest.raises(Unavailable):
        await ask(services, "Who pays?")
    assert services.conversations.rows == {}


async def test_an_answer_that_cannot_be_kept_is_not_given_as_complete() -> None:
    services = fake_services()
    services.conversations.error = Unavailable("PostgreSQL", "start it")
    exchange = await services.chat.begin(ALICE, "Who pays?")
    seen = []

    async def read() -> None:
        async for event in exchange.events:
            seen.append(event)

    with pytest.raises(Unavailable):
        await read()
    assert isinstance(seen[-1], Spent)


async def test_who_leaves_before_the_end_leaves_nothing() -> None:
    services = fake_services(FakeAnswerer(pause=5))
    exchange = await services.chat.begin(ALICE, "Who pays?")
    async for _ in exchange.events:
        break
    await exchange.events.aclose()
    assert services.conversations.rows == {}
    waiting = asyncio.create_task(ask(services, "Who pays?"))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert services.conversations.rows == {}


async def test_without_store_nothing_is_kept_and_the_history_still_counts() -> None:
    answerer = FakeAnswerer()
    services = fake_services(answerer)
    first = await ask(services, "What is a carbon tax?")
    again = await ask(services, "Who pays it?", conversation_id=first.conversation_id, store=False)
    assert (again.conversation_id, again.message_id) == (first.conversation_id, None)
    assert answerer.questions[-1].query == "Who pays it? carbon tax"
    assert len((await services.conversations.get(first.conversation_id, ALICE)).messages) == 1
    new = await ask(services, "What is a carbon tax?", store=False)
    assert (new.conversation_id, new.message_id) == (None, None)
    assert len(services.conversations.rows) == 1


@pytest.mark.parametrize("store", [True, False])
async def test_somebody_elses_conversation_is_not_there(store: bool) -> None:
    services = fake_services()
    mine = await ask(services, "What is a carbon tax?")
    for caller, id in ((BOB, mine.conversation_id), (ALICE, "unknown")):
        with pytest.raises(NotFound):
            await services.chat.begin(caller, "And then?", conversation_id=id, store=store)


async def test_what_was_deleted_meanwhile_does_not_come_back() -> None:
    services = fake_services()
    mine = await ask(services, "What is a carbon tax?")
    exchange = await services.chat.begin(ALICE, "And then?", conversation_id=mine.conversation_id)
    await services.conversations.delete(mine.conversation_id, ALICE)
    with pytest.raises(NotFound):
        await events(exchange)
    assert services.conversations.rows == {}


async def test_the_rule_widens_the_search_and_leaves_the_question() -> None:
    answerer = FakeAnswerer()
    services = fake_services(answerer)
    mine = await ask(services, "Quel est le montant de la taxe carbone en Suède ?")
    await ask(services, "Norvège ?", conversation_id=mine.conversation_id)
    asked = answerer.questions[-1]
    assert (asked.text, asked.language) == ("Norvège ?", "fr")
    assert asked.query == "Norvège ? montant taxe carbone Suède"


async def test_a_model_rewrites_the_question_and_its_cost_is_counted() -> None:
    answerer, model = FakeAnswerer(), FakeModel("What is the carbon tax in Norway?")
    services = fake_services(answerer, model)
    mine = await ask(services, "What is the carbon tax in Sweden?")
    assert model.turns == []
    seen = await events(await services.chat.begin(ALICE, "Norway?", conversation_id=mine.conversation_id))
    assert model.turns == [[Turn("What is the carbon tax in Sweden?", "It weighs on poor households [1].")]]
    assert answerer.questions[-1].text == answerer.questions[-1].query == "What is the carbon tax in Norway?"
    total = answerer.usage + Usage(40, 9)
    assert [event.usage for event in seen if isinstance(event, Spent)] == [total]
    kept = (await services.conversations.get(mine.conversation_id, ALICE)).messages[-1]
    assert (kept.question, kept.answer.usage) == ("Norway?", total)


async def test_who_wants_quotes_does_without_the_model() -> None:
    answerer, model = FakeAnswerer(), FakeModel("What is the carbon tax in Norway?")
    services = fake_services(answerer, model)
    await ask(services, "And in Norway?", turns=[Turn("What is a carbon tax?", "A price.")], extractive=True)
    assert model.turns == []
    assert answerer.questions[-1].query == "And in Norway? carbon tax"
    assert answerer.questions[-1].extractive


@pytest.mark.parametrize("model", [FakeModel(error=DOWN), FakeModel("x" * 2000), FakeModel(pause=5)])
async def test_a_model_that_cannot_rewrite_leaves_it_to_the_rule(
    model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converse, "PATIENCE", 0.05)
    answerer = FakeAnswerer()
    services = fake_services(answerer, model)
    await ask(services, "And in Norway?", turns=[Turn("What is a carbon tax?", "A price.")])
    assert answerer.questions[-1].query == "And in Norway? carbon tax"
    assert answerer.questions[-1].text == "And in Norway?"
