"""What every response carries: the headers that keep browsers safe, and those that a route's dependencies added.

While the process is about to stop, also « Connection: close », so that no client sends its next request to it.

HSTS is not among them: it belongs to whoever ends TLS, which is the reverse proxy.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDED = "chatbot.headers"
"""Where in the request's scope they are collected: a response that a route made itself would lose FastAPI's."""

DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # For data, should a browser ever show it as a page. Pages have a policy of their own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def add_header(scope: Scope, name: str, value: str) -> None:
    """Let the response to this request carry the header, whatever the response will be."""
    scope.setdefault(ADDED, []).append((name, value))


class ResponseHeaders:
    """Adds them; what a route set itself stays. Answers of the API are for the one who asked: no cache keeps them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[ADDED] = []

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in DEFAULTS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
                for name, value in scope[ADDED]:
                    headers.append(name, value)
                if scope["app"].state.draining:
                    headers["Connection"] = "close"
            await send(message)

        await self.app(scope, receive, send_with_headers)
