"""Visitors without a key: what they may do, and the cookie that keeps their conversations together."""

from __future__ import annotations

import logging
import re
import secrets

from fastapi import Request, Response

from chatbot.domain import Caller
from chatbot.domain import Scope as Permission
from chatbot.settings import LOOPBACK, Settings, scopes
from chatbot.web.auth.network import by_tls, named_locally, passed_on
from chatbot.web.middleware.headers import add_header

VISITOR = "visitor"
"""The cookie that keeps a visitor's conversations together: random, no person's name, no address."""
VISITOR_MAX_AGE = 180 * 24 * 3600
"""Seconds."""
EVERYTHING: frozenset[Permission] = frozenset({"ask", "ingest", "admin"})

logger = logging.getLogger(__name__)


def anonymous_scopes(settings: Settings) -> frozenset[Permission]:
    """What a visitor may do. With nothing set: everything on one's own machine, and only asking beyond it."""
    if settings.anonymous_scopes:
        return scopes(settings.anonymous_scopes)
    return EVERYTHING if is_private(settings) else frozenset({"ask"})


def warn_if_open(settings: Settings) -> None:
    """Say at the start what is open to everybody."""
    if settings.host in LOOPBACK:
        return
    open_to_all = anonymous_scopes(settings)
    if open_to_all - {"ask"}:
        extra = {"scopes": sorted(open_to_all)}
        logger.warning("anybody who reaches this server may change it: set ANONYMOUS_SCOPES", extra=extra)
    if open_to_all and settings.llm_url and not (settings.rate_limit_per_minute and settings.daily_tokens):
        logger.warning("anybody may use the model without a bound: set RATE_LIMIT_PER_MINUTE and DAILY_TOKENS")


def visitor(request: Request, settings: Settings) -> Caller:
    """A visitor, known by a cookie that is set with the first answer.

    In a frame of another site browsers keep no cookie: there the page makes the value, and sends it as a header.
    """
    given = request.cookies.get(VISITOR, ""), request.headers.get("x-visitor", "")
    known, offered = (each if re.fullmatch("[A-Za-z0-9_-]{24}", each) else "" for each in given)
    visitor = known or offered or secrets.token_urlsafe(18)
    if not known:
        request.state.newcomer = True
        secure = by_tls(request, settings.trusted_proxies)
        cookie = Response()
        cookie.set_cookie(VISITOR, visitor, VISITOR_MAX_AGE, httponly=True, samesite="lax", secure=secure)
        add_header(request.scope, "Set-Cookie", cookie.headers["set-cookie"])
    foreign = is_private(settings) and (passed_on(request) or not named_locally(request))
    return Caller(f"{VISITOR}:{visitor}", frozenset() if foreign else anonymous_scopes(settings))


def is_private(settings: Settings) -> bool:
    """Whether nothing says that anybody but this machine's user will come."""
    return settings.host in LOOPBACK and not settings.trusted_proxies and not settings.anonymous_scopes
