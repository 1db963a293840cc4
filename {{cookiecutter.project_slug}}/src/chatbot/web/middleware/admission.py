"""Asks for a route's permission before the first byte of the body is taken: nobody uploads in vain, or for harm."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.web import problems
from chatbot.web.auth.permissions import Allowed


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
