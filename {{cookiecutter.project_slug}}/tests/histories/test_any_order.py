"""Whatever is done in whatever order, and whoever crashes, sleeps or comes twice at any await: every document is found
as it was accepted last, each chunk is in the active index exactly once, nothing is left over, and no job is stuck.

Hypothesis chooses the steps, the same ones in every run; HISTORY_SEED=… chooses others, and a failure prints its steps.
The model is a dictionary: what was accepted last of each document.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chatbot.ingestion.reconcile import GRACE, Found
from chatbot.storage.documents import document_id
from chatbot.storage.indexes import IndexRecord
from tests.histories.world import Machine, Process, inline

EXAMPLES, STEPS = 120, 40
"""At least 10,000 steps are made, which is asserted."""
SOURCES = ("a.md", "b.md")
PARTS = ("Slate sheds water quickly.", "Tarmac holds it.", "Straw rots in a year.")
CALLS = st.one_of(st.integers(0, 8), st.integers(0, 60))
"""How far a process gets before it sleeps."""
STEPPED = Counter[str]()


def content(parts: frozenset[int]) -> bytes:
    """A chunk for each part, so that versions share some of them."""
    return b"# Rain\n\n" + b"".join(f"## Part {n}\n\n{PARTS[n]}\n\n".encode() for n in sorted(parts))


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.model: dict[str, tuple[frozenset[int], int]] = {}
        """By source: the parts and the year that were accepted last."""
        self.versions: dict[str, list[tuple[frozenset[int], int]]] = {}
        """By source: what was accepted since it was last deleted, from what is found now on."""
        self.lost = set[str]()
        """Points that the store has lost."""
        self.accidents = 0

    # What users do: it is accepted at once, since a request that has no answer yet promises nothing -------------------

    @rule(source=st.sampled_from(SOURCES), parts=st.frozensets(st.integers(0, 2), min_size=1), year=st.integers(1, 2))
    def accept(self, source: str, parts: frozenset[int], year: int) -> None:
        STEPPED["accept"] += 1
        self._accept(source, parts, year)

    @precondition(lambda self: self.model)
    @rule(draw=st.data(), year=st.integers(1, 2))
    def describe(self, draw: Any, year: int) -> None:
        STEPPED["describe"] += 1
        source = draw.draw(st.sampled_from(sorted(self.model)))
        self._accept(source, self.model[source][0], year)

    def _accept(self, source: str, parts: frozenset[int], year: int) -> None:
        self.machine.now(self.machine.accept(source, content(parts), year=year))
        self.model[source] = parts, year
        self.versions.setdefault(source, []).append((parts, year))

    @rule(source=st.sampled_from(SOURCES))
    def delete(self, source: str) -> None:
        """Gone from the first transaction on; what is removed of the store may stop anywhere."""
        STEPPED["delete"] += 1
        process = self.machine.begin("delete", self.machine.world.ingester.remove(document_id(source)))
        self.machine.step(process)
        self.model.pop(source, None)
        self.versions.pop(source, None)

    # What processes do ------------------------------------------------------------------------------------------------

    @rule(draw=st.data(), again=st.booleans(), other=st.booleans(), calls=CALLS)
    def work(self, draw: Any, again: bool, other: bool, calls: int) -> None:
        """The broker gives a message to a worker, of either model, and may do so again; it gets so far."""
        self._something()
        self.machine.now(self.machine.schedule())
        queue = self.machine.queue
        if queue:
            job_id = draw.draw(st.sampled_from(queue))
            if not again:
                queue.remove(job_id)
            world = self.machine.other if other and "other_3" in self.machine.tables.indexes else self.machine.world
            self._begun("work", self.machine.work(job_id, world), calls)

    @rule(
        source=st.sampled_from(SOURCES),
        first=st.frozensets(st.integers(0, 2), min_size=1),
        then=st.one_of(st.none(), st.frozensets(st.integers(0, 2), min_size=1)),
        calls=st.one_of(st.integers(1, 6), st.integers(1, 30)),
        more=st.integers(0, 30),
    )
    def overtake(self, source: str, first: frozenset[int], then: frozenset[int] | None, calls: int, more: int) -> None:
        """A worker is at a document when that is changed, or deleted."""
        STEPPED["overtake"] += 1
        self._accept(source, first, 1)
        worker = self.machine.begin("work", self.machine.work(next(reversed(self.machine.tables.jobs))))
        self._step(worker, calls)
        if then:
            self._accept(source, then, 2)
        else:
            self.delete(source)
        self._step(worker, more)

    @rule(calls=st.integers(0, 6))
    def schedule(self, calls: int) -> None:
        self._begun("schedule", self.machine.schedule(), calls)

    @rule(other=st.booleans(), calls=CALLS)
    def reconcile(self, other: bool, calls: int) -> None:
        self._something()
        world = self.machine.other if other and "other_3" in self.machine.tables.indexes else self.machine.world
        self._begun("reconcile", world.reconciler.run(), calls)

    @rule(other=st.booleans(), calls=CALLS)
    def rebuild(self, other: bool, calls: int) -> None:
        self._something()
        self._begun("rebuild", (self.machine.other if other else self.machine.world).rebuild(), calls)

    @precondition(lambda self: self.machine.processes)
    @rule(draw=st.data(), calls=st.integers(1, 12))
    def go_on(self, draw: Any, calls: int) -> None:
        """One of those that sleep wakes up, for some calls."""
        STEPPED["go on"] += 1
        self._step(self._one(draw), calls)

    @precondition(lambda self: self.machine.processes)
    @rule(draw=st.data())
    def kill(self, draw: Any) -> None:
        STEPPED["kill"] += 1
        self.accidents += 1
        self.machine.kill(self._one(draw))

    @rule(seconds=st.sampled_from([10, 70, 700, GRACE + 1]))
    def wait(self, seconds: float) -> None:
        """Leases run out while their holders sleep, reservations and retired indexes too."""
        STEPPED["wait"] += 1
        self.machine.tables.clock += seconds

    @rule(message=st.booleans())
    def lose(self, message: bool) -> None:
        """The broker loses a message, or each index a point."""
        self._something()
        STEPPED["lose"] += 1
        self.accidents += 1
        if message and self.machine.queue:
            self.machine.queue.pop()
        for points in self.machine.world.vectors.indexes.values():
            if points and not message:
                self.lost.add(min(points))
                del points[min(points)]

    # At all times -----------------------------------------------------------------------------------------------------

    @invariant()
    def what_is_found_was_accepted_and_never_grows_older(self) -> None:
        for row in self.machine.tables.documents.values():
            texts = [chunk.text for chunk in self.machine.tables.of(row.id).values()]
            if row.content_hash:
                known = self.versions[row.source]
                shown = [([PARTS[n] for n in sorted(parts)], {"year": year}) for parts, year in known]
                assert (texts, row.metadata) in shown
                del known[: shown.index((texts, row.metadata))]
                assert not row.up_to_date or shown[-1] == (texts, row.metadata), "up to date is what was accepted last"
            else:
                assert texts == []

    @invariant()
    def what_is_found_by_its_meaning_is_in_the_store_once(self) -> None:
        tables, stores = self.machine.tables, self.machine.world.vectors.indexes
        live = {id: each for id, each in tables.embeddings.items() if each.chunk_key and each.stored_at is not None}
        assert all(id in stores[each.index] or id in self.lost for id, each in live.items())
        assert all(number == 1 for number in Counter((each.index, each.chunk_key) for each in live.values()).values())

    @invariant()
    def whoever_writes_holds_the_job(self) -> None:
        assert all(claim is None or claim.token == latest for claim, latest in self.machine.tables.claims)
        self.machine.tables.claims.clear()

    def _something(self) -> None:
        """So that there is something to work on."""
        if not self.model:
            self.accept("a.md", frozenset({0, 1}), 1)
            self._begun("work", self.machine.work(next(reversed(self.machine.tables.jobs))), 100)

    def _begun(self, name: str, work: Any, calls: int) -> None:
        STEPPED[name] += 1
        self._step(self.machine.begin(name, work), calls)

    def _step(self, process: Process, calls: int) -> None:
        for _ in range(calls):
            if process.over:
                break
            STEPPED["call"] += 1
            self.machine.step(process)

    def _one(self, draw: Any) -> Process:
        return draw.draw(st.sampled_from(self.machine.processes))

    # In the end -------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._let_all_end()
            self._check()
        finally:
            self.machine.close()

    def _let_all_end(self) -> None:
        """Whoever still sleeps wakes up late; then a worker, a scheduler and a reconciler do what is left."""
        machine = self.machine
        machine.tables.clock += 100
        for process in [*machine.processes]:
            if process.name.startswith("rebuild"):
                machine.kill(process)  # of two models at once none would end
            else:
                machine.finish(process)
        self._requeue_and_work()
        found = machine.now(self._world().reconciler.run())
        if not self.accidents:
            assert (found.orphans, found.missing, found.without_job) == (0, 0, 0), "no accident, nothing to mend"
        for _ in range(3):
            machine.tables.clock += 1000
            self._requeue_and_work()
            machine.now(self._world().reconciler.run())
        self._requeue_and_work()

    def _requeue_and_work(self) -> None:
        machine = self.machine
        for job in [*machine.tables.jobs.values()]:
            if job.state in ("dead", "failed") and job.document_id in machine.tables.documents:
                machine.now(machine.world.jobs.requeue(job.id))
            if job.state == "queued":  # lost by the broker
                machine.now(machine.world.jobs.unsent([job.id]))
        machine.now(machine.schedule())
        while machine.queue:
            machine.now(machine.work(machine.queue.pop(), self._world()))

    def _world(self) -> Any:
        """Processes of the active index's model."""
        active = self._active()
        return self.machine.other if active and active.name == "other_3" else self.machine.world

    def _active(self) -> IndexRecord | None:
        return next((each for each in self.machine.tables.indexes.values() if each.active), None)

    def _check(self) -> None:
        machine, world = self.machine, self._world()
        assert machine.now(world.reconciler.run()) == Found(), "nothing is left to mend"
        assert {row.source for row in machine.tables.documents.values()} == self.model.keys()
        for source, (parts, year) in self.model.items():
            document = machine.now(world.documents.find(source))
            chunks = machine.now(world.documents.chunks(document.id))
            assert (document.state, document.metadata) == ("complete", {"year": year})
            assert [each.text for each in chunks] == [PARTS[n] for n in sorted(parts)]
        active = self._active()
        points = machine.world.vectors.indexes[active.name] if active else {}
        rows = {id: each for id, each in machine.tables.embeddings.items() if active and each.index == active.name}
        assert points.keys() == rows.keys(), "no orphan, and none is missing"
        assert Counter(each.chunk_key for each in rows.values()) == Counter(machine.tables.chunks.keys()), "once each"
        for id, point in points.items():
            chunk = machine.tables.chunks[rows[id].chunk_key]
            row = machine.tables.documents[chunk.document_id]
            assert (point.document_id, point.metadata) == (row.id, {**row.metadata, "language": row.language})
        stuck = [job for job in machine.tables.jobs.values() if job.state in ("pending", "queued", "running")]
        assert stuck == []


def test_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "to_thread", inline)
    STEPPED.clear()
    number = int(os.environ.get("HISTORY_SEED", "0"))
    print(f"HISTORY_SEED={number}")
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=number == 0,
        suppress_health_check=checks,
        print_blob=False,
    )
    machine = seed(number)(Histories) if number else Histories
    run_state_machine_as_test(machine, settings=chosen)
    print(dict(STEPPED), sum(STEPPED.values()))
    assert sum(STEPPED.values()) >= 10_000
    assert all(STEPPED[name] > 100 for name in ("accept", "delete", "work", "overtake", "rebuild", "kill", "lose"))
