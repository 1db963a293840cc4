"""Each pipeline as a deployment, run to its end on a real Prefect server by a real worker, killed in its midst too."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatbot import settings as settings_module
from chatbot.bootstrap import Services, bootstrap
from chatbot.storage.pipeline_runs import PipelineRuns
from tests.conftest import LEASE, short_lived
from tests.prefect_server import PATIENCE, Server, serving
from tests.processes import until
from tests.unit import openai_server

pytestmark = pytest.mark.slow

MODEL = "deployed"
DOCUMENTS = [f"{name}.md" for name in ("gneiss", "marl", "tuff")]
QUESTIONS = "- question: How many grains has gneiss 1?\n  expected_documents: [gneiss.md]\n  expected_words: [grains]\n"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A corpus, questions about it, and a list of one page of the web."""
    with short_lived() as folder:
        (folder / "corpus").mkdir()
        for name in DOCUMENTS:
            stone = name.removesuffix(".md")
            parts = "".join(f"## Part {n}\n\nOf {stone} {n} there are {n} grains.\n\n" for n in range(20))
            (folder / "corpus" / name).write_text(f"# {stone}\n\n{parts}")
        (folder / "questions.yaml").write_text(QUESTIONS)
        (folder / "web").mkdir()
        (folder / "web" / "page.html").write_text("<title>Slag</title><p>Slag is what remains of ore.")
        yield folder


@pytest.fixture(scope="module")
def embedder() -> Iterator[openai_server.FakeOpenAI]:
    with openai_server.running() as fake:
        yield fake


@pytest.fixture(scope="module")
def prefect(
    place: Path, urls: dict[str, str], embedder: openai_server.FakeOpenAI
) -> Iterator[tuple[Server, dict[str, str]]]:
    """The server with a worker, on a database of its own that is migrated by its deployment."""
    quiet = functools.partial(Quiet, directory=str(place / "web"))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), quiet) as web,
        serving(place) as server,
    ):
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}).start()
        (place / "urls.txt").write_text(f"http://127.0.0.1:{web.server_port}/page.html\n")
        with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS deployed WITH (FORCE)")
            connection.execute("CREATE DATABASE deployed")
        fresh = {name: url.replace("/postgres?", "/deployed?") for name, url in urls.items()}
        environ = fresh | {
            **{"EMBEDDINGS_URL": embedder.url, "EMBEDDINGS_MODEL": MODEL, "JOB_LEASE": str(LEASE)},
            **{"CORPUS": str(place / "corpus"), "QUESTIONS": str(place / "questions.yaml")},
            **{"FETCH_PORTS": str(web.server_port), "FETCH_ALLOWED_HOSTS": "127.0.0.1"},
        }
        with server.worker(environ):
            server.complete(server.run("migrate"))
            yield server, environ
        web.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
async def services(prefect: Any) -> AsyncIterator[Services]:
    _, environ = prefect
    services = bootstrap(settings_module.load(_env_file=None, **{key.lower(): value for key, value in environ.items()}))
    yield services
    await services.aclose()


async def test_each_deployment_runs_to_its_end(prefect: Any, place: Path, services: Services) -> None:
    server, _ = prefect
    await services.database.ping()
    runs = [server.run("ingest"), server.run("harvest", {"corpus": f"urls:{place / 'urls.txt'}"})]
    old = "INSERT INTO conversations (id, caller_id, title, updated_at) VALUES ('old', 'visitor:1', 't', '2001-01-01')"
    await services.database.rows(old)
    server.complete(*runs)
    found = await services.documents.list(10)
    assert sorted(each.title for each in found) == ["Slag", "gneiss", "marl", "tuff"]
    assert all(each.state == "complete" for each in found)

    [active] = [each.name for each in await services.indexes.list() if each.active]
    await services.vectors.drop(active)
    parameters = {"report": {"folder": str(place / "report")}}
    runs = [server.run(name, parameters.get(name)) for name in ("index", "report", "purge")]
    server.complete(*runs)
    assert [id async for page in services.vectors.scan(active) for id in page] != []
    assert (place / "report" / "report.html").exists()
    assert await services.database.rows("SELECT FROM conversations") == []

    server.complete(server.run("benchmark"))
    rows = await services.database.rows("SELECT pipeline FROM pipeline_runs")
    assert {row["pipeline"] for row in rows} == {"harvest", "ingest", "index", "benchmark", "report", "purge"}


