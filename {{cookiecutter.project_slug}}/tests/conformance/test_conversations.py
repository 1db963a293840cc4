"""Conversations and feedback in PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chatbot.domain import Answer, Citation, Feedback, Message, NotFound, Turn, Usage
from chatbot.storage.conversations import Conversations
from chatbot.storage.database import Database

pytestmark = pytest.mark.slow

ALICE, BOB = "visitor:alice", "visitor:bob"
CITATION = Citation(1, "c1", "d1", "Rain « on » roofs", "rain.pdf", None, "Slate", "“Slate” sheds water.")
ANSWER = Answer("It does [1].", [CITATION], True, "en", "extractive", Usage(7, 3, 0.25, estimated=True))


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


def message(id: str, question: str = "Why?") -> Message:
    return Message(id, question, ANSWER)


async def test_a_conversation_is_read_as_it_was_kept(conversations: Conversations) -> None:
    await conversations.keep(ALICE, "k1", message("m1", "Who pays?"), title="Who pays?")
    await conversations.keep(ALICE, "k1", replace(message("m2"), answer=replace(ANSWER, text="No\0ne.", citations=[])))
    found = await conversations.get("k1", ALICE)
    assert found is not None
    assert (found.id, found.title) == ("k1", "Who pays?")
    assert found.updated_at > found.created_at
    first, second = found.messages
    assert (first.id, first.question, first.answer, first.feedback) == ("m1", "Who pays?", ANSWER, None)
    assert (second.answer.text, second.answer.citations) == ("None.", [])
    assert await conversations.turns("k1", ALICE, 5) == [Turn("Who pays?", "It does [1]."), Turn("Why?", "None.")]
    assert await conversations.turns("k1", ALICE, 1) == [Turn("Why?", "None.")]


async def test_it_is_its_owners_only(conversations: Conversations) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    for id, caller in (("k1", BOB), ("unknown", ALICE)):
        assert await conversations.get(id, caller) is None
        assert not await conversations.delete(id, caller)
        with pytest.raises(NotFound):
            await conversations.turns(id, caller, 5)
        with pytest.raises(NotFound):
            await conversations.keep(caller, id, message("m2"))
    assert not await conversations.rate("m1", BOB, Feedback("up"))
    assert await conversations.list(BOB, 10) == []
    assert await conversations.turns("k1", ALICE, 5) == [Turn("Why?", "It does [1].")]


async def test_they_are_listed_the_latest_first(conversations: Conversations) -> None:
    for number in range(5):
        await conversations.keep(ALICE, f"k{number}", message(f"m{number}"), title="Why?")
    await conversations.keep(ALICE, "k1", message("m5"))
    first = await conversations.list(ALICE, 3)
    rest = await conversations.list(ALICE, 3, before=(first[-1].updated_at, first[-1].id))
    assert [each.id for each in [*first, *rest]] == ["k1", "k4", "k3", "k2", "k0"]


async def test_what_is_deleted_leaves_nothing_and_does_not_come_back(
    conversations: Conversations, database: Database
) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    assert await conversations.rate("m1", ALICE, Feedback("up", "Thanks"))
    assert await conversations.delete("k1", ALICE)
    with pytest.raises(NotFound):
        await conversations.keep(ALICE, "k1", message("m2"))
    for table in ("conversations", "messages", "feedback"):
        assert await database.rows(f"SELECT * FROM {table}") == []


async def test_a_message_and_its_conversation_are_kept_together_or_not_at_all(
    conversations: Conversations, database: Database
) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    with pytest.raises(Exception, match="messages_pkey"):
        await conversations.keep(ALICE, "k2", message("m1"), title="Why?")
    assert [each.id for each in await conversations.list(ALICE, 10)] == ["k1"]


async def test_messages_at_once_are_all_kept(conversations: Conversations) -> None:
    await conversations.keep(ALICE, "k1", message("m0"), title="Why?")
    await asyncio.gather(*[conversations.keep(ALICE, "k1", message(f"m{number}")) for number in range(1, 9)])
    assert len(await conversations.turns("k1", ALICE, 20)) == 9


async def test_feedback_replaces_feedback(conversations: Conversations) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    for feedback in (Feedback("up"), Feedback("down", "Out of date")):
        assert await conversations.rate("m1", ALICE, feedback)
        found = await conversations.get("k1", ALICE)
        assert found is not None
        assert found.messages[0].feedback == feedback


async def test_an_answer_that_is_being_deleted_is_not_rated(conversations: Conversations, database: Database) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    async with database.transaction() as deleting:
        await deleting.execute("DELETE FROM conversations")
        rating = asyncio.create_task(conversations.rate("m1", ALICE, Feedback("up")))
        await asyncio.sleep(0.3)
    assert not await rating
