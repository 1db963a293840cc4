"""The command line: what it prints, its exit codes, and one sentence for whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from chatbot import bootstrap, settings
from chatbot.cli import main as cli
from chatbot.clients.fetch import Page
from chatbot.domain import Answer, ChatbotError, Chunk, Citation, Job, Message, Passage, Question, Unavailable
from tests.processes import NOWHERE, environment, python
from tests.unit.fakes import FakeConversations, FakeKeys, FakePersonal
from tests.unit.test_ingest import NOTE, World

QUOTE = "Slate sheds water quickly."
CITATION = Citation(1, "c1", "d1", "Rain", "rain.pdf", 3, "", QUOTE)
PASSAGE = Passage(Chunk("c1", "d1", 0, QUOTE, "Roofs", None, "en"), "Rain", "rain.md", 0.5)


class Answers:
    """An answerer and a retriever that remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.reply: Answer | Exception = Answer(f"{QUOTE} [1]", [CITATION], True, "en", "fake")

    async def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def search(self, text: str, limit: int) -> list[Passage]:
        self.asked.append((text, limit))
        return [PASSAGE]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """The commands work on services in memory, in an empty folder."""
    world = World()
    world.answerer = world.retriever = Answers()
    world.keys = FakeKeys()

    async def done(*_: object) -> None: ...

    @asynccontextmanager
    async def free(name: str) -> AsyncIterator[bool]:
        yield True

    world.database = SimpleNamespace(ping=done, lock=free, rows=done)
    world.aclose = done

    def connect(loaded: settings.Settings) -> World:
        world.settings = loaded
        return world

    monkeypatch.setattr(bootstrap, "bootstrap", connect)
    monkeypatch.setattr(settings, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, url in NOWHERE.items():
        monkeypatch.setenv(name, url)
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


# Help and errors ------------------------------------------------------------------------------------------------------


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("path", "command"), [*commands(cli.main)], ids=lambda value: str(value))
def test_every_command_teaches_with_an_example_that_parses(path: tuple[str, ...], command: click.Command) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert f"chatbot {path[0]}" in result.output.split("Example")[1]
    assert all(p.help for p in command.params if isinstance(p, click.Option) and p.name != "help")


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, chatbot.cli.main; print([m for m in HEAVY if m in sys.modules])"
    heavy = ("fastapi", "psycopg", "numpy", "rich", "pydantic", "httpx2", "openai", "onnxruntime", "pypdfium2")
    assert python(code.replace("HEAVY", repr(heavy))) == "[]"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(Unavailable("The model", "start it."), "The model does not answer: start it."), (ChatbotError("No."), "No.")],
)
def test_an_error_is_one_sentence_on_stderr(world: World, error: Exception, sentence: str) -> None:
    world.answerer.reply = error
    result = run("ask", "Why?")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence + "\n")


def test_ctrl_c_is_130_without_a_traceback(world: World) -> None:
    world.answerer.answer = interrupted
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        result = run("ask", "Why?")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.exit_code, result.output) == (130, ""), repr(result.exception)