def test_the_same_command_runs_the_flow_under_the_server(prefect: Any, services: Services) -> None:
    server, environ = prefect
    before = {run["id"] for run in server.runs("purge")}
    done = server.command("python", "-m", "chatbot", "run", "purge", "--json", **environ)
    assert done.returncode == 0, done.stderr
    assert '"erased again": 0' in done.stdout
    [run] = [run for run in server.runs("purge") if run["id"] not in before]
    assert (run["state"]["name"], run["deployment_id"]) == ("Completed", None)


async def test_a_flow_is_not_run_beside_another(prefect: Any, services: Services) -> None:
    server, environ = prefect
    async with PipelineRuns(services.database).alone("purge"):
        done = await asyncio.to_thread(server.command, "python", "-m", "chatbot", "run", "purge", **environ)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "`run purge` is running already: wait for its end."


@pytest.mark.parametrize(
    ("name", "number"), [("ingest", signal.SIGKILL), ("ingest", signal.SIGTERM), ("index", signal.SIGKILL)]
)
async def test_a_run_that_was_killed_is_resumed_and_nothing_is_doubled(
    prefect: Any, place: Path, services: Services, embedder: openai_server.FakeOpenAI, name: str, number: int
) -> None:
    server, _ = prefect
    folder = place / f"{name}-{number}"
    folder.mkdir()
    for stone in "abcdefgh":
        (folder / f"{stone}.md").write_text(f"# {stone}\n\nWhat {stone} is at {number}.\n")

    def killed_and_resumed() -> None:
        embedder.thinking, known = 2.0, len(embedder.requests)
        run = server.run(name, {"corpus": str(folder)} if name == "ingest" else {})
        until(lambda: len(embedder.requests) > known, PATIENCE)
        [flow] = [each for each in server.processes() if "prefect.engine" in each.cmdline()]
        flow.send_signal(number)
        assert server.ended(run)["type"] == "CRASHED"
        embedder.thinking = 0.0
        server.again(run)
        server.complete(run)

    if name == "index":
        server.complete(server.run("ingest", {"corpus": str(folder)}))
        [active] = [each.name for each in await services.indexes.list() if each.active]
        await services.vectors.drop(active)
    await asyncio.to_thread(killed_and_resumed)
    await whole(services, folder)


async def whole(services: Services, folder: Path) -> None:
    """Each file of the folder is one complete document, and each chunk of all is in the active index, once."""
    documents = await services.documents.list(100)
    here = [each for each in documents if f"{folder.name}/" in each.source]
    assert sorted(each.title for each in here) == [*"abcdefgh"]
    assert {each.state for each in documents} == {"complete"}
    [active] = [each.name for each in await services.indexes.list() if each.active]
    of_it = "SELECT id, chunk_key FROM embeddings WHERE index_name = %(it)s"
    rows = await services.database.rows(of_it, {"it": active})
    keys = await services.database.rows("SELECT key FROM chunks")
    assert sorted(row["chunk_key"] for row in rows) == sorted(row["key"] for row in keys)
    points = [id async for page in services.vectors.scan(active) for id in page]
    assert sorted(points) == sorted(row["id"] for row in rows)


def test_a_server_that_does_not_answer_is_one_sentence(prefect: Any) -> None:
    server, environ = prefect
    nowhere = server.url.replace("/api", "/nothing")
    done = server.command("python", "-m", "chatbot", "run", "purge", **environ | {"PREFECT_API_URL": nowhere})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The Prefect server does not answer: check PREFECT_API_URL, or unset it to run without.\n"
