"""Who sends a request, and what they may do: an API key, a token of the identity provider, or an anonymous visitor.

    @router.post("/documents", dependencies=[allowed("ingest")])

Every route of the API declares its scope so. It is checked, and the request counted, before a body is read.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.bootstrap import Services
from chatbot.domain import Caller, InvalidToken, LimitReached
from chatbot.domain import Scope as Permission
from chatbot.settings import LOOPBACK, Settings, scopes, words
from chatbot.storage.api_keys import START
from chatbot.storage.limits import Subject
from chatbot.web import problems
from chatbot.web.auth.network import by_tls, named_locally, network
from chatbot.web.middleware.headers import add_header
from chatbot.web.ops import request_metrics as metrics

VISITOR = "visitor"
"""The cookie that keeps a visitor's conversations together: random, no person's name, no address."""
KEPT = 180 * 24 * 3600
"""Seconds."""
ANONYMOUS = "anonymous"
"""In place of a key, for clients that cannot do without: the same as no key."""
CROWD = 10
"""Visitors' shares for one network: people behind one address, or one person who drops the cookie each time."""
READING = {"GET", "HEAD", "OPTIONS"}
"""Methods that change and compute nothing; they are not counted."""
EVERYTHING: frozenset[Permission] = frozenset({"ask", "ingest", "admin"})

BEARER = HTTPBearer(auto_error=False, description="An API key, or a token of the identity provider.")
API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key, where a proxy needs the other.")

logger = logging.getLogger(__name__)


class Allowed:
    """A route's scope, as a dependency."""

    def __init__(self, scope: Permission, counted: bool) -> None:
        self.scope = scope
        self.counted = counted

    async def __call__(
        self,
        request: Request,
        bearer: Annotated[Any, Security(BEARER)],  # so that the OpenAPI document tells
        api_key: Annotated[Any, Security(API_KEY)],
    ) -> None:
        await self.check(request)

    async def check(self, request: Request) -> None:
        """401 without a scope that a key would bring, 403 with a key that lacks it, 429 when there were too many."""
        caller = await identify(request)
        anonymous = caller.id.startswith(f"{VISITOR}:")
        if self.scope not in caller.scopes:
            raise _needed(request, self.scope) if anonymous else _lacking(self.scope)
        if anonymous and request.method not in READING:
            _own_page(request)
        if self.counted and not getattr(request.state, "counted", False) and request.method not in READING:
            request.state.counted = True
            try:
                await count(request)
            except LimitReached as error:
                raise HTTPException(429, str(error), {"Retry-After": str(error.retry_after)}) from None


def allowed(scope: Permission, counted: bool = True) -> Any:
    """What a route or a router lists in its `dependencies`. One that is not `counted` calls `count` by itself."""
    return Depends(Allowed(scope, counted))


class Admission:
    """Asks a route's `Allowed` before the first byte of the body is taken: nobody uploads in vain, or for harm."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admitted = False

        async def receive_admitted() -> Message:
            nonlocal admitted
            if not admitted:
                admitted = True
                await _admit(scope)
            return await receive()

        await self.app(scope, receive_admitted if scope["type"] == "http" else receive, send)


async def _admit(scope: Scope) -> None:
    """Raises HTTPException only: FastAPI takes all else that happens while it reads a body for a malformed one."""
    dependant = getattr(scope.get("route"), "dependant", None)
    for dependency in dependant.dependencies if dependant else ():
        if isinstance(dependency.call, Allowed):
            try:
                await dependency.call.check(Request(scope))
            except HTTPException as error:
                # Or the server would go on to read a body that nobody wants.
                raise HTTPException(
                    error.status_code, error.detail, {**(error.headers or {}), "Connection": "close"}
                ) from None
            except Exception as error:
                members = problems.from_exception(error)
                raise HTTPException(members["status"], members.get("detail"), {"Connection": "close"}) from None


async def identify(request: Request) -> Caller:
    """Who sends this request; looked up once."""
    if not hasattr(request.state, "caller"):
        request.state.caller = await _identified(request)
    found: Caller = request.state.caller
    return found


def subjects(request: Request, caller: Caller) -> list[Subject]:
    """On whose account a request goes. A visitor counts with their network, since a cookie is easily dropped."""
    if not caller.id.startswith(f"{VISITOR}:"):
        return [Subject(caller.id)]
    services: Services = request.app.state.services
    whole = Subject(f"network:{network(request, services.settings.trusted_proxies)}", CROWD)
    return [whole] if getattr(request.state, "newcomer", False) else [whole, Subject(caller.id)]


def anonymous_scopes(settings: Settings) -> frozenset[Permission]:
    """What a visitor may do. With nothing set: everything on one's own machine, and only asking beyond it."""
    if settings.anonymous_scopes:
        return scopes(settings.anonymous_scopes)
    return EVERYTHING if _private(settings) else frozenset({"ask"})


