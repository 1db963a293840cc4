"""Errors as OpenAI's clients expect them, on the paths that they call; everywhere else an error is a problem.

{"error": {"message": "…", "type": "invalid_request_error", "param": "messages", "code": null}}

A malformed request is a 400 there, not a 422: BadRequestError in the official client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMPLETIONS, EMBEDDINGS, MODELS = "/v1/chat/completions", "/v1/embeddings", "/v1/models"
RESPONSES = "/v1/responses"
MALFORMED = "The request is malformed; `param` says where."
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
OPEN_RESPONSES = {
    400: "invalid_request",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found",
    413: "invalid_request",
    429: "too_many_requests",
}
"""Open Responses has a list of its own, which knows no 401 and 403: those are OpenAI's there too."""
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded", 503: "service_unavailable"}


def expected(path: str) -> bool:
    """Whether who calls this path reads errors in OpenAI's shape."""
    return path in (COMPLETIONS, EMBEDDINGS, MODELS, RESPONSES) or path.startswith((f"{MODELS}/", f"{RESPONSES}/"))


def of(problem: Mapping[str, Any], path: str = COMPLETIONS) -> tuple[int, dict[str, Any]]:
    """The status and the body that a problem is on that path."""
    status = 400 if problem["status"] == 422 else problem["status"]
    where: Mapping[str, str] = next(iter(problem.get("errors", ())), {})
    param = where.get("pointer", "#").removeprefix("#").strip("/") or where.get("parameter")
    message = where.get("detail") or problem.get("detail") or problem["title"]
    types = OPEN_RESPONSES if path.startswith(RESPONSES) else TYPES
    error = {
        "message": f"{param}: {message}" if param else message,
        "type": types.get(status, "server_error" if status >= 500 else "invalid_request_error"),
        "param": param,
        "code": "model_unavailable" if problem.get("fallback") else CODES.get(status),
    }
    return status, {"error": error}


def described(responses: Mapping[str, Any]) -> dict[str, Any]:
    """An operation's responses in the OpenAPI document, with its problems in this shape."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}}
    return {
        status: {"description": MALFORMED if status == "400" else each["description"], "content": content}
        if status >= "400"
        else each
        for status, each in responses.items()
        if status != "422"
    }