async def interrupted(_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(1)


def test_wrong_usage_is_2() -> None:
    assert run("ask").exit_code == 2
    assert run("jobs", "requeue").exit_code == 2
    assert run("search", "rain", "--limit", "0").exit_code == 2


@pytest.mark.slow
def test_settings_errors_name_every_variable(tmp_path: Path) -> None:
    environ = environment(DATABASE_URL="mysql://u:hunter2@h/d", PORT="eighty", PASSAGES="0")
    result = subprocess.run(
        [sys.executable, "-m", "chatbot", "worker"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert all(name in result.stderr for name in ("DATABASE_URL", "PORT", "PASSAGES"))
    assert "hunter2" not in result.stderr
    assert "Traceback" not in result.stderr


# Questions ------------------------------------------------------------------------------------------------------------


def test_an_answer_is_shown_with_its_citations(world: World) -> None:
    result = run("ask", "Which roof is quick?")
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"{QUOTE} [1]", "", "[1] Rain, page 3", "    rain.pdf", f"    “{QUOTE}”"]
    assert world.answerer.asked == [Question("Which roof is quick?", "en")]


def test_the_language_is_the_questions_unless_it_is_given(world: World) -> None:
    run("ask", "Quel est le toit le plus rapide sous la pluie ?")
    run("ask", "Which roof is quick?", "--language", "fr")
    assert [question.language for question in world.answerer.asked] == ["fr", "fr"]


def test_no_evidence_is_no_failure(world: World) -> None:
    world.answerer.reply = Answer("The documents hold no answer.", [], False, "en", "fake")
    result = run("ask", "Why?")
    assert (result.exit_code, result.output) == (0, "The documents hold no answer.\n")


def test_an_answer_as_json(world: World) -> None:
    answer = json.loads(run("ask", "Which roof?", "--json").stdout)
    assert answer["grounded"] is True
    assert answer["citations"][0]["quote"] == QUOTE


def test_passages_are_shown(world: World) -> None:
    result = run("search", "roof", "--limit", "3")
    assert result.output.splitlines()[:3] == ["1. Rain, Roofs", "    rain.md", f"    “{QUOTE}”"]
    assert world.retriever.asked == [("roof", 3)]
    assert json.loads(run("search", "roof", "--json").stdout)[0]["chunk"]["text"] == QUOTE


# Documents ------------------------------------------------------------------------------------------------------------


def write(**contents: bytes) -> None:
    for name, content in contents.items():
        path = Path(name.replace("__", "/") + ".md")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def test_an_ingestion_says_what_became_of_each_file(world: World) -> None:
    write(docs__a=NOTE, docs__b=NOTE, docs__empty=b"---\n---\n")
    Path("docs/film.mp4").touch()
    result = run("ingest", "docs")
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "3 files: 2 new, 0 changed, 0 unchanged, 1 failed; 4 chunks (4 embedded); 2 pages in "
    )
    assert result.stdout.endswith("; 1 file skipped\n")
    assert [line.split()[0] for line in result.stderr.splitlines()] == ["new", "new", "docs/empty.md:", "skipped"]
    assert result.stderr.endswith("docs/film.mp4: files of type .mp4 cannot be read\n")
    Path("docs/empty.md").unlink()
    assert run("ingest", "docs").stdout.startswith("2 files: 0 new, 0 changed, 2 unchanged, 0 failed; 4 chunks; in ")


def test_what_was_left_out_is_said_everywhere(world: World) -> None:
    Path("page.html").write_bytes(b"<p>The pool opens at ten.</p><p hidden>" + b"secret " * 20 + b"</p>")
    said = "20 of 25 words left out: 20 hidden"
    assert f"WARNING: {said}" in run("ingest", "page.html").stderr
    assert said in run("jobs", "list").stdout
    assert f"WARNING: {said}" in run("documents", "list").stdout
    write(a=NOTE)
    run("ingest", "a.md")
    shown = json.loads(run("documents", "list", "--partial", "--json").stdout)
    assert [(each["source"], each["reading"]["left_out"]) for each in shown] == [("page.html", {"hidden": 20})]


def test_documents_are_cited_for_a_bibliography(world: World) -> None:
    write(a=b"---\nauthors: [Ada Stone]\nyear: 2021\n---\n# Rain on roofs\n\nIt runs off.\n", b=NOTE)
    run("ingest", "a.md", "b.md")
    assert run("documents", "cite", "a.md").stdout.startswith("@misc{Stone2021,\n  author = {Ada Stone},\n")
    assert len(json.loads(run("documents", "cite", "--format", "csl").stdout)) == 2
    refused = run("documents", "cite", "c.md")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "There is no document c.md: `chatbot documents list` shows them.\n",
    )


def test_an_ingestion_as_json(world: World) -> None:
    write(a=NOTE)
    shown = json.loads(run("ingest", "a.md", "--json").stdout)
    assert [(each["source"], each["state"]) for each in shown["documents"]] == [("a.md", "new")]


