"""Who asks, what they may do, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Scope = Literal["ask", "ingest", "admin"]
"""What a caller may do: ask (and look after what is one's own); change the corpus; look after everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: an API key's holder, a user of the identity provider, or an anonymous visitor."""

    id: str
    """Opaque, and nothing that identifies a person: what conversations, feedback and budgets belong to."""
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of an API key besides the key itself, which only its holder has."""

    id: str
    name: str
    """Who or what it was made for, in the operator's words."""
    prefix: str
    """The key's first characters, to recognise it by."""
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None = None
    """To the minute."""
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a caller agreed to."""

    analytics: bool
    updated_at: datetime | None = None
    """None: they never said."""