def warn(settings: Settings) -> None:
    """Say at the start what is open to everybody."""
    if settings.host in LOOPBACK:
        return
    open_to_all = anonymous_scopes(settings)
    if open_to_all - {"ask"}:
        extra = {"scopes": sorted(open_to_all)}
        logger.warning("anybody who reaches this server may change it: set ANONYMOUS_SCOPES", extra=extra)
    if open_to_all and settings.llm_url and not (settings.rate_limit_per_minute and settings.daily_tokens):
        logger.warning("anybody may use the model without a bound: set RATE_LIMIT_PER_MINUTE and DAILY_TOKENS")


async def _identified(request: Request) -> Caller:
    services: Services = request.app.state.services
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = request.headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    if given and given != ANONYMOUS:
        return await _known(services, given)
    return _visitor(request, services.settings)


async def _known(services: Services, given: str) -> Caller:
    if services.issuer is None or given.startswith(START):
        key = await services.keys.find(given)
        if key is None:
            raise _unknown("This API key is not valid, or not any more.", "invalid_token")
        return Caller(f"key:{key.id}", key.scopes)
    try:
        return await services.issuer.caller(given)
    except InvalidToken as error:
        raise _unknown(str(error), "invalid_token") from None


def _visitor(request: Request, settings: Settings) -> Caller:
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
        cookie.set_cookie(VISITOR, visitor, KEPT, httponly=True, samesite="lax", secure=secure)
        add_header(request.scope, "Set-Cookie", cookie.headers["set-cookie"])
    foreign = _private(settings) and not named_locally(request)
    return Caller(f"{VISITOR}:{visitor}", frozenset() if foreign else anonymous_scopes(settings))


def _private(settings: Settings) -> bool:
    """Whether nothing says that anybody but this machine's user will come."""
    return settings.host in LOOPBACK and not settings.trusted_proxies and not settings.anonymous_scopes


def _own_page(request: Request) -> None:
    """Pages of other sites may not act through a visitor's browser, which reaches what they do not: a laptop's bot."""
    settings: Settings = request.app.state.services.settings
    site = request.headers.get("sec-fetch-site", "none")
    origins = words(settings.cors_origins)
    if site not in ("none", "same-origin") and not {"*", request.headers.get("origin")} & {*origins}:
        raise HTTPException(403, "Pages of other sites may not do this: CORS_ORIGINS does not name theirs.")


async def count(request: Request) -> None:
    """One request more on the caller's account. LimitReached when there were too many."""
    services: Services = request.app.state.services
    if not services.settings.rate_limit_per_minute:
        return
    caller = await identify(request)
    try:
        pace = await services.limits.take(subjects(request, caller))
    except LimitReached as error:
        metrics.LIMITED.labels("requests").inc()
        add_header(request.scope, "RateLimit", f'"minute";r=0;t={error.retry_after}')
        raise
    if pace:
        add_header(request.scope, "RateLimit-Policy", f'"minute";q={pace.limit};w=60')
        add_header(request.scope, "RateLimit", f'"minute";r={pace.remaining};t={pace.reset}')


def _needed(request: Request, scope: Permission) -> HTTPException:
    if _private(request.app.state.services.settings):  # where a visitor may do everything, under a local name
        return _unknown("This bot serves its own machine. To publish it under a name, set ANONYMOUS_SCOPES.")
    return _unknown(f"This needs a key with the scope {scope}.")


def _unknown(detail: str, error: str = "") -> HTTPException:
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    return HTTPException(401, detail, {"WWW-Authenticate": challenge})


def _lacking(scope: Permission) -> HTTPException:
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    detail = f"This needs the scope {scope}, which the key or token lacks."
    return HTTPException(403, detail, {"WWW-Authenticate": challenge})
