"""Around every request, as plain ASGI so that streams pass unbuffered: request id, access log, metrics, body limit."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.observability import tracing
from chatbot.observability.logs import request_id
from chatbot.web import problems
from chatbot.web.ops import request_metrics as metrics

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
PROBES = {"/healthz", "/readyz", "/metrics"}
"""What machines ask every few seconds."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

logger = logging.getLogger(__name__)


class RequestLog:
    """Gives the request an id (the client's, when sane), and says at its end how it went: no address, no query.

    An exception that no handler took is logged and becomes a 500 here, so that it too has its id and its line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        token = request_id.set(given if SANE_ID.fullmatch(given) else uuid.uuid4().hex)
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id.get() or ""
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            members = problems.from_exception(error)
            if status:
                raise  # too late for a 500: the server cuts the connection, so that the client sees it
            await problems.respond(members["status"])(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - started)
            request_id.reset(token)


def _record(scope: Scope, status: int, seconds: float) -> None:
    """Metrics and the access line. The route's template stands for the path; a status of 0: cut off unanswered."""
    method, route = _method(scope), _route(scope)
    metrics.REQUESTS.labels(method, route, status).inc()
    metrics.REQUEST_SECONDS.labels(method, route).observe(seconds)
    extra = {"method": method, "path": route, "status": status, "ms": round(seconds * 1000, 1)}
    logger.info("request", extra=extra)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "other"


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


class RequestSpan:
    """Traces a request, when requests are traced: by its route, without path, query and addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        about: dict[str, str | int] = {"chatbot.request.id": request_id.get() or ""}

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                about["http.response.status_code"] = message["status"]
                if message["status"] >= 500:
                    about["error.type"] = str(message["status"])
            await send(message)

        parent = Headers(scope=scope).get("traceparent")
        with tracing.span(_method(scope), "server", parent=parent) as span:
            try:
                await self.app(scope, receive, send_and_note)
            finally:
                method, route = _method(scope), _route(scope)
                span.rename(f"{method} {route}")
                span.set({"http.request.method": method, "http.route": route, **about})


class BodyLimit:
    """Refuses a body that is too large: unread when Content-Length says so, else once too much has come."""

    def __init__(self, app: ASGIApp, limit: Callable[[str], int]) -> None:
        self.app = app
        self.limit = limit
        """From a path to bytes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, taken = self.limit(scope["path"]), 0
        detail = f"The request may have {limit / 1_000_000:g} MB at most."
        close = {"Connection": "close"}  # or the server would go on to read what is left

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, detail, close)
            return message

        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            await problems.respond(413, detail, close)(scope, receive, send)
        else:
            await self.app(scope, receive_some, send)
