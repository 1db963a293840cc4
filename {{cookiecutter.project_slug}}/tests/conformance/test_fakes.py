"""What the unit tests' fakes promise, PostgreSQL keeps: each contract runs on the fake and on the real thing.

A contract holds what callers rely on and a fake can do; what only a database does, with many processes at once, in time
and in crashes, is tested on the real thing alone, beside this file. A fake has no call that the real one has not.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from chatbot.answering.answer import Answerer
from chatbot.answering.retrieve import Retriever
from chatbot.domain import (
    Answer,
    Chunk,
    Claim,
    ClaimLost,
    Consent,
    Document,
    Feedback,
    JobRequest,
    LimitReached,
    Match,
    Message,
    NotFound,
    Turn,
    UnreadableDocument,
)
from chatbot.ingestion.ingest import Ingester
from chatbot.ingestion.reconcile import Reconciler
from chatbot.ports import Embedder, LanguageModel, Queue, VectorStore
from chatbot.storage.api_keys import FORM, ApiKeys
from chatbot.storage.conversations import Conversations
from chatbot.storage.database import Database
from chatbot.storage.documents import AlreadyAccepted, Description, Documents, NewVersion, document_id
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes
from chatbot.storage.jobs import Jobs
from chatbot.storage.limits import Limits, RateLimitStatus, Subject
from chatbot.storage.personal import Personal
from chatbot.storage.streams import OpenAnswers
from tests.conftest import publish
from tests.unit import fakes, memory

pytestmark = pytest.mark.slow

REAL = {
    fakes.FakeAnswerer: Answerer,
    fakes.FakeConversations: Conversations,
    fakes.FakeDatabase: Database,
    fakes.FakeDocuments: Documents,
    fakes.FakeIngester: Ingester,
    fakes.FakeJobs: Jobs,
    fakes.FakeKeys: ApiKeys,
    fakes.FakeLimits: Limits,
    fakes.FakeModel: LanguageModel,
    fakes.FakeOpenAnswers: OpenAnswers,
    fakes.FakePersonal: Personal,
    fakes.FakeReconciler: Reconciler,
    fakes.FakeRetriever: Retriever,
    memory.CountingEmbedder: Embedder,
    memory.MemoryDocuments: Documents,
    memory.MemoryEmbeddings: Embeddings,
    memory.MemoryIndexes: Indexes,
    memory.MemoryJobs: Jobs,
    memory.MemoryVectors: VectorStore,
}
"""Each fake, and what it stands for; FakeResource stands for a vector store and a queue."""
HELPERS = {"of", "sent", "send", "depth"}
"""Calls of the tests' own: what a conversation's owner has, and a queue's in the fake of all attached resources."""
ALICE, BOB = "visitor:alice", "visitor:bob"
ANSWER = Answer("It does [1].", [], True, "en", "extractive")


def calls(kind: type) -> dict[str, inspect.Signature]:
    """The public methods of a class, and what they take."""
    public = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(method) for name, method in public if not name.startswith("_")}


def taken(signature: inspect.Signature) -> dict[str, inspect.Parameter]:
    """The parameters by name, but for self."""
    return {name: each for name, each in signature.parameters.items() if name != "self"}


@pytest.mark.parametrize(("fake", "real"), REAL.items(), ids=lambda kind: kind.__name__)
def test_a_fake_takes_what_the_real_one_takes(fake: type, real: type) -> None:
    """No other calls, no other parameters; what the real one needs, the fake takes."""
    there = calls(real)
    for name, signature in calls(fake).items():
        if name in HELPERS - there.keys():
            continue
        assert name in there, name
        own, wanted = taken(signature), taken(there[name])
        rest = any(each.kind is each.VAR_KEYWORD for each in own.values())
        named = {key for key, each in own.items() if each.kind is not each.VAR_KEYWORD}
        assert named <= wanted.keys(), name
        needed = {key for key, each in wanted.items() if each.default is each.empty}
        assert rest or needed <= named, name


