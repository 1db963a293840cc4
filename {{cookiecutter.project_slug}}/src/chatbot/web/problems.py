"""Every error of the API as RFC 9457 `application/problem+json`: never a traceback, never what was sent.

Only the paths of OpenAI's API speak of the same problems in its shape (web/openai/errors.py).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chatbot.domain import (
    ChatbotError,
    InvalidConfiguration,
    LimitReached,
    ModelUnavailable,
    NotFound,
    Unavailable,
    UnreadableDocument,
)
from chatbot.observability.logs import request_id
from chatbot.web.openai import errors as openai_errors

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds after which to try again when a resource is down."""
CLIENT_CLOSED_REQUEST = 499
"""What nginx calls it; HTTP has no status for a client that has left."""

MEANINGS = {
    400: "The body cannot be read.",
    401: "No key, or one that is not valid; or it takes a key to do this.",
    403: "The key lacks the scope that `WWW-Authenticate` names, or a page of another site asks.",
    404: "There is no such thing.",
    409: "Another request that excludes this one is under way.",
    413: "The request is larger than this server takes.",
    415: "A document of a type that is not read here.",
    422: "The request is malformed; `errors` says where.",
    429: "Too many requests in a minute, or the day's tokens are used up; `Retry-After` says when to try again.",
    500: "A fault of the server; its log has the details under `request_id`.",
    503: "An attached resource is down or not set up; `Retry-After` says when to try again.",
}

logger = logging.getLogger(__name__)


def problem(status: int, detail: str = "", errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The members of a problem; `type` is about:blank, so the status says what kind it is."""
    members: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    optional = {"detail": detail, "errors": errors, "request_id": request_id.get()}
    return members | {name: value for name, value in optional.items() if value}


class ProblemResponse(JSONResponse):
    """A problem; to a path of OpenAI's API, the same in that API's words."""

    def __init__(self, members: dict[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(members, members["status"], headers, MEDIA_TYPE)
        self._members, self._given = members, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not openai_errors.expected(scope["path"]):
            await super().__call__(scope, receive, send)
            return
        status, body = openai_errors.of(self._members, scope["path"])
        await JSONResponse(body, status, self._given)(scope, receive, send)


def respond(status: int, detail: str = "", headers: Mapping[str, str] | None = None, **members: Any) -> JSONResponse:
    headers = {**({"Retry-After": str(RETRY_AFTER)} if status == 503 else {}), **(headers or {})}
    return ProblemResponse(problem(status, detail) | members, headers)


def from_exception(error: Exception) -> dict[str, Any]:
    """The problem that an exception is to the client. What nobody foresaw is logged, and shown without details."""
    match error:
        case ModelUnavailable():
            logger.warning(str(error))
            detail = f'{error}. Ask with "model": "extractive" for quotes from the documents instead.'
            return problem(503, detail) | {"fallback": "extractive"}
        case Unavailable() | InvalidConfiguration():
            logger.warning(str(error))
            return problem(503, str(error))
        case LimitReached():
            return problem(429, str(error))
        case NotFound():
            return problem(404, str(error))
        case UnreadableDocument():
            return problem(415, str(error))
        case ChatbotError():
            return problem(400, str(error))
        case _:
            logger.error("unexpected error", exc_info=error)
            return problem(500)


def install(app: FastAPI) -> None:
    app.add_exception_handler(ChatbotError, _chatbot_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _gone)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success, for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {s: {"description": MEANINGS[s], "content": {MEDIA_TYPE: {"schema": schema}}} for s in (*statuses, 500)}


async def _chatbot_error(request: Request, error: Exception) -> JSONResponse:
    members = from_exception(error)
    wait = error.retry_after if isinstance(error, LimitReached | ModelUnavailable) else 0
    pause = {"Retry-After": str(math.ceil(wait))} if wait else {}
    return respond(members.pop("status"), members.pop("detail"), pause, **members)


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads it; the log and the figures do."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # FastAPI takes it for a malformed body
        logger.error("an upload cannot be kept while it comes", exc_info=error.__cause__)
        return respond(503, "The disk that uploads pass through is full, or cannot be written.")
    detail = "" if error.detail == HTTPStatus(error.status_code).phrase else error.detail
    return respond(error.status_code, detail, error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [field_error(item) for item in error.errors()]
    return respond(422, "The request is malformed.", errors=errors)


def field_error(item: Mapping[str, Any]) -> dict[str, str]:
    """Where and what, in our words or pydantic's; neither the value nor a name that the client made up."""
    if item["type"] == "extra_forbidden":
        return {"pointer": "#", "detail": "There is a field that is not known here"}
    where, *names = item["loc"]
    name = str(names[0]) if names and isinstance(names[0], str) else ""
    pointer = {"pointer": f"#/{name}" if name else "#"} if where == "body" else {"parameter": name}
    return {**pointer, "detail": item["msg"].removeprefix("Value error, ")}
