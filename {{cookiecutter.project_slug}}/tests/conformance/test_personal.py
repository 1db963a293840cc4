"""All that is kept of a caller in PostgreSQL: handed out, erased, purged; and what analytics may see of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from chatbot.bootstrap import bootstrap
from chatbot.domain import Conversation, Feedback, NotFound
from chatbot.jobs.retention import purge_daily
from chatbot.settings import Settings
from chatbot.storage.conversations import Conversations
from chatbot.storage.database import Database
from chatbot.storage.limits import Subject
from chatbot.storage.personal import PAGE, Personal
from tests.conformance.test_conversations import ALICE, BOB, message

pytestmark = pytest.mark.slow


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
def personal(database: Database, conversations: Conversations) -> Personal:
    return Personal(database, conversations)


async def fill(conversations: Conversations, personal: Personal, caller: str, *ids: str) -> None:
    for id in ids:
        await conversations.keep(caller, id, message(f"m-{id}"), title="Why?")
        await conversations.keep(caller, id, message(f"n-{id}"))
        await conversations.rate(f"m-{id}", caller, Feedback("up", "Thanks"))
    await personal.agree(caller, analytics=True)


async def everything(personal: Personal, caller: str) -> list[Conversation]:
    return [each async for each in personal.conversations(caller)]


async def test_an_export_holds_everything(conversations: Conversations, personal: Personal) -> None:
    ids = [f"k{number}" for number in range(PAGE + 1)]
    await asyncio.gather(*[conversations.keep(ALICE, id, message(f"m-{id}"), title="Why?") for id in ids])
    await fill(conversations, personal, BOB, "theirs")
    assert sorted(each.id for each in await everything(personal, ALICE)) == sorted(ids)
    assert not (await personal.consent(ALICE)).analytics
    [theirs] = await everything(personal, BOB)
    assert theirs == await conversations.get("theirs", BOB)
    assert theirs.messages[0].feedback == Feedback("up", "Thanks")


async def test_erasing_tells_what_it_removed_and_leaves_the_others(
    conversations: Conversations, personal: Personal
) -> None:
    await fill(conversations, personal, ALICE, "k1", "k2")
    await fill(conversations, personal, BOB, "theirs")
    erased = {"conversations": 2, "messages": 4, "feedback": 2, "consents": 1}
    assert await personal.erase(ALICE) == erased
    assert await personal.erase(ALICE) == dict.fromkeys(erased, 0)
    assert await everything(personal, ALICE) == []
    assert (await personal.consent(BOB)).analytics
    assert len(await everything(personal, BOB)) == 1


async def test_what_goes_on_during_an_export_is_told_once(conversations: Conversations, personal: Personal) -> None:
    """A conversation that goes on becomes the latest: by that order its reader would pass it by."""
    for number in range(PAGE + 1):
        await conversations.keep(ALICE, f"k{number}", message(f"m{number}"), title="Why?")
    told = []
    async for each in personal.conversations(ALICE):
        if not told:
            await conversations.keep(ALICE, "k0", message("later"))
        told.append(each.id)
    assert sorted(told) == sorted(f"k{number}" for number in range(PAGE + 1))


async def test_a_long_history_is_erased_in_parts(
    conversations: Conversations, personal: Personal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it neither outlasts the time that a statement has nor holds all its rows; what began later stays."""
    monkeypatch.setattr("chatbot.storage.personal.PAGE", 2)
    await fill(conversations, personal, ALICE, *(f"k{number}" for number in range(5)))
    rows = personal._database.rows
    parts = []

    async def seen(statement: str, parameters: Any = None) -> Any:
        found = await rows(statement, parameters)
        if "deleted" in statement:
            parts.append(found[0]["conversations"])
            if len(parts) == 1:
                await conversations.keep(ALICE, "new", message("new"), title="Asked while all that is erased")
        return found

    monkeypatch.setattr(personal._database, "rows", seen)
    assert await personal.erase(ALICE) == {"conversations": 5, "messages": 10, "feedback": 5, "consents": 1}
    assert parts == [2, 2, 1, 0]
    assert [each.id for each in await everything(personal, ALICE)] == ["new"]