@pytest.mark.parametrize("port", [VectorStore, Queue])
def test_the_fake_of_an_attached_resource_has_calls_of_its_ports_only(port: type) -> None:
    ports = calls(VectorStore) | calls(Queue)
    assert calls(fakes.FakeResource).keys() <= ports.keys()
    assert calls(fakes.FakeResource).keys() & calls(port).keys() >= {"ping", "close"}


@pytest.fixture(params=["the fake", pytest.param("PostgreSQL", marks=pytest.mark.services)])
def real(request: pytest.FixtureRequest) -> Database | None:
    """The database for the real thing, None for the fake."""
    return request.getfixturevalue("database") if request.param == "PostgreSQL" else None


# Conversations --------------------------------------------------------------------------------------------------------


@pytest.fixture
def conversations(real: Database | None) -> Any:
    return Conversations(real) if real else fakes.FakeConversations()


@pytest.fixture
def personal(real: Database | None, conversations: Any) -> Any:
    return Personal(real, conversations) if real else fakes.FakePersonal(conversations)


@pytest.fixture
def open_answers(real: Database | None, conversations: Any) -> Any:
    return OpenAnswers(real) if real else fakes.FakeOpenAnswers(conversations)


def message(id: str, question: str = "Why?") -> Message:
    return Message(id, question, ANSWER)


async def test_a_conversation_is_read_as_it_was_kept(conversations: Any) -> None:
    await conversations.keep(ALICE, "k1", message("m1", "Who pays?"), title="Who pays?")
    await conversations.keep(ALICE, "k1", replace(message("m2"), answer=replace(ANSWER, text="No\0ne.")))
    found = await conversations.get("k1", ALICE)
    assert (found.id, found.title) == ("k1", "Who pays?")
    assert found.updated_at > found.created_at
    assert [(each.id, each.answer.text, each.feedback) for each in found.messages] == [
        ("m1", ANSWER.text, None),
        ("m2", "None.", None),
    ]
    assert found.messages[0].answer == ANSWER
    assert await conversations.turns("k1", ALICE, 1) == [Turn("Why?", "None.")]
    assert await conversations.find("m1", ALICE) == ("k1", found.messages[0])


async def test_it_is_its_owners_only_and_does_not_come_back(conversations: Any) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    assert await conversations.find("m1", BOB) is None
    for id, caller in (("k1", BOB), ("unknown", ALICE)):
        assert await conversations.get(id, caller) is None
        assert not await conversations.delete(id, caller)
        with pytest.raises(NotFound):
            await conversations.turns(id, caller, 5)
        with pytest.raises(NotFound):
            await conversations.keep(caller, id, message("m2"))
    assert await conversations.delete("k1", ALICE)
    with pytest.raises(NotFound):
        await conversations.keep(ALICE, "k1", message("m2"))
    assert await conversations.list(ALICE, 10) == []


async def test_they_are_listed_the_latest_first_without_their_messages(conversations: Any) -> None:
    for number in range(4):
        await conversations.keep(ALICE, f"k{number}", message(f"m{number}"), title="Why?")
    await conversations.keep(ALICE, "k1", message("m4"))
    first = await conversations.list(ALICE, 3)
    rest = await conversations.list(ALICE, 3, before=(first[-1].updated_at, first[-1].id))
    assert [each.id for each in [*first, *rest]] == ["k1", "k3", "k2", "k0"]
    assert not any(each.messages for each in first)


async def test_a_message_is_replaced_with_all_after_it_and_understood_from_those_before(conversations: Any) -> None:
    for number in range(3):
        await conversations.keep(ALICE, "k1", message(f"m{number}"), title=None if number else "Why?")
    assert len(await conversations.turns("k1", ALICE, 5, "m1")) == 1
    await conversations.keep(ALICE, "k1", message("m3"), replaces="m1")
    found = await conversations.get("k1", ALICE)
    assert [each.id for each in found.messages] == ["m0", "m3"]
    assert await conversations.turns("k1", ALICE, 5, "m0") == []


