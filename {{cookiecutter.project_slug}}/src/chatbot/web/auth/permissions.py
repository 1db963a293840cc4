"""What the sender of a request may do. Every route of the API declares its scope.

    @router.post("/documents", dependencies=[allowed("ingest")])

The scope is checked, and the request counted, before a body is read (middleware/admission.py).
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.exceptions import HTTPException

from chatbot.domain import LimitReached
from chatbot.domain import Scope as Permission
from chatbot.web.auth.authentication import identify, unauthorized
from chatbot.web.auth.cross_site import require_own_page
from chatbot.web.auth.rate_limit import count_request
from chatbot.web.auth.visitors import VISITOR, is_private

READING = {"GET", "HEAD", "OPTIONS"}
"""Methods that change and compute nothing; they are not counted, unless a route says so."""
BEARER = HTTPBearer(auto_error=False, description="An API key, or a token of the identity provider.")
API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key, where a proxy needs the other.")


class Allowed:
    """A route's scope, as a dependency."""

    def __init__(self, scope: Permission, counted: bool | None) -> None:
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
            raise _needed(request, self.scope) if anonymous else _forbidden(self.scope)
        if anonymous and request.method not in READING:
            require_own_page(request)
        counted = request.method not in READING if self.counted is None else self.counted
        if counted and not getattr(request.state, "counted", False):
            request.state.counted = True
            try:
                await count_request(request)
            except LimitReached as error:
                raise HTTPException(429, str(error), {"Retry-After": str(error.retry_after)}) from None


def allowed(scope: Permission, counted: bool | None = None) -> Any:
    """What a route or a router lists in its `dependencies`.

    Requests that change or compute something are counted; or, where it is said, all of them or none.
    """
    return Depends(Allowed(scope, counted))


def _needed(request: Request, scope: Permission) -> HTTPException:
    if is_private(request.app.state.services.settings):  # where a visitor may do everything, under a local name
        return unauthorized(
            "This bot serves its own machine. To publish it under a name, or behind a proxy, set ANONYMOUS_SCOPES."
        )
    return unauthorized(f"This needs a key with the scope {scope}.")


def _forbidden(scope: Permission) -> HTTPException:
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    detail = f"This needs the scope {scope}, which the key or token lacks."
    return HTTPException(403, detail, {"WWW-Authenticate": challenge})
