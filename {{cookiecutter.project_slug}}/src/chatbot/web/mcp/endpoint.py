"""The bot as a server of the Model Context Protocol, for assistants and agents: `/mcp`, streamable HTTP.

Each request is answered by itself, in JSON, by whichever process it reaches: there is no session. The tools are in
web/mcp/tools.py. The SDK takes as long to import as the rest of the process, so it is loaded with the first request.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Scope

from chatbot.settings import words
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import ServicesParam
from chatbot.web.streaming.disconnect import while_connected

router = APIRouter()


# Who asks is checked here, how often where a tool is called: an assistant reads an error there, and none of HTTP's.
@router.post("/mcp", dependencies=[allowed("ask", counted=False)], include_in_schema=False)
async def mcp(request: Request, services: ServicesParam) -> Response:
    _known_origin(request, words(services.settings.cors_origins))
    body = await request.body()
    serving: Serving = request.app.state.mcp
    return await while_connected(request, _answer(await serving.app(), request.scope, body))


class Serving:
    """The SDK's application, which runs from its first request until the process stops."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._app: asyncio.Future[ASGIApp] | None = None
        self._running: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def app(self) -> ASGIApp:
        if self._app is None:
            self._app = asyncio.get_running_loop().create_future()
            self._running = asyncio.create_task(self._run(self._app))
        return await asyncio.shield(self._app)

    async def close(self) -> None:
        self._stop.set()
        if self._running:
            await self._running

    async def _run(self, app: asyncio.Future[ASGIApp]) -> None:
        """One task from beginning to end, as its task group needs."""
        try:
            tools = await asyncio.to_thread(importlib.import_module, "chatbot.web.mcp.tools")
            manager = tools.manager(self._name)
            async with manager.run():
                app.set_result(manager.asgi_app)
                await self._stop.wait()
        except Exception as error:
            self._app = None  # the next request tries again
            if not app.done():
                app.set_exception(error)


async def _answer(app: ASGIApp, scope: Scope, body: bytes) -> Response:
    """What the SDK answers, collected: without sessions and streams it is one short piece."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    status, headers, content = 500, list[tuple[bytes, bytes]](), bytearray()

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.Future[Any]()

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], message["headers"]
        content.extend(message.get("body", b""))

    await app(scope, receive, send)
    given = {name.decode(): value.decode() for name, value in headers}
    return Response(bytes(content), status, {**given, "Cache-Control": "no-store"})


def _known_origin(request: Request, others: list[str]) -> None:
    """Of pages of other sites only those that may use the API, as the protocol demands, with a key as without."""
    origin = request.headers.get("origin")
    same = origin and urlsplit(origin).netloc == request.headers.get("host")
    if origin and not same and not {"*", origin} & {*others}:
        raise HTTPException(403, "Pages of other sites may not do this: CORS_ORIGINS does not name theirs.")