async def test_a_conversation_is_renamed_and_found_by_its_words(conversations: Any) -> None:
    await conversations.keep(ALICE, "k1", message("m1", "Who pays?"), title="Who pays?")
    assert await conversations.rename("k1", ALICE, "100 % Rain")
    assert not await conversations.rename("k1", BOB, "Mine")
    for words, ids in (("% r", ["k1"]), ("WHO PAYS", ["k1"]), ("it does", ["k1"]), ("_", []), ("snow", [])):
        assert [each.id for each in await conversations.list(ALICE, 5, words=words)] == ids
    assert await conversations.list(BOB, 5, words="rain") == []


async def test_a_link_shows_what_was_said_until_then_and_ends(conversations: Any) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    await conversations.rate("m1", ALICE, Feedback("up"))
    assert await conversations.share("k1", BOB) is None
    token = await conversations.share("k1", ALICE)
    await conversations.keep(ALICE, "k1", message("m2"))
    found = await conversations.shared(token)
    assert [(each.id, each.feedback) for each in found.messages] == [("m1", None)]
    assert (await conversations.get("k1", ALICE)).share == token
    assert await conversations.share("k1", ALICE) == token
    assert len((await conversations.shared(token)).messages) == 2
    assert not await conversations.unshare("k1", BOB)
    assert await conversations.unshare("k1", ALICE)
    assert not await conversations.unshare("k1", ALICE)
    assert await conversations.shared(token) is None
    token = await conversations.share("k1", ALICE)
    assert await conversations.delete("k1", ALICE)
    assert await conversations.shared(token) is None


async def test_feedback_is_the_owners_and_replaces_feedback(conversations: Any) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    assert not await conversations.rate("m1", BOB, Feedback("up"))
    for feedback in (Feedback("up"), Feedback("down", "Out of date")):
        assert await conversations.rate("m1", ALICE, feedback)
        assert (await conversations.get("k1", ALICE)).messages[0].feedback == feedback
    _, found = await conversations.find("m1", ALICE)
    assert found.feedback is None


async def test_what_is_kept_of_a_caller_is_handed_out_and_erased(conversations: Any, personal: Any) -> None:
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    await conversations.keep(ALICE, "k1", message("m2"))
    await conversations.rate("m1", ALICE, Feedback("up"))
    await conversations.keep(BOB, "k2", message("m3"), title="Why?")
    assert await personal.consent(ALICE) == Consent(analytics=False)
    await personal.agree(ALICE, analytics=True)
    assert (await personal.consent(ALICE)).analytics
    told = [[each.id for each in found.messages] async for found in personal.conversations(ALICE)]
    assert told == [["m1", "m2"]]
    assert await personal.erase(ALICE) == {"conversations": 1, "messages": 2, "feedback": 1, "consents": 1}
    assert [each async for each in personal.conversations(ALICE)] == []
    assert len([each async for each in personal.conversations(BOB)]) == 1


async def test_a_question_asked_before_its_caller_was_erased_is_not_kept(conversations: Any, personal: Any) -> None:
    await personal.erase(ALICE)
    with pytest.raises(NotFound):
        await conversations.keep(ALICE, "late", message("m1"), title="Why?", age=5)
    await conversations.keep(BOB, "theirs", message("m2"), title="Why?", age=5)
    await conversations.keep(ALICE, "new", message("m3"), title="Asked afterwards")


async def test_an_open_answer_is_its_callers_until_it_is_kept_or_given_up(
    conversations: Any, open_answers: Any
) -> None:
    for id in ("m1", "m2"):
        await open_answers.add(id, ALICE)
        assert not await open_answers.beat(id)
        assert not await open_answers.want(id, BOB)
        assert not await open_answers.beat(id), "a stranger's wish counts for nothing"
        assert await open_answers.want(id, ALICE)
        assert await open_answers.beat(id)
    await conversations.keep(ALICE, "k1", message("m1"), title="Why?")
    await open_answers.remove("m2")
    for id in ("m1", "m2", "unknown"):
        assert not await open_answers.want(id, ALICE)
        assert not await open_answers.beat(id)


