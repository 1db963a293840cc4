"""What routes ask FastAPI for."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

from fastapi import Depends, Path, Request, Response

from chatbot.bootstrap import Services
from chatbot.domain import Caller

VISITOR = "visitor"
"""The cookie that keeps a visitor's conversations together: random, no person's name, no address."""
KEPT = 180 * 24 * 3600
"""Seconds."""


async def services(request: Request) -> Services:
    """The services that the application was made with."""
    found: Services = request.app.state.services
    return found


async def caller(request: Request, response: Response) -> Caller:
    """Who asks: a visitor, known by a cookie that is set with the first answer."""
    visitor = request.cookies.get(VISITOR, "")
    if not re.fullmatch("[A-Za-z0-9_-]{24}", visitor):
        visitor = secrets.token_urlsafe(18)
        secure = request.url.scheme == "https"
        response.set_cookie(VISITOR, visitor, KEPT, httponly=True, samesite="lax", secure=secure)
    return Caller(f"visitor:{visitor}", frozenset({"ask", "ingest", "admin"}))


CallerParam = Annotated[Caller, Depends(caller)]
ServicesParam = Annotated[Services, Depends(services)]
ID = "^[A-Za-z0-9_-]{1,64}$"
IdParam = Annotated[str, Path(pattern=ID)]
