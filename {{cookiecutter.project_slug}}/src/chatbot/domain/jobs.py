"""Work that goes on after a request was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

JobKind = Literal["ingest", "fetch"]
"""ingest: make what was accepted of a document findable; fetch: get what its URL holds first."""

JobState = Literal["pending", "queued", "running", "succeeded", "failed", "dead"]
"""pending: accepted, not yet with the broker (or waiting for its next attempt); queued: the broker has it;
running: a worker has it; succeeded; failed: the input is at fault, another attempt would not help;
dead: out of attempts, kept for a person to requeue."""


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work and what became of it. The record in PostgreSQL is the truth; a queue message is only its id."""

    id: str
    kind: JobKind
    document_id: str | None
    state: JobState
    attempts: int = 0
    """Begun so far; an attempt that an outage ended does not count."""
    progress: float = 0.0
    """0 to 1."""
    error: str | None = None
    """One sentence for the person who asked; never holds document text or secrets."""
    note: str | None = None
    """What whoever added the document should know of how it was read, though it succeeded."""
    idempotency_key: str | None = None
    request_id: str | None = None
    """The HTTP request that it was made for, as the logs know it."""
    traceparent: str | None = None
    """The span of that request, when requests are traced."""
    fingerprint: str | None = None
    """What the request asked for, as a hash: the same key with another one is another request."""
    token: str | None = None
    """Whoever began the latest attempt knows it; see `Claim`."""
    waiting_since: datetime | None = None
    """When the outage began that it waits for; None: it waits for none."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    """While it runs: when its worker last gave a sign of life."""

    @property
    def claim(self) -> Claim:
        """Of the attempt that this record was begun with."""
        return Claim(self.id, self.token or "")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be made together with what it is about."""

    kind: JobKind
    idempotency_key: str | None = None
    """Of whoever asks, and theirs alone: the same key again is the same job."""
    fingerprint: str | None = None
    begun: bool = False
    """Whether who asks does it at once: no worker gets it unless they die."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job: it ends when another attempt begins, and what its holder writes then is refused.

    The token is a fencing token (Kleppmann, "How to do distributed locking", 2016): a lease alone cannot stop a
    process that slept through its end.
    """

    job_id: str
    token: str