def test_urls_are_ingested_beside_files(world: World) -> None:
    world.web.pages["https://example.org/a"] = Page(NOTE.replace(b"Slate", b"Straw"), "text/markdown")
    Path("a.md").write_bytes(NOTE)
    first = run("ingest", "a.md", "HTTPS://Example.org/a#top", "http://127.0.0.1/b")
    assert first.exit_code == 1
    assert "private or reserved address" in first.stderr
    assert first.stdout.startswith("3 files: 2 new, 0 changed, 0 unchanged, 1 failed; 4 chunks (4 embedded); ")
    again = run("ingest", "https://example.org/a")
    assert again.stdout.startswith("1 file: 0 new, 0 changed, 1 unchanged, 0 failed; 2 chunks; in ")
    assert run("ingest", "https://example.org/a", "--remove").stdout == "1 documents removed\n"


def test_nothing_to_ingest_is_an_error(world: World) -> None:
    Path("film.mp4").touch()
    for path in ("film.mp4", "nowhere"):
        result = run("ingest", path)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1


def test_removal_takes_a_folder_out_and_leaves_its_neighbour(world: World) -> None:
    write(docs__a=NOTE, docs2__a=NOTE)
    run("ingest", "docs", "docs2")
    assert run("ingest", "docs", "--remove").stdout == "1 documents removed\n"
    assert [row.source for row in world.documents.rows.values()] == ["docs2/a.md"]


def test_the_corpus_is_ingested_and_pruned_on_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUS", "docs")
    write(docs__a=NOTE, docs__b=NOTE, other__c=NOTE)
    run("ingest", "other")
    assert run("run", "ingest").exit_code == 0
    Path("docs/b.md").unlink()
    run("run", "ingest")
    assert len(world.documents.rows) == 3
    run("run", "ingest", "--prune")
    assert sorted(row.source for row in world.documents.rows.values()) == ["docs/a.md", "other/c.md"]
    assert run("run", "ingest", "--if-empty").stdout == ""


def test_the_manual_leaves_when_the_corpus_is_another_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(docs__a=NOTE, corpus__b=NOTE)
    Path("corpus/README.md").write_text("---\ningest: false\n---\n# Put your files here\n", "utf-8")
    monkeypatch.setenv("CORPUS", "docs")
    assert run("run", "ingest", "--if-empty").exit_code == 0
    monkeypatch.setenv("CORPUS", "corpus")
    result = run("run", "ingest", "--if-empty")
    assert "new 1, changed 0, unchanged 0, failed 0, skipped 1, manual removed 1." in result.stdout
    assert "corpus/README.md: skipped: its front matter says that it is no document" in result.stdout
    assert [row.source for row in world.documents.rows.values()] == ["corpus/b.md"]
    assert run("run", "ingest", "--if-empty").stdout == ""


