"""Who sends a request: an API key's holder, a user of the identity provider, or an anonymous visitor."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

from chatbot.bootstrap import Services
from chatbot.domain import Caller, InvalidToken
from chatbot.storage.api_keys import KEY_PREFIX
from chatbot.web.auth.visitors import visitor

ANONYMOUS = "anonymous"
"""In place of a key, for clients that cannot do without: the same as no key."""


async def identify(request: Request) -> Caller:
    """Who sends this request; looked up once."""
    if not hasattr(request.state, "caller"):
        request.state.caller = await _identified(request)
    found: Caller = request.state.caller
    return found


async def _identified(request: Request) -> Caller:
    services: Services = request.app.state.services
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = request.headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    if given and given != ANONYMOUS:
        return await _known(services, given)
    return visitor(request, services.settings)


async def _known(services: Services, given: str) -> Caller:
    if services.issuer is None or given.startswith(KEY_PREFIX):
        key = await services.keys.find(given)
        if key is None:
            raise unauthorized("This API key is not valid, or not any more.", "invalid_token")
        return Caller(f"key:{key.id}", key.scopes)
    try:
        return await services.issuer.caller(given)
    except InvalidToken as error:
        raise unauthorized(str(error), "invalid_token") from None


def unauthorized(detail: str, error: str = "") -> HTTPException:
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    return HTTPException(401, detail, {"WWW-Authenticate": challenge})