# Documents ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tables() -> memory.Tables:
    """What the fakes of one test share."""
    return memory.Tables()


@pytest.fixture
def documents(real: Database | None, tables: memory.Tables) -> Any:
    return Documents(real) if real else memory.MemoryDocuments(tables)


@pytest.fixture
def indexes(real: Database | None, tables: memory.Tables) -> Any:
    return Indexes(real) if real else memory.MemoryIndexes(tables)


@pytest.fixture
def embeddings(real: Database | None, tables: memory.Tables) -> Any:
    return Embeddings(real) if real else memory.MemoryEmbeddings(tables)


@pytest.fixture
def jobs(real: Database | None, tables: memory.Tables) -> Any:
    return Jobs(real, max_attempts=3) if real else memory.MemoryJobs(tables)


async def register(documents: Any, source: str = "docs/a.md", content: bytes = b"one", **metadata: Any) -> Document:
    new = NewVersion("A title", "text/markdown", {"year": 2024, **metadata}, content)
    document, _ = await documents.accept(source, new, None)
    return document


def chunk(document: Document, position: int) -> Chunk:
    return Chunk(f"{document.id[:8]}-{position}", document.id, position, "Carbon is taxed.", "Taxes", 3, "en")


async def test_what_can_be_found_stays_until_a_newer_version_is_switched_to(documents: Any) -> None:
    document = await register(documents)
    assert (document.content_hash, document.chunks, document.state) == (None, 0, "waiting")
    assert await documents.get(document.id) == await documents.find("docs/a.md") == document
    older = await documents.wanted(document.id)
    assert await publish(documents, document.id, [chunk(document, 1), chunk(document, 0)])
    again = await register(documents, content=b"two", year=2025)
    assert again.version > document.version
    assert (again.chunks, again.metadata, again.given, again.state) == (2, {"year": 2024}, {"year": 2025}, "waiting")
    assert await documents.original(again.id) == b"two"
    assert await documents.chunks(document.id) == [chunk(document, 0), chunk(document, 1)]
    assert not await documents.switch(older, [], Description("Late", "en", {}))
    assert await documents.chunk_ids(document.id) == {chunk(document, 0).id, chunk(document, 1).id}
    assert await documents.count() == (1, 2)
    newer = await documents.wanted(document.id)
    assert await documents.delete(document.id)
    assert not await documents.delete(document.id)
    with pytest.raises(UnreadableDocument, match="removed"):
        await documents.switch(newer, [], Description("Late", "en", {}))


async def test_an_announced_document_waits_for_its_content(documents: Any) -> None:
    async def announce(**metadata: Any) -> Document:
        new = NewVersion("a", "application/octet-stream", metadata)
        document, _ = await documents.accept("https://example.org/a", new, None)
        return document

    document = await announce(year=2024)
    assert await documents.original(document.id) is await documents.wanted(document.id) is None
    assert await documents.fetched(document.id, "text/markdown", b"one")
    kept = await documents.wanted(document.id)
    assert await documents.fetched(document.id, "text/markdown", b"one")
    assert await documents.wanted(document.id) == kept
    assert await publish(documents, document.id, [])
    assert (await announce(year=2024)).up_to_date
    other = await announce(tags=["x"])
    assert (other.up_to_date, other.given) == (False, {"year": 2024, "tags": ["x"]})
    assert not await documents.fetched("unknown", "text/markdown", b"one")


