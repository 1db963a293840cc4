"""On whose account a request goes, and whether there were too many."""

from __future__ import annotations

from fastapi import Request

from chatbot.bootstrap import Services
from chatbot.domain import Caller, LimitReached
from chatbot.storage.limits import Subject
from chatbot.web.auth.authentication import identify
from chatbot.web.auth.network import network
from chatbot.web.auth.visitors import VISITOR
from chatbot.web.middleware.headers import add_header
from chatbot.web.ops import request_metrics as metrics

NETWORK_SHARE = 10
"""Visitors' shares for one network: people behind one address, or one person who drops the cookie each time."""


def accounts(request: Request, caller: Caller) -> list[Subject]:
    """On whose account a request goes. A visitor counts with their network, since a cookie is easily dropped."""
    if not caller.id.startswith(f"{VISITOR}:"):
        return [Subject(caller.id)]
    services: Services = request.app.state.services
    whole = Subject(f"network:{network(request, services.settings.trusted_proxies)}", NETWORK_SHARE)
    return [whole] if getattr(request.state, "newcomer", False) else [whole, Subject(caller.id)]


async def count_request(request: Request) -> None:
    """One request more on the caller's account. LimitReached when there were too many."""
    services: Services = request.app.state.services
    if not services.settings.rate_limit_per_minute:
        return
    caller = await identify(request)
    try:
        status = await services.limits.take(accounts(request, caller))
    except LimitReached as error:
        metrics.LIMITED.labels("requests").inc()
        add_header(request.scope, "RateLimit", f'"minute";r=0;t={error.retry_after}')
        raise
    if status:
        add_header(request.scope, "RateLimit-Policy", f'"minute";q={status.limit};w=60')
        add_header(request.scope, "RateLimit", f'"minute";r={status.remaining};t={status.reset}')