async def test_an_answer_under_way_is_not_kept_once_its_caller_was_erased(
    conversations: Conversations, personal: Personal
) -> None:
    for number in range(10):
        late = conversations.keep(ALICE, f"k{number}", message(f"m{number}"), title="Why?", age=5)
        await asyncio.gather(personal.erase(ALICE), late, return_exceptions=True)
        assert await conversations.list(ALICE, 10) == []
    with pytest.raises(NotFound):
        await conversations.keep(ALICE, "late", message("late"), title="Why?", age=5)
    await conversations.keep(BOB, "theirs", message("theirs"), title="Why?", age=5)
    await conversations.keep(ALICE, "new", message("new"), title="A question asked afterwards")
    assert [each.id for each in await conversations.list(ALICE, 10)] == ["new"]


async def test_who_was_erased_is_forgotten_after_a_day(personal: Personal, database: Database) -> None:
    for hours in (25, 23):
        await personal.erase(ALICE)
        await database.rows(f"UPDATE erasures SET erased_at = now() - interval '{hours} hours'")
        await personal.forget()
        assert len(await database.rows("SELECT 1 FROM erasures")) == (hours < 24)


async def test_consent_is_off_until_given_and_analytics_sees_nothing_without(
    conversations: Conversations, personal: Personal, database: Database
) -> None:
    await fill(conversations, personal, ALICE, "k1")
    await conversations.keep(BOB, "theirs", message("m-theirs", "Bob's question"), title="Why?")
    assert not (await personal.consent(BOB)).analytics
    seen = await database.rows("SELECT * FROM analytics")
    assert [(row["question"], row["rating"]) for row in seen] == [("Why?", "up"), ("Why?", None)]
    assert not any(ALICE in str(value) for row in seen for value in row.values())
    await personal.agree(ALICE, analytics=False)
    assert await database.rows("SELECT * FROM analytics") == []


async def age(database: Database, days: int, *ids: str) -> None:
    moment = "now() - %(days)s * interval '1 day'"
    update = f"UPDATE conversations SET updated_at = {moment}, created_at = {moment} WHERE id = ANY(%(ids)s)"
    await database.rows(update, {"days": days, "ids": [*ids]})
    await database.rows(f"UPDATE consents SET updated_at = {moment}", {"days": days})


async def test_a_purge_removes_what_is_old_and_nothing_else(
    conversations: Conversations, personal: Personal, database: Database
) -> None:
    await fill(conversations, personal, ALICE, "old", "new")
    await fill(conversations, personal, BOB, "theirs")
    await age(database, 31, "old", "theirs")
    assert await personal.purge(32) == {"conversations": 0, "consents": 0}
    assert await personal.purge(30) == {"conversations": 2, "consents": 1}
    assert [each.id for each in await conversations.list(ALICE, 10)] == ["new"]
    assert (await personal.consent(ALICE)).analytics
    assert not await database.rows("SELECT * FROM messages WHERE conversation_id = 'old'")
    await conversations.keep(ALICE, "new", message("again"))


async def test_an_answer_makes_a_conversation_young_again(
    conversations: Conversations, personal: Personal, database: Database
) -> None:
    await fill(conversations, personal, ALICE, "k1")
    await age(database, 31, "k1")
    await conversations.keep(ALICE, "k1", message("again"))
    assert (await personal.purge(30))["conversations"] == 0


async def test_of_many_schedulers_one_purges_and_only_once_a_day(
    conversations: Conversations, personal: Personal, settings: Settings, database: Database
) -> None:
    await fill(conversations, personal, ALICE, "old")
    await age(database, 31, "old")
    days = {"conversation_retention_days": 30, "record_retention_days": 0, "daily_tokens": 9}
    services = bootstrap(settings.model_copy(update=days))
    await services.limits.settle(await services.limits.reserve([Subject(ALICE)], 1), 5)
    await database.rows("UPDATE token_spending SET day = day - 1")
    done = await asyncio.gather(*[purge_daily(services) for _ in range(4)])
    assert [each for each in done if each is not None] == [{"conversations": 1, "consents": 1, "counters": 1}]
    assert await purge_daily(services) is None
    await database.rows("UPDATE daily_tasks SET done_at = now() - interval '25 hours'")
    with pytest.raises(AttributeError):
        await purge_daily(replace(services, personal=cast(Any, None)))
    assert await purge_daily(services) == {"conversations": 0, "consents": 0, "counters": 0}
    await services.aclose()


async def test_every_table_of_callers_is_erased(personal: Personal, database: Database) -> None:
    """Whoever adds a table with a `caller_id` adds it to the erasure; this fails until they do."""
    columns = await database.rows("""
        SELECT table_name FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name = 'caller_id' ORDER BY table_name
    """)
    assert [row["table_name"] for row in columns] == ["consents", "conversations", "open_answers"]