async def test_documents_are_described_listed_and_compared(documents: Any) -> None:
    made = [await register(documents, f"docs/{number}.md", b"%d" % number) for number in range(3)]
    ids = sorted(each.id for each in made)
    assert [each.id for each in await documents.list(2)] == ids[:2]
    assert [each.id for each in await documents.list(2, after=ids[1])] == ids[2:]
    wanted = await documents.wanted(ids[0])
    assert await documents.switch(wanted, [], Description("Un titre", "fr", {}))
    described = await documents.get(ids[0])
    assert (described.title, described.language, described.metadata) == ("Un titre", "fr", {})
    assert (await documents.same_content(described.content_hash, ids[1])).id == ids[0]
    assert await documents.same_content(described.content_hash, ids[0]) is None


async def test_a_job_is_accepted_with_its_document(documents: Any, jobs: Any) -> None:
    new, request = NewVersion("A title", "text/markdown", {}, b"one"), JobRequest("ingest", "key", "print")
    document, job = await documents.accept("a.md", new, request)
    assert (job.kind, job.document_id, job.state, await jobs.find("key")) == ("ingest", document.id, "pending", job)
    with pytest.raises(AlreadyAccepted):
        await documents.accept("b.md", new, request)
    assert (await documents.count())[0] == 1
    _, begun = await documents.accept("b.md", new, JobRequest("ingest", begun=True))
    assert (begun.state, begun.attempts) == ("running", 1)
    assert await jobs.start(begun.id) is None
    assert await documents.unattended() == []
    await jobs.succeed(begun.claim)
    assert await documents.unattended() == [(document_id("b.md"), True)]


async def test_a_document_is_read_from_any_of_its_chunks(real: Database | None, documents: Any) -> None:
    document = await register(documents)
    chunks = [chunk(document, number) for number in range(4)]
    await publish(documents, document.id, chunks)
    read: Any = documents
    if not real:
        read = fakes.FakeDocuments()
        read.rows, read.held = {document.id: await documents.get(document.id)}, {document.id: chunks}
    assert await read.chunks(document.id, 1, 2) == chunks[1:3]
    assert await read.chunks(document.id, 3) == chunks[3:]
    assert await read.chunks("unknown") == []
    assert await read.position(document.id, chunks[2].id) == 2
    assert await read.position("unknown", chunks[2].id) is None
    assert await read.count() == (1, 4)
    assert await read.list(5) == [await read.get(document.id)]
    assert await read.list(5, after=document.id) == []


async def test_a_point_is_found_while_its_row_leads_to_a_chunk(documents: Any, indexes: Any, embeddings: Any) -> None:
    await indexes.begin("a", "model-a", 8)
    document = await register(documents)
    await publish(documents, document.id, [chunk(document, 0), chunk(document, 1)])

    async def reserved() -> list[str]:
        return [each.point_id for each in await embeddings.reserve("a", document.id, 10)]

    async def found(points: list[str], **filters: Any) -> int:
        return len(await embeddings.chunks("a", [Match(point, 0.5) for point in points], filters))

    first, second = await reserved(), await reserved()
    assert await found(first) == 0
    assert await embeddings.incomplete("a", 10) == await embeddings.unattended("a", 10) == [document.id]
    assert await embeddings.record(document.id, first) == set()
    assert (await found(first), await found(first, year=[2024]), await found(first, year=[2025])) == (2, 2, 0)
    assert await embeddings.record(document.id, second) == set(second), "another was there first"
    assert await reserved() == []
    assert (await documents.get(document.id)).state == "complete"
    await register(documents, year=2025)
    await publish(documents, document.id, [chunk(document, 0)])
    assert (await found(first), await found(first, year=[2024])) == (1, 0)
    late, now = await reserved(), await reserved()
    assert await embeddings.record(document.id, now) == set()
    assert await embeddings.record(document.id, late) == set(late)
    assert await found([*first, *now], year=[2025]) == 1
    garbage = (await embeddings.garbage(10))["a"]
    assert set(garbage) == set(first)
    await embeddings.forget([*garbage, *now])
    assert await embeddings.unknown("a", [*first, *now]) == first
    assert await embeddings.stored("a", await embeddings.now(), "") == now
    await embeddings.missing(now)
    assert len(await reserved()) == 1
    await documents.delete(document.id)
    assert await reserved() == []


