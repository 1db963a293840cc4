"""No connection to PostgreSQL, and so no transaction and no lock, is held while another service is spoken to.

One that hangs would hold them too, and with ten of them every other query waits.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from chatbot import settings as settings_module
from chatbot.bootstrap import bootstrap
from chatbot.domain import JobRequest
from chatbot.ingestion.rebuild import rebuild
from chatbot.jobs.outbox import submit
from chatbot.ports import Queue
from chatbot.storage.documents import document_id
from tests.unit.memory import CountingEmbedder, parse_here

OTHERS = {
    "queue": {"send"},
    "embedder": {"embed_passages", "embed_query"},
    "vectors": {"create", "upsert", "search", "delete", "drop"},
}


HELD: ContextVar[bool] = ContextVar("held", default=False)
"""By this task, or by the one that began it: searches by words and by vectors run side by side."""


async def nothing(*_: object) -> None: ...


async def test_no_connection_is_held_while_another_service_is_spoken_to(
    environ: dict[str, str], broker: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`broker` is emptied at the end: nobody handles the messages that are sent here."""
    values = {name.lower(): value for name, value in environ.items()}
    services = bootstrap(settings_module.load(_env_file=None, **values), embedder=CountingEmbedder("held", 4))
    spoken = set[str]()
    connection = services.database._connection

    @asynccontextmanager
    async def counted() -> AsyncIterator[Any]:
        async with connection() as found:
            before = HELD.set(True)
            try:
                yield found
            finally:
                HELD.reset(before)

    async def watched(name: str, call: Any, *arguments: Any, **named: Any) -> Any:
        assert not HELD.get(), f"a connection is held while {name} is called"
        spoken.add(name)
        return await call(*arguments, **named)

    monkeypatch.setattr(services.database, "_connection", counted)
    for part, names in OTHERS.items():
        for name in names:
            port = getattr(services, part)
            monkeypatch.setattr(port, name, functools.partial(watched, f"{part}.{name}", getattr(port, name)))
    monkeypatch.setattr(services.ingester, "_parse", parse_here)
    try:
        await services.vectors.drop(await services.index.name())
        for text in ("one", "another"):
            content = f"# Stone\n\nThis is {text} stone.\n".encode()
            document, job = await services.ingester.register("a.md", "a.md", content, None, JobRequest("ingest"))
            assert job
            await submit(services.jobs, services.queue, job)
            begun = await services.jobs.start(job.id)
            assert begun
            await services.ingester.process(document.id, nothing, begun.claim)
            await services.jobs.succeed(begun.claim)
        assert await services.retriever.search("which stone", 5)
        parts = services.index, services.indexes, services.embeddings, services.documents, services.vectors
        await rebuild(*parts, lambda *_: None)
        await services.reconciler.run()
        await services.ingester.remove(document_id("a.md"))
        await services.vectors.drop(await services.index.name())
    finally:
        services.embedder.close = nothing  # type: ignore[method-assign]
        await services.aclose()
    assert {f"{part}.{name}" for part, names in OTHERS.items() for name in names} == spoken
