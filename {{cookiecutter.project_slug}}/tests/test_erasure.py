"""After a user is erased there is no trace of them: in no table, in no log, in no metric."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
import pytest

from chatbot.storage.database import Database
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