async def test_an_index_is_the_active_one_once_it_holds_every_chunk(
    documents: Any, indexes: Any, embeddings: Any
) -> None:
    assert await indexes.active() is await indexes.find("a") is None
    await indexes.begin("a", "model-a", 8)
    await indexes.begin("b", "model-b", 8)
    assert (await indexes.active()).name == "a"
    document = await register(documents)
    await publish(documents, document.id, [chunk(document, 0)])
    assert not await indexes.activate("b")
    points = [each.point_id for each in await embeddings.reserve("b", document.id, 10)]
    await embeddings.record(document.id, points)
    assert await indexes.activate("b")
    assert [(each.name, each.active) for each in await indexes.list()] == [("a", False), ("b", True)]
    assert (await indexes.retired(60), await indexes.retired(0)) == ([], ["a"])
    for name in ("a", "b"):
        await indexes.close(name)
    assert await indexes.find("a") is None
    assert [each.name for each in await indexes.list()] == ["b"]
    assert await indexes.retired(60) == ["a"], "whoever died while dropping it is followed by another"
    for name in ("a", "b"):
        await indexes.forget(name)
    assert [each.name for each in await indexes.list()] == ["b"]


# Jobs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fake", [fakes.FakeJobs, memory.MemoryJobs])
async def test_a_job_that_is_handed_over(real: Database | None, fake: Any) -> None:
    jobs: Any = Jobs(real, max_attempts=3) if real else fake()
    job = await jobs.create(JobRequest("ingest", "key"), "d1")
    assert (job.state, await jobs.find("key"), await jobs.find("other")) == ("pending", job, None)
    assert await jobs.to_send(10, "unknown") == []
    assert await jobs.to_send(10) == [job.id]
    assert await jobs.to_send(10) == []
    await jobs.unsent([job.id])
    assert (await jobs.get(job.id)).state == "pending"
    assert await jobs.to_send(10, job.id) == [job.id]
    await jobs.sent([job.id])
    assert ((await jobs.get(job.id)).state, await jobs.get("unknown")) == ("queued", None)
    assert await jobs.recover_lost(empty=True) == await jobs.recover_abandoned() == 0
    if fake is fakes.FakeJobs or real:
        counts = await jobs.counts()
        assert (counts["queued"], counts["pending"]) == (1, 0)


async def test_a_job_that_is_worked_on(jobs: Any) -> None:
    request = JobRequest("ingest")
    done, failed = [await jobs.start((await jobs.create(request, id)).id) for id in ("d1", "d2")]
    assert (done.state, done.attempts, await jobs.start(done.id)) == ("running", 1, None)
    await jobs.beat(done.claim, 0.4)
    assert (await jobs.get(done.id)).progress == 0.4
    assert not await jobs.requeue(done.id)
    await jobs.succeed(done.claim)
    await jobs.fail(failed.claim, "It is empty.")
    found = await jobs.get(done.id)
    assert (found.state, found.progress, found.error) == ("succeeded", 1, None)
    assert await jobs.start(done.id) is None
    with pytest.raises(ClaimLost):
        await jobs.beat(done.claim, 0.1)
    with pytest.raises(ClaimLost):
        await jobs.succeed(Claim(failed.id, "another"))
    assert await jobs.get(done.id) == found
    assert [job.error for job in await jobs.list("failed", 5)] == ["It is empty."]
    assert [job.id for job in await jobs.list(None, 1)] == [failed.id], "the latest first"
    assert await jobs.requeue(failed.id)
    again = await jobs.get(failed.id)
    assert (again.state, again.attempts, again.error, again.progress) == ("pending", 0, None, 0)


