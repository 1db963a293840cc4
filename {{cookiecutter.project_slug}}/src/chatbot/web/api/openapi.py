"""The OpenAPI document at /openapi.json: FastAPI's, with the project's words and its errors in their shapes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from chatbot.settings import release
from chatbot.web import problems
from chatbot.web.api.schemas.documents import UrlBody
from chatbot.web.api.schemas.problems import Problem
from chatbot.web.openai import errors as openai_errors
from chatbot.web.openai.schemas import OpenAIError

DESCRIPTION = """\
Answers questions from its own documents, with citations.

Every error is an RFC 9457 problem (`application/problem+json`), but on the paths of OpenAI's API, where it has the
shape that its clients expect. Every response carries an `X-Request-ID`: the one that was sent, if it is 1 to 64
letters, digits, dots, dashes or underscores, or a new one. The log has it too.

Who sends no key is an anonymous visitor, who may do what `ANONYMOUS_SCOPES` says, and is known by a cookie.
"""

TAGS = [
    {"name": "answers", "description": "Questions and searches."},
    {"name": "OpenAI", "description": "The same for OpenAI's clients, unchanged."},
    {"name": "conversations", "description": "What you asked, and what you think of the answers; nobody else sees it."},
    {"name": "privacy", "description": "All that is kept of you."},
    {"name": "documents", "description": "What the bot may answer from."},
    {"name": "jobs", "description": "Work that goes on after a request was answered."},
    {"name": "operations", "description": "For whoever runs the service."},
]

EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
"""One server-sent event; `itemSchema`, which describes each, is of OpenAPI 3.2, and tools for 3.1 leave it alone."""


def event_stream(example: str) -> dict[str, Any]:
    """A response's content when it is streamed."""
    return {"content": {"text/event-stream": {"itemSchema": EVENT, "example": example}}}


def install(app: FastAPI) -> None:
    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=release(), description=DESCRIPTION, routes=app.routes, tags=TAGS)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    url_body = UrlBody.model_json_schema(ref_template="#/components/schemas/{model}")
    error = OpenAIError.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = document["components"]["schemas"]
    schemas |= problem.pop("$defs") | {"Problem": problem, "UrlBody": url_body}
    schemas |= error.pop("$defs") | {"OpenAIError": error}
    for path, operation in ((path, each) for path, item in document["paths"].items() for each in item.values()):
        if "security" in operation:
            operation["security"].append({})
            operation["responses"] |= {str(s): each for s, each in problems.responses(401, 403, 429).items()}
        if openai_errors.expected(path):
            operation["responses"] = openai_errors.described(operation["responses"])
    return document