def test_the_manual_stays_while_the_corpus_has_no_document(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(docs__a=NOTE)
    run("ingest", "docs")
    Path("corpus").mkdir()
    monkeypatch.setenv("CORPUS", "corpus")
    run("run", "ingest")
    assert [row.source for row in world.documents.rows.values()] == ["docs/a.md"]


def test_documents_beside_the_manual_are_told_from_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(docs__a=NOTE, papers__b=NOTE)
    monkeypatch.setenv("CORPUS", "docs")
    assert "chatbot ingest docs --remove" in run("ingest", "papers").stderr
    assert "--remove" not in run("ingest", "docs").stderr


# Users ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def kept(world: World) -> FakeConversations:
    conversations = FakeConversations()
    answer = Answer(QUOTE, [CITATION], True, "en", "fake")
    await conversations.keep("visitor:a", "k1", Message("m1", "Which roof?", answer), title="Which roof?")
    world.conversations, world.personal = conversations, FakePersonal(conversations)
    return conversations


def test_a_user_is_exported(kept: FakeConversations) -> None:
    shown = json.loads(run("export-user", "visitor:a").stdout)
    assert shown["conversations"][0]["messages"][0]["question"] == "Which roof?"
    result = run("export-user", "visitor:a", "--output", "user.json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(Path("user.json").read_text("utf-8")) == shown
    assert Path("user.json").stat().st_mode & 0o077 == 0
    unknown = run("export-user", "visitor:b")
    assert (unknown.exit_code, unknown.stderr) == (1, "Nothing is kept of this user.\n")


def test_a_user_is_erased_when_that_is_confirmed(kept: FakeConversations) -> None:
    assert run("erase-user", "visitor:a").exit_code == 1
    assert kept.rows
    erased = "Erased: 1 conversations, 1 messages, 0 feedback, 0 consents.\n"
    assert run("erase-user", "visitor:a", "--yes").stdout == erased
    assert not kept.rows


# Keys -----------------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_alone_on_stdout(world: World) -> None:
    made = run("keys", "create", "the intranet", "--scope", "ask", "--scope", "ingest")
    secret = made.stdout.strip()
    assert secret in world.keys.rows
    assert "for ask, ingest" in made.stderr
    for shown in (run("keys", "list"), run("keys", "list", "--json"), run("keys", "revoke", "k0"), run("keys", "list")):
        assert shown.exit_code == 0
        assert secret not in shown.output
    assert "revoked" in shown.output
    assert secret[:9] in shown.output
    assert json.loads(run("keys", "list", "--json").stdout)[0]["scopes"] == ["ask", "ingest"]


def test_a_key_may_ask_unless_it_is_said_otherwise(world: World) -> None:
    secret = run("keys", "create", "a phone").stdout.strip()
    assert world.keys.rows[secret].scopes == {"ask"}
    assert run("keys", "create", "x", "--scope", "everything").exit_code == 2
    assert run("keys", "create", " ").exit_code == 2


def test_a_key_that_is_not_there_cannot_be_revoked(world: World) -> None:
    assert (run("keys", "revoke", "k9").exit_code, len(world.keys.rows)) == (1, 0)


# Jobs and configuration -----------------------------------------------------------------------------------------------


def test_jobs_are_listed_and_requeued(world: World) -> None:
    world.tables.jobs |= {id: Job(id, "ingest", None, "dead", 5, error="It failed.") for id in ("j1", "j2")}
    world.jobs.rows["j3"] = Job("j3", "ingest", None, "succeeded", 1)
    listed = run("jobs", "list", "--state", "dead").stdout
    assert listed.count("It failed.") == 2
    assert "j3" not in listed
    refused = run("jobs", "requeue", "j1", "j3")
    assert (refused.exit_code, refused.stderr) == (1, "Neither dead nor failed: j3\n")
    assert run("jobs", "requeue", "--all").exit_code == 0
    assert [job.state for job in world.jobs.rows.values()] == ["pending", "pending", "succeeded"]


def test_a_job_that_waits_for_what_is_down_says_so(world: World) -> None:
    since, sentence = datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "The embeddings API does not answer."
    world.jobs.rows["j1"] = Job("j1", "ingest", None, "pending", error=sentence, waiting_since=since)
    assert "waits since 2026-03-01 09:30  The embeddings API does not answer." in run("jobs", "list").stdout


def test_a_reconciliation_says_what_it_found(world: World) -> None:
    write(a=NOTE)
    run("ingest", "a.md")
    shown = run("run", "reconcile").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["0"] * 6
    world.points().clear()
    found = json.loads(run("run", "reconcile", "--json").stdout)
    assert (found["missing"], found["not_embedded"], found["orphans"]) == (2, 1, 0)


def test_a_fast_ingestion_leaves_the_embedding_to_the_workers(world: World) -> None:
    write(a=NOTE)
    result = run("ingest", "a.md", "--fast")
    assert result.exit_code == 0
    assert "; 2 chunks (0 embedded); " in result.stdout
    (document,) = world.documents.rows.values()
    assert (document.state, document.chunks, world.embedder.texts) == ("words", 2, [])
    assert [(job.state, job.attempts) for job in world.jobs.rows.values()] == [("pending", 0)]


@pytest.mark.parametrize("parse", [json.loads, lambda text: dict(line.split("=", 1) for line in text.splitlines())])
def test_the_configuration_is_shown_masked(world: World, parse: Callable[[str], dict[str, str]]) -> None:
    arguments = ("--json",) if parse is json.loads else ()
    result = run("config", "show", *arguments)
    assert list(parse(result.stdout)) == settings.variables()
    assert "s3cret" not in result.output
    assert run("config", "check").exit_code == 0
