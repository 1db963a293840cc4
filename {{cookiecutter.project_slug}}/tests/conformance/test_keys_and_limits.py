"""Keys, limits and budgets on the real PostgreSQL: exact, whatever happens at once, in however many processes."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import pytest

from chatbot.domain import LimitReached, Unavailable
from chatbot.settings import Settings
from chatbot.storage.api_keys import FORM, ApiKeys
from chatbot.storage.database import Database
from chatbot.storage.limits import Limits, RateLimitStatus, Reservation, Subject

pytestmark = pytest.mark.slow

KEPT = ("daily_salts", "request_rates", "token_spending")
MARIE = [Subject("visitor:marie")]
BOTH = [Subject("network:192.0.2.7", 10), Subject("visitor:marie")]


@pytest.fixture
async def second(settings: Settings, database: Database) -> AsyncIterator[Database]:
    """What another process has: a pool of its own."""
    second = Database(settings.database_url.get_secret_value())
    yield second
    await second.close()


# Keys -----------------------------------------------------------------------------------------------------------------


async def test_a_key_is_found_by_its_secret_until_it_is_revoked(database: Database, second: Database) -> None:
    keys, elsewhere = ApiKeys(database), ApiKeys(second)
    made, secret = await keys.create("the intranet", frozenset({"ask", "ingest"}))
    assert FORM.fullmatch(secret)
    assert secret.startswith(made.prefix)
    found = await elsewhere.find(secret)
    assert found == made
    assert (found.name, found.scopes, found.last_used_at) == ("the intranet", {"ask", "ingest"}, None)
    assert await keys.revoke(made.id)
    assert await elsewhere.find(secret) is None
    assert not await keys.revoke(made.id)
    [listed] = await keys.list()
    assert listed.revoked_at
    assert listed.last_used_at


async def test_what_is_no_key_is_not_found(database: Database) -> None:
    keys = ApiKeys(database)
    _, secret = await keys.create("one", frozenset({"ask"}))
    for wrong in ("", "cb_", secret[:-1], secret + "x", secret.swapcase(), "cb_\0", "é" * 46, f"cb_{'x' * 43}"):
        assert await keys.find(wrong) is None


async def test_only_the_hash_is_kept(database: Database) -> None:
    _, secret = await ApiKeys(database).create("one", frozenset({"ask"}))
    [row] = await database.rows("SELECT row_to_json(api_keys)::text AS text FROM api_keys")
    assert secret not in row["text"]
    assert secret[12:] not in row["text"]
    assert hashlib.sha256(secret.encode()).hexdigest() in row["text"]


async def test_its_last_use_is_noted_at_most_once_a_minute(database: Database) -> None:
    keys = ApiKeys(database)
    _, secret = await keys.create("one", frozenset({"ask"}))
    moments = []
    for _ in range(3):
        await keys.find(secret)
        moments.append((await keys.list())[0].last_used_at)
    assert moments[0] == moments[1] == moments[2]
    await database.rows("UPDATE api_keys SET last_used_at = last_used_at - interval '2 minutes'")
    await keys.find(secret)
    assert (await keys.list())[0].last_used_at >= moments[0]


# Requests a minute ----------------------------------------------------------------------------------------------------


async def granted(limits: Limits, subjects: list[Subject]) -> bool:
    try:
        return await limits.take(subjects) is not None
    except LimitReached:
        return False


async def test_many_at_once_over_two_pools_never_exceed_the_limit(database: Database, second: Database) -> None:
    limits = [Limits(database, 20, 0), Limits(second, 20, 0)]
    started = time.monotonic()
    outcomes = await asyncio.gather(*[granted(limits[number % 2], MARIE) for number in range(200)])
    refilled = int((time.monotonic() - started) / 3)
    assert 20 <= sum(outcomes) <= 20 + refilled


async def test_the_rate_comes_back_steadily(database: Database) -> None:
    limits = Limits(database, 600, 0)
    assert sum([await granted(limits, MARIE) for _ in range(600)]) == 600
    await database.rows("UPDATE request_rates SET free_at = now() + interval '60 seconds'")
    with pytest.raises(LimitReached) as refused:
        await limits.take(MARIE)
    assert refused.value.retry_after == 1
    await asyncio.sleep(0.35)
    assert sum([await granted(limits, MARIE) for _ in range(3)]) == 3


async def test_what_is_left_is_told(database: Database) -> None:
    limits = Limits(database, 3, 0)
    assert await limits.take(MARIE) == RateLimitStatus(3, 2, 20)
    await limits.take(MARIE)
    status = await limits.take(MARIE)
    assert status
    assert status.remaining == 0
    with pytest.raises(LimitReached, match="more than 3 requests") as refused:
        await limits.take(MARIE)
    assert 15 <= refused.value.retry_after <= 20


async def test_one_caller_is_not_anothers_and_a_network_bounds_them_all(database: Database) -> None:
    limits = Limits(database, 1, 0)
    visitors = [[BOTH[0], Subject(f"visitor:{number}")] for number in range(12)]
    assert [await granted(limits, each) for each in visitors] == [True] * 10 + [False] * 2
    [row] = await database.rows("SELECT count(*) AS number FROM request_rates")
    assert row["number"] == 11  # whom the network stops leaves no row


async def test_without_a_limit_nothing_is_written(database: Database) -> None:
    limits = Limits(database, 0, 0)
    assert await limits.take(BOTH) is None
    await use(limits, BOTH, 1000)
    for table in KEPT:
        assert await database.rows(f"SELECT * FROM {table}") == []


# Tokens a day ---------------------------------------------------------------------------------------------------------


async def use(limits: Limits, subjects: list[Subject], tokens: int) -> None:
    """What an answer takes that was thought to take 1."""
    await limits.settle(await limits.reserve(subjects, 1), tokens)


async def test_tokens_are_summed_over_all_processes(database: Database, second: Database) -> None:
    limits = [Limits(database, 0, 1000), Limits(second, 0, 1000)]
    await asyncio.gather(*[use(limits[number % 2], BOTH, 9) for number in range(110)])
    await use(limits[0], BOTH, 9)
    await use(limits[1], BOTH, 1)
    for each in limits:
        with pytest.raises(LimitReached, match="midnight") as refused:
            await each.reserve(BOTH, 1)
        assert 0 < refused.value.retry_after <= 86400
        await each.settle(await each.reserve([BOTH[0], Subject("visitor:paul")], 1), 0)
    rows = await database.rows("SELECT tokens FROM token_spending ORDER BY tokens")
    assert [row["tokens"] for row in rows] == [0, 1000, 1000]


async def test_many_questions_at_once_spend_no_more_than_there_is(database: Database, second: Database) -> None:
    limits = [Limits(database, 0, 1000), Limits(second, 0, 1000)]

    async def ask(number: int) -> bool:
        try:
            reserved = await limits[number % 2].reserve(BOTH, 300)
        except LimitReached:
            return False
        await asyncio.sleep(0.3)
        await limits[number % 2].settle(reserved, 250)
        return True

    assert sum(await asyncio.gather(*[ask(number) for number in range(60)])) == 4  # 300, 300, 300, and the 100 left
    rows = await database.rows("SELECT tokens FROM token_spending")
    assert [row["tokens"] for row in rows] == [1000, 1000]


async def test_a_network_has_a_budget_too(database: Database) -> None:
    limits = Limits(database, 0, 100)
    for number in range(10):
        await use(limits, [BOTH[0], Subject(f"visitor:{number}")], 100)
    with pytest.raises(LimitReached):
        await limits.reserve([BOTH[0]], 1)


async def test_who_is_refused_takes_nothing_of_the_network(database: Database) -> None:
    limits = Limits(database, 1, 0)
    assert [await granted(limits, BOTH) for _ in range(20)] == [True] + [False] * 19
    others = [[BOTH[0], Subject(f"visitor:{number}")] for number in range(12)]
    assert sum([await granted(limits, each) for each in others]) == 9


# What is kept ---------------------------------------------------------------------------------------------------------


async def test_all_processes_share_the_days_salt_and_names_cannot_be_read(database: Database, second: Database) -> None:
    limits = [Limits(each, 50, 50) for each in (database, second) for _ in range(4)]
    await asyncio.gather(*[each.take(BOTH) for each in limits])
    await asyncio.gather(*[use(each, BOTH, 1) for each in limits])
    assert len(await database.rows("SELECT * FROM daily_salts")) == 1
    rows = await database.rows("SELECT subject FROM request_rates UNION ALL SELECT subject FROM token_spending")
    assert len(rows) == 4
    assert len({row["subject"] for row in rows}) == 2
    assert not [row for row in rows if "marie" in row["subject"] or "192.0.2" in row["subject"]]


async def test_what_is_old_is_forgotten_and_todays_stays(database: Database) -> None:
    await Limits(database, 60, 1000).take(BOTH)
    await use(Limits(database, 60, 1000), BOTH, 5000)
    for table in ("daily_salts", "token_spending"):
        await database.rows(f"UPDATE {table} SET day = day - 1")
    await database.rows("UPDATE request_rates SET free_at = now() - interval '1 second'")
    limits = Limits(database, 60, 1000)
    await limits.take(BOTH)
    await use(limits, BOTH, 1)  # a new day, new tokens
    assert await limits.forget_old() == 5
    assert await limits.forget_old() == 0
    assert [len(await database.rows(f"SELECT * FROM {table}")) for table in KEPT] == [1, 2, 2]


async def test_without_the_database_nothing_passes() -> None:
    nowhere = Database("postgresql://postgres@127.0.0.1:1/none")
    limits = Limits(nowhere, 5, 5)
    try:
        for call in (
            limits.take(MARIE),
            limits.reserve(MARIE, 1),
            limits.settle(Reservation(("marie",), 1), 2),
            ApiKeys(nowhere).find("cb_" + "x" * 43),
        ):
            with pytest.raises(Unavailable):
                await call
    finally:
        await nowhere.close()
