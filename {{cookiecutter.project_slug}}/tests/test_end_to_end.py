"""The whole bot on its real services: what a user uploads can be asked about, whatever dies in between."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2
import openai
import pytest
from mcp.client.client import Client

from tests.processes import NOWHERE, Process, chatbot, serving, until

ROOFS = b"# Rain on roofs\n\n## Slate\n\nSlate roofs shed rain water within two minutes.\n"
QUESTION = "How fast do slate roofs shed rain water?"


class Bot:
    """The processes of the Procfile, and what a user does with them."""

    def __init__(self, processes: Mapping[str, Process], client: httpx2.Client) -> None:
        self.processes, self.client = processes, client

    def upload(self, content: bytes, name: str = "roofs.md") -> httpx2.Response:
        return self.client.post("/v1/documents", files={"file": (name, content)})

    def job(self, upload: httpx2.Response) -> dict[str, Any]:
        assert upload.status_code == 202, upload.text
        return self.client.get(upload.headers["Location"]).json()

    def done(self, upload: httpx2.Response) -> dict[str, Any]:
        """The upload's job once it has ended."""
        return until(lambda: found if (found := self.job(upload))["state"] in ("succeeded", "failed", "dead") else None)

    def search(self, query: str) -> list[dict[str, Any]]:
        return self.client.post("/v1/search", json={"query": query}).json()["passages"]


