"""What routes ask FastAPI for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from chatbot.bootstrap import Services
from chatbot.domain import Caller
from chatbot.web.auth.authentication import identify


async def services(request: Request) -> Services:
    """The services that the application was made with."""
    found: Services = request.app.state.services
    return found


async def caller(request: Request) -> Caller:
    """Who asks: the holder of a key or a token, or a visitor."""
    return await identify(request)


CallerParam = Annotated[Caller, Depends(caller)]
ServicesParam = Annotated[Services, Depends(services)]
ID = "^[A-Za-z0-9_-]{1,64}$"
IdParam = Annotated[str, Path(pattern=ID)]
