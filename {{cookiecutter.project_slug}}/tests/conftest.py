"""The real services, started once for all tests that ask for them; plain unit tests start nothing.

A test gets what it names: `urls` (the servers), `settings`, `database` (migrated, emptied tables), `documents`, `jobs`,
`lexical`, `vectors` (with `index`, a fresh one), `broker` (an empty queue whose lease is 2 s), `environ` (the variables
of processes that a test starts on these services), `folder` (for services of the test's own).

Variables of the developer's own shell are not looked at, so that no test ever empties somebody's database; but with
VECTOR_DB_URL the conformance tests of the vector store run against that server, in indexes of their own. Where a server
is not installed, the tests that need it are skipped and say so; under CI they fail.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import tomllib
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import services
from chatbot import settings as settings_module
from chatbot.chosen import queue, vector_store
from chatbot.domain import Chunk, Language, Unavailable
from chatbot.ports import Queue, VectorStore
from chatbot.runtime.migrate import migrate
from chatbot.settings import Settings
from chatbot.storage.bm25 import LexicalIndex
from chatbot.storage.database import Database
from chatbot.storage.documents import Description, Documents
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes
from chatbot.storage.jobs import Jobs
from tests.programs import not_installed

SERVICES = tomllib.loads((settings_module.home() / "services" / "services.toml").read_text())
CONFORMANCE = {
    "vector_db": "tests/conformance/test_vector_store.py",
    "queue": "tests/conformance/test_queue.py",
    "secrets_backend": "tests/conformance/test_secrets.py",
}
TABLES = [
    "documents",
    "document_versions",
    "readings",
    "originals",
    "chunks",
    "postings",
    "term_statistics",
    "corpus_statistics",
    "indexes",
    "embeddings",
    "jobs",
]
TABLES += ["api_keys", "daily_salts", "request_rates", "token_spending"]
TABLES += ["conversations", "messages", "shares", "feedback", "consents", "erasures", "daily_tasks", "open_answers"]
TABLES += ["harvests", "harvested", "pipeline_runs", "schedule_ticks"]
LEASE = 2.0
"""Seconds."""
DIMENSION = 16


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "urls" in getattr(item, "fixturenames", ()):
            item.add_marker("services")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """For each choice: what the conformance tests ran against, and how many passed."""
    lines = []
    for factor, choice in SERVICES["choices"].items():
        file = CONFORMANCE[factor]
        passed, failed, skipped = (
            sum(report.nodeid.startswith(file) for report in terminalreporter.getreports(outcome))
            for outcome in ("passed", "failed", "skipped")
        )
        named = factor == "vector_db" and os.environ.get("VECTOR_DB_URL")
        against = "the server of VECTOR_DB_URL" if named else SERVICES["tested"][factor]
        if passed + failed + skipped:
            counts = f"{passed} passed, {failed} failed, {skipped} skipped"
            lines.append(f"{factor:<16}{choice:<10}{counts:<33}{against}")
    if lines:
        terminalreporter.section("conformance: each choice, and what it was tested against")
        terminalreporter.write_line("\n".join(lines))


@contextmanager
def short_lived() -> Iterator[Path]:
    """A folder that is gone afterwards. Its path is short, which sockets want, and pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="chatbot-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def started(folder: Path) -> Iterator[dict[str, str]]:
    """The services in that folder. When one is not installed: a skip on a laptop, a failure under CI. When one does not
    start: a failure everywhere."""
    with ExitStack() as stack:
        try:
            urls = stack.enter_context(services.start(folder, {}))
        except services.NotInstalled as error:
            not_installed(str(error))
        yield urls


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_lived() as path:
        yield path


@pytest.fixture(scope="session")
def urls() -> Iterator[dict[str, str]]:
    with short_lived() as path, started(path) as running:
        yield running


@pytest.fixture(scope="session")
async def settings(urls: dict[str, str]) -> Settings:
    """Settings over the started services, with migrated tables."""
    values = {variable.lower(): url for variable, url in urls.items()}
    loaded = settings_module.load(_env_file=None, **values, job_lease=LEASE, shutdown_grace=5)
    await migrate(loaded)
    return loaded


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url.get_secret_value())
    await database.rows(f"TRUNCATE {', '.join(TABLES)}")
    yield database
    await database.close()


@pytest.fixture
def environ(urls: dict[str, str], database: Database) -> dict[str, str]:
    return {**urls, "JOB_LEASE": str(LEASE), "SHUTDOWN_GRACE": "5"}


@pytest.fixture
def documents(database: Database) -> Documents:
    return Documents(database)


async def publish(
    documents: Documents, id: str, chunks: Sequence[Chunk], title: str = "A title", language: Language = "en"
) -> bool:
    """Make these the chunks of what was accepted last; False when something else was meanwhile."""
    wanted = await documents.wanted(id)
    assert wanted is not None
    return await documents.switch(wanted, chunks, Description(title, language, wanted.metadata))


@pytest.fixture
def indexes(database: Database) -> Indexes:
    return Indexes(database)


@pytest.fixture
def embeddings(database: Database) -> Embeddings:
    return Embeddings(database)


@pytest.fixture
def lexical(database: Database) -> LexicalIndex:
    return LexicalIndex(database)


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, max_attempts=3, lease=LEASE)


@pytest.fixture
async def vectors(settings: Settings) -> AsyncIterator[VectorStore]:
    named = os.environ.get("VECTOR_DB_URL")
    store = vector_store.connect(named or settings.vector_db_url.get_secret_value())
    if named:
        await answering(store)
    yield store
    await store.close()


async def answering(store: VectorStore, patience: float = 90) -> None:
    """Wait for a server that somebody else started, perhaps a moment ago."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await store.ping()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


@pytest.fixture
async def index(vectors: VectorStore) -> AsyncIterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    await vectors.create(name, DIMENSION)
    yield name
    await vectors.drop(name)


@pytest.fixture
async def broker(settings: Settings) -> AsyncIterator[Queue]:
    broker = queue.connect(settings.queue_url.get_secret_value(), LEASE)
    yield broker
    await empty(broker)
    await broker.close()


async def empty(broker: Queue) -> None:
    """Acknowledge whatever a test left, once its lease has run out."""
    stop = asyncio.Event()

    async def forget(_: str) -> None: ...

    async def watch() -> None:
        while await broker.depth():  # noqa: ASYNC110 - the broker tells nobody when it becomes empty
            await asyncio.sleep(0.05)
        stop.set()

    await asyncio.gather(broker.run(forget, 10, stop), watch())