@contextmanager
def site(pages: Mapping[str, bytes | str]) -> Iterator[int]:
    """A web server on this machine, with these pages; text is where a page redirects to. Its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages[self.path]
            self.send_response(200 if isinstance(page, bytes) else 302)
            if isinstance(page, str):
                self.send_header("Location", page)
            self.end_headers()
            self.wfile.write(page if isinstance(page, bytes) else b"")

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def bot(environ: dict[str, str]) -> Iterator[Bot]:
    with ExitStack() as stack:
        web, client = stack.enter_context(serving(environ))
        others = {name: stack.enter_context(chatbot(name, environ=environ)) for name in ("worker", "scheduler")}
        yield Bot({"web": web, **others}, client)


def test_a_document_from_upload_to_citation_to_deletion(bot: Bot) -> None:
    upload = bot.upload(ROOFS)
    assert bot.done(upload)["state"] == "succeeded"
    id = upload.json()["document"]["id"]
    assert [passage["source"] for passage in bot.search("slate")] == ["roofs.md"]

    answer = bot.client.post("/v1/chat", json={"question": QUESTION}).json()
    assert answer["grounded"]
    assert "[1]" in answer["answer"]
    cited = answer["citations"][0]
    assert (cited["document_id"], cited["source"], cited["heading"]) == (id, "roofs.md", "Slate")
    assert cited["quote"] in ROOFS.decode()

    again = bot.upload(ROOFS)
    assert (again.status_code, again.json()["state"]) == (200, "unchanged")
    assert len(bot.search("slate")) == 1

    assert bot.done(bot.upload(ROOFS.replace(b"two minutes", b"three minutes")))["state"] == "succeeded"
    assert ["three" in passage["text"] for passage in bot.search("slate")] == [True]

    assert bot.client.delete(f"/v1/documents/{id}").status_code == 204
    assert bot.search("slate") == []
    assert not bot.client.post("/v1/chat", json={"question": QUESTION}).json()["grounded"]
    assert {name: process.stop() for name, process in bot.processes.items()} == dict.fromkeys(bot.processes, 0)


def test_a_file_that_cannot_be_read_fails_with_its_reason(bot: Bot) -> None:
    job = bot.done(bot.upload(b"%PDF-1.7\nbroken", "broken.pdf"))
    assert (job["state"], job["attempts"]) == ("failed", 1)
    assert "broken.pdf" in job["error"]


@pytest.mark.slow
def test_a_url_from_its_request_to_its_passages(environ: dict[str, str]) -> None:
    with site({"/roofs.md": ROOFS, "/away": "http://169.254.169.254/latest/meta-data/"}) as port:
        allowed = {"FETCH_ALLOWED_HOSTS": "localhost", "FETCH_PORTS": f"80,{port}"}
        with (
            serving({**environ, **allowed}) as (web, client),
            chatbot("worker", environ={**environ, **allowed}) as worker,
        ):
            bot = Bot({}, client)

            def add(url: str) -> httpx2.Response:
                return client.post("/v1/documents", json={"url": url})

            good, away = add(f"http://localhost:{port}/roofs.md"), add(f"http://localhost:{port}/away")
            assert bot.done(good)["state"] == "succeeded"
            assert [passage["source"] for passage in bot.search("slate")] == [f"http://localhost:{port}/roofs.md"]
            assert bot.done(away)["state"] == "failed"
            assert bot.done(away)["error"].startswith("The URL redirects; the new one leads to a private")
            assert add(f"http://127.0.0.1:{port}/roofs.md").status_code == 422
            copy = bot.upload(ROOFS, "copy.md")
            assert (copy.status_code, copy.json()["state"]) == (200, "duplicate")
            assert copy.json()["document"]["source"] == f"http://localhost:{port}/roofs.md"
            for process in (web, worker):
                assert "localhost:" not in "".join(process.output())


@pytest.mark.slow
def test_a_bomb_fails_and_the_worker_lives(bot: Bot) -> None:
    job = bot.done(bot.upload(b"<div><!--</div>-->" * 50_000, "deep.html"))
    assert (job["state"], job["attempts"]) == ("failed", 1)
    assert job["error"] == "deep.html cannot be read: it takes too long (PARSE_SECONDS)."
    assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
    assert bot.processes["worker"].stop() == 0


def test_the_job_of_a_killed_worker_is_finished_by_another(bot: Bot, environ: dict[str, str]) -> None:
    sections = (f"## Stone {number}\n\nStone number {number} weighs {number} kilograms.\n" for number in range(160))
    upload = bot.upload(("# Stones\n\n" + "\n".join(sections)).encode(), "stones.md")
    until(lambda: bot.job(upload)["progress"])
    bot.processes["worker"].stop(signal.SIGKILL)
    assert bot.job(upload)["state"] == "running"
    with chatbot("worker", environ=environ) as fresh:
        job = bot.done(upload)
        assert (job["state"], job["attempts"]) == ("succeeded", 2)
        assert bot.client.get(f"/v1/documents/{job['document_id']}").json()["chunks"] == 160
        assert fresh.stop() == 0


def test_a_job_that_was_accepted_while_the_queue_was_down_is_done_later(bot: Bot, environ: dict[str, str]) -> None:
    bot.processes["scheduler"].stop()
    with serving({**environ, "QUEUE_URL": NOWHERE["QUEUE_URL"]}) as (_, client):
        cut_off = Bot({}, client)
        upload = cut_off.upload(ROOFS)
        assert cut_off.job(upload)["state"] == "pending"
    with chatbot("scheduler", environ=environ):
        assert bot.done(upload)["state"] == "succeeded"


def test_a_folder_can_be_handed_to_the_workers(bot: Bot, environ: dict[str, str], tmp_path: Any) -> None:
    (tmp_path / "roofs.md").write_bytes(ROOFS)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nbroken")
    with chatbot("ingest", str(tmp_path), "--queue", environ=environ) as command:
        until(lambda: command.code is not None)
        assert command.code == 1
        assert command.output()[0].startswith("2 files: 1 new, 0 changed, 0 unchanged, 1 failed; 1 chunks; in ")
    assert len(bot.search("slate")) == 1


@pytest.mark.slow
def test_a_key_made_on_the_command_line_works_in_all_web_processes_within_one_limit(environ: dict[str, str]) -> None:
    environ = {**environ, "ANONYMOUS_SCOPES": "none", "RATE_LIMIT_PER_MINUTE": "6"}
    with chatbot("keys", "create", "a program", environ=environ) as command:
        until(lambda: command.code is not None)
        [secret] = command.output()
    with serving(environ) as (one, first), serving(environ) as (other, second):
        ask = {"json": {"query": "slate"}, "headers": {"Authorization": f"Bearer {secret}"}}
        statuses = [client.post("/v1/search", **ask).status_code for client in (first, second) * 4]
        assert statuses[:6] == [200] * 6
        assert statuses[-1] == 429
        assert first.post("/v1/search", json={"query": "slate"}).status_code == 401
        assert [one.stop(), other.stop()] == [0, 0]
        for text in (*one.output(), *other.output(), one.errors(), other.errors()):
            assert secret not in text
            assert secret[:12] not in text


@pytest.mark.slow
def test_a_conversation_goes_on_at_another_process_when_its_own_was_killed(bot: Bot, environ: dict[str, str]) -> None:
    assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
    first = bot.client.post("/v1/chat", json={"question": QUESTION}).json()
    with serving(environ) as (_, other):
        other.cookies = bot.client.cookies
        bot.processes["web"].stop(signal.SIGKILL)
        assert not other.post("/v1/chat", json={"question": "Why is that?"}).json()["grounded"]
        asked = {"question": "Why is that?", "conversation_id": first["conversation_id"]}
        second = other.post("/v1/chat", json=asked).json()
        kept = other.get(f"/v1/conversations/{first['conversation_id']}").json()["messages"]
        assert [message["question"] for message in kept] == [QUESTION, "Why is that?"]
        for message, answer in zip(kept, (first, second), strict=True):
            assert message["answer"] == answer["answer"]
            assert message["citations"] == answer["citations"] != []


@pytest.mark.slow
def test_the_official_openai_client_asks_and_streams(bot: Bot) -> None:
    assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
    base = str(bot.client.base_url).rstrip("/") + "/v1"
    with openai.OpenAI(base_url=base, api_key="anonymous", http_client=httpx2.Client(trust_env=False)) as sdk:
        model = sdk.models.list().data[0].id
        ask: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
        message = sdk.chat.completions.create(**ask).choices[0].message
        assert message.content
        assert "within two minutes" in message.content
        assert message.content.endswith("Sources:\n\n- [1] Rain on roofs, Slate, roofs.md")
        for annotation in message.annotations or []:
            cited = annotation.url_citation
            assert message.content[cited.start_index : cited.end_index] == "[1]"
            assert cited.url.startswith(f"{base.removesuffix('/v1')}/#passage=")
        assert message.annotations
        chunks = list(sdk.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == message.content
        assert chunks[-1].usage
        assert bot.client.get("/v1/conversations").json()["conversations"] == []


@pytest.mark.slow
async def test_the_official_mcp_client_searches_reads_and_asks(bot: Bot) -> None:
    assert bot.done(bot.upload(ROOFS))["state"] == "succeeded"
    async with Client(str(bot.client.base_url).rstrip("/") + "/mcp") as assistant:
        found: Any = (await assistant.call_tool("search", {"query": QUESTION})).structured_content
        passage = found["passages"][0]
        part: Any = (await assistant.call_tool("get_document", {"id": passage["document_id"]})).structured_content
        assert part["document"]["source"] == "roofs.md"
        assert [each["chunk_id"] for each in part["passages"]] == [passage["chunk_id"]]
        assert part["next"] is None
        answer: Any = (await assistant.call_tool("ask", {"question": QUESTION})).structured_content
        assert "within two minutes" in answer["answer"]
        assert [each["document_id"] for each in answer["citations"]] == [passage["document_id"]]
        unknown = await assistant.call_tool("get_document", {"id": "unknown"})
        assert unknown.is_error
