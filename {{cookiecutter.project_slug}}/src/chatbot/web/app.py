"""The web process: the application, and the server that runs it (factors VI, VII, IX)."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from chatbot.bootstrap import Services, bootstrap
from chatbot.domain import InvalidConfiguration
from chatbot.runtime.rotation import changed
from chatbot.settings import words
from chatbot.web import problems
from chatbot.web.api import (
    bibliography,
    catalogue,
    chat,
    conversations,
    document_pages,
    documents,
    me,
    openapi,
    operators,
    suggestions,
)
from chatbot.web.auth.visitors import warn_if_open
from chatbot.web.mcp import endpoint as mcp
from chatbot.web.middleware.admission import Admission
from chatbot.web.middleware.headers import ResponseHeaders
from chatbot.web.middleware.requests import BodyLimit, RequestLog, RequestSpan
from chatbot.web.openai import embeddings
from chatbot.web.openai import endpoints as openai
from chatbot.web.ops import health
from chatbot.web.pages import embed, page, privacy
from chatbot.web.responses import endpoint as responses

JSON_BYTES = 256_000
"""The largest body that is not an upload."""
FORM_BYTES = 300_000
"""What a form may have besides its file."""
LONGEST_REQUEST = 120.0
"""Seconds that a request may take besides the model."""
ALLOWED_HEADERS = "Authorization Content-Type X-API-Key X-Request-ID Idempotency-Key Last-Event-ID"
MCP_HEADERS = "Mcp-Protocol-Version Mcp-Session-Id Mcp-Method Mcp-Name"
OPENAI_HEADERS = "Arch Helper-Method Lang OS Package-Version Retry-Count Runtime Runtime-Version Timeout"
"""What OpenAI's client for JavaScript tells of itself, after X-Stainless-."""
CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "PATCH", "DELETE"],
    "allow_headers": [
        *ALLOWED_HEADERS.split(),
        *MCP_HEADERS.split(),
        *(f"X-Stainless-{name}" for name in OPENAI_HEADERS.split()),
    ],
    "expose_headers": ["Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"],
}
"""What the pages of CORS_ORIGINS may send and see."""
KEPT_ALIVE = 75
"""Seconds for which an idle connection is kept: longer than proxies and clients do, most of them 60 at most. Who closes
first must be the one who sends, or a request meets a connection that is being closed, and a proxy says 502."""
DRAIN = 1.0
"""Seconds between saying « not ready » and not listening any more, for load balancers to turn away."""


def create_app(services: Services) -> FastAPI:
    """The application on these services; it closes them when it stops. No connection is opened to start."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stop = asyncio.Event()
        renewing = asyncio.create_task(_renew(app, stop))
        yield
        stop.set()
        await renewing
        await app.state.mcp.close()
        await app.state.services.aclose()

    # No /docs: FastAPI's pages load their scripts from elsewhere. /openapi.json is what tools read.
    app = FastAPI(
        title=services.settings.bot_name,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Its own spans and events would hold paths, queries and the messages of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    app.state.draining = False
    app.state.checks = health.Checks()
    app.state.mcp = mcp.Serving(services.settings.bot_name)
    largest = int(services.settings.max_document_mb * 1_000_000) + FORM_BYTES
    # The last one is the outermost.
    app.add_middleware(Admission)
    app.add_middleware(BodyLimit, limit=lambda path: largest if path == "/v1/documents" else JSON_BYTES)
    app.add_middleware(RequestSpan)
    app.add_middleware(RequestLog)
    if origins := words(services.settings.cors_origins):
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_credentials="*" not in origins, **CORS)
    app.add_middleware(ResponseHeaders)
    problems.install(app)
    answers = (chat, openai, responses, embeddings, mcp, suggestions)
    for part in (*answers, conversations, me, catalogue, documents, document_pages, bibliography, operators, health):
        app.include_router(part.router)
    for pages in (page, privacy, embed):
        app.include_router(pages.router(services.settings))
    openapi.install(app)
    return app


async def _renew(app: FastAPI, stop: asyncio.Event) -> None:
    """Give new requests services with the secrets of now; those under way keep theirs for as long as one may take."""
    closing = []
    while new := await changed(app.state.services.settings, stop):
        closing.append(asyncio.create_task(_close_later(app.state.services, stop)))
        app.state.services = bootstrap(new)
    await asyncio.gather(*closing)


async def _close_later(services: Services, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), LONGEST_REQUEST + services.settings.llm_timeout)
    await services.aclose()


def serve(services: Services) -> None:
    """Listen until SIGTERM or SIGINT; then finish what is under way, within SHUTDOWN_GRACE seconds, and return."""
    settings = services.settings
    warn_if_open(settings)
    app = create_app(services)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=KEPT_ALIVE,
        timeout_graceful_shutdown=max(1, math.ceil(settings.shutdown_grace - DRAIN)),
    )
    _Server(config, app).run(sockets=_sockets(settings.host, settings.port))


def _sockets(host: str, port: int) -> list[socket.socket] | None:
    """All addresses are those of IPv4 too; for any other host uvicorn opens what it says."""
    if host != "::" or not socket.has_dualstack_ipv6():
        return None
    try:
        return [socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)]
    except OSError as error:
        raise InvalidConfiguration(f"PORT {port} cannot be listened on: {error.strerror}.") from None


class _Server(uvicorn.Server):
    """Uvicorn, stopping in two steps: not ready, then not listening."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Does not keep the signal to raise it again at the end, as uvicorn would: a graceful stop exits 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self._app.state.draining = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(DRAIN)
        await super().shutdown(sockets)