async def test_an_outage_does_not_count_as_an_attempt_and_a_failure_does(jobs: Any) -> None:
    job = await jobs.create(JobRequest("ingest"), "d1")
    assert await jobs.wait((await jobs.start(job.id)).claim, "It is away.") == "pending"
    waiting = await jobs.get(job.id)
    assert (waiting.attempts, waiting.error, waiting.waiting_since is None) == (0, "It is away.", False)
    other = await jobs.create(JobRequest("ingest"), "d2")
    assert await jobs.retry((await jobs.start(other.id)).claim, "It raised.") == "pending"
    assert (await jobs.get(other.id)).attempts == 1
    third = await jobs.start((await jobs.create(JobRequest("ingest"), "d3")).id)
    await jobs.release(third.claim)
    released = await jobs.get(third.id)
    assert (released.state, released.attempts) == ("pending", 0)


# Keys and limits ------------------------------------------------------------------------------------------------------


async def test_a_key_is_found_until_it_is_revoked(real: Database | None) -> None:
    keys: Any = ApiKeys(real) if real else fakes.FakeKeys()
    first, _ = await keys.create("one", frozenset({"ask"}))
    made, secret = await keys.create("the intranet", frozenset({"ask", "ingest"}))
    assert FORM.fullmatch(secret)
    assert secret.startswith(made.prefix)
    assert (made.name, made.scopes) == ("the intranet", {"ask", "ingest"})
    assert await keys.find(secret) == made
    assert await keys.find(secret + "x") is None
    assert await keys.revoke(made.id)
    assert not await keys.revoke(made.id)
    assert not await keys.revoke("unknown")
    assert await keys.find(secret) is None
    listed = await keys.list()
    assert [(key.id, key.revoked_at is None) for key in listed] == [(made.id, False), (first.id, True)]


NETWORK, VISITOR = Subject("network:192.0.2.7", 2), Subject("visitor:marie")


def limits_of(real: Database | None, per_minute: int, daily_tokens: int) -> Any:
    return Limits(real, per_minute, daily_tokens) if real else fakes.FakeLimits(per_minute, daily_tokens)


async def test_requests_of_a_minute_run_out_for_one_and_for_a_network(real: Database | None) -> None:
    limits = limits_of(real, 2, 0)
    statuses = [await limits.take([NETWORK, VISITOR]) for _ in range(2)]
    assert [(status.limit, status.remaining) for status in statuses] == [(2, 1), (2, 0)]
    assert all(isinstance(status, RateLimitStatus) and 0 < status.reset <= 60 for status in statuses)
    with pytest.raises(LimitReached, match="requests in a minute") as refused:
        await limits.take([VISITOR])
    assert refused.value.retry_after > 0
    status = await limits.take([NETWORK, Subject("visitor:paul")])
    assert status.remaining == 1
    await limits.take([NETWORK, Subject("visitor:paul")])
    with pytest.raises(LimitReached):
        await limits.take([NETWORK, Subject("visitor:zoe")])


async def test_tokens_of_a_day_run_out(real: Database | None) -> None:
    limits = limits_of(real, 0, 100)
    await limits.settle(await limits.reserve([NETWORK, VISITOR], 10), 99)
    last = await limits.reserve([NETWORK, VISITOR], 10)
    assert last.tokens == 1
    with pytest.raises(LimitReached, match="tokens of this day") as refused:
        await limits.reserve([NETWORK, VISITOR], 1)
    assert refused.value.retry_after > 0
    await limits.reserve([NETWORK, Subject("visitor:paul")], 1)
    await limits.settle(last, 0)
    await limits.reserve([NETWORK, VISITOR], 1)


async def test_without_a_limit_nothing_is_refused(real: Database | None) -> None:
    limits = limits_of(real, 0, 0)
    for _ in range(3):
        assert await limits.take([VISITOR]) is None
        await limits.settle(await limits.reserve([VISITOR], 1), 1000)
