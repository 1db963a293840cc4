"""After a user is erased there is no trace of them: in no table, in no log, in no metric, and after no restore."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import psycopg
import pytest

from chatbot.storage.database import Database
from services.postgres import programs
from tests.processes import Process, chatbot, serving, until

CANARY = "Wolpertinger"
BYSTANDER = "Tatzelwurm"


async def dump(database: Database) -> str:
    """Every row of every table of the database, as text."""
    tables = await database.rows("""
        SELECT table_schema || '.' || quote_ident(table_name) AS name FROM information_schema.tables
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
    """)
    rows = [await database.rows(f"SELECT each::text AS row FROM {table['name']} AS each") for table in tables]
    return "\n".join(row["row"] for table in rows for row in table)


def talk(client: httpx2.Client, word: str) -> str:
    """Ask, go on streamed, fail, rate, agree; the visitor's id."""
    first = client.post("/v1/chat", json={"question": f"What has a {word}?"}).json()
    again = {"question": f"And the {word}?", "conversation_id": first["conversation_id"], "stream": True}
    assert "event: done" in client.post("/v1/chat", json=again).text
    assert client.post("/v1/chat", json={**again, "conversation_id": word}).status_code == 404
    rated = {"message_id": first["message_id"], "rating": "down", "comment": f"No {word} here"}
    assert client.post("/v1/feedback", json=rated).status_code == 200
    assert client.put("/v1/me/consent", json={"analytics": True}).status_code == 200
    return client.cookies["visitor"]


def output(*processes: Process) -> str:
    return "\n".join(line for process in processes for line in [*process.output(), process.errors()])


@pytest.mark.parametrize("by_command", [False, True], ids=["DELETE /v1/me", "erase-user"])
async def test_erasing_leaves_no_trace(environ: Mapping[str, str], database: Database, by_command: bool) -> None:
    environ = {**environ, "LOG_LEVEL": "DEBUG"}
    with (
        serving(environ) as (web, client),
        chatbot("worker", environ=environ) as worker,
        chatbot("scheduler", environ=environ) as scheduler,
    ):
        visitor = talk(client, CANARY)
        with httpx2.Client(base_url=client.base_url, timeout=60, trust_env=False) as other:
            bystander = talk(other, BYSTANDER)
        before = await dump(database)
        assert all(trace in before for trace in (visitor, CANARY, bystander, BYSTANDER))

        if by_command:
            with chatbot("erase-user", f"visitor:{visitor}", "--yes", environ=environ) as command:
                until(lambda: command.code is not None)
                assert command.output() == ["Erased: 1 conversations, 2 messages, 1 feedback, 1 consents."]
        else:
            assert client.delete("/v1/me").status_code == 204

        after = await dump(database)
        assert all(trace in after for trace in (bystander, BYSTANDER))
        everything = after + client.get("/metrics").text + output(web, worker, scheduler)
        assert "/v1/chat" in everything
        assert [trace for trace in (visitor, CANARY) if trace in everything] == []
        words = output(web, worker, scheduler)
        assert [trace for trace in (bystander, BYSTANDER) if trace in words] == []


@pytest.fixture
async def backed_up(environ: dict[str, str]) -> AsyncIterator[tuple[dict[str, str], Database]]:
    """The environment of a bot with a database of its own, which may be dropped, and that database."""
    await recreate(environ["DATABASE_URL"])
    own = {name: value.replace("/postgres?", "/backed_up?") for name, value in environ.items()}
    command(own, "run", "migrate")
    database = Database(own["DATABASE_URL"])
    yield own, database
    await database.close()


async def recreate(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("DROP DATABASE IF EXISTS backed_up WITH (FORCE)")
        await connection.execute("CREATE DATABASE backed_up")


def postgres(program: str, *arguments: str) -> None:
    with programs() as path:
        subprocess.run([path / program, *arguments], check=True)


def command(environ: Mapping[str, str], *words: str) -> str:
    """What it says, on both streams."""
    with chatbot(*words, environ=environ) as process:
        until(lambda: process.code is not None)
        assert process.code == 0, process.errors()
        return output(process)


async def test_a_restore_brings_back_nobody_who_was_erased(
    environ: dict[str, str], backed_up: tuple[dict[str, str], Database], folder: Path
) -> None:
    own, database = backed_up
    saved, backup, url = folder / "tombstones.txt", folder / "chatbot.dump", own["DATABASE_URL"]
    with serving(own) as (_, client):
        visitor = talk(client, CANARY)
        with httpx2.Client(base_url=client.base_url, timeout=60, trust_env=False) as other:
            bystander = talk(other, BYSTANDER)
        postgres("pg_dump", "--format=custom", f"--file={backup}", url)
        assert client.delete("/v1/me").status_code == 204
    said = command(own, "run", "purge", "--save-tombstones", str(saved))
    assert [trace for trace in (visitor, CANARY) if trace in await dump(database) + saved.read_text() + said] == []

    await database.close()
    await recreate(environ["DATABASE_URL"])
    postgres("pg_restore", f"--dbname={url}", str(backup))
    restored = await dump(database)
    assert all(trace in restored for trace in (visitor, CANARY, bystander, BYSTANDER))

    for again in (2, 0):
        said = command(own, "run", "purge", "--tombstones", str(saved), "--json")
        assert json.loads(said)["erased again"] == again, "a conversation and what they agreed to, then nothing"
        after = await dump(database)
        assert all(trace in after for trace in (bystander, BYSTANDER))
        assert [trace for trace in (visitor, CANARY) if trace in after + said] == []
    audit = await database.rows("SELECT figures FROM pipeline_runs WHERE pipeline = 'purge' ORDER BY id")
    assert [row["figures"]["erased again"] for row in audit] == [2, 0]
    assert all(isinstance(value, int) for row in audit for value in row["figures"].values()), "numbers, no person"
