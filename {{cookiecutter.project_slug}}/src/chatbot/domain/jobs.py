"""Work that goes on after a request was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

JobState = Literal["pending", "queued", "running", "succeeded", "failed", "dead"]
"""pending: accepted, not yet with the broker (or waiting for its next attempt); queued: the broker has it;
running: a worker has it; succeeded; failed: the input is at fault, another attempt would not help;
dead: out of attempts, kept for a person to requeue."""


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work and what became of it. The record in PostgreSQL is the truth; a queue message is only its id."""

    id: str
    kind: str
    document_id: str | None
    state: JobState
    attempts: int = 0
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
    created_at: datetime | None = None
    updated_at: datetime | None = None
