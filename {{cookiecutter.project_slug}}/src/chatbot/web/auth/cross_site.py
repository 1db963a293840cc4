"""Pages of other sites may not act through a visitor's browser (cross-site request forgery)."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

from chatbot.settings import Settings, words


def require_own_page(request: Request) -> None:
    """Pages of other sites may not act through a visitor's browser, which reaches what they do not: a laptop's bot."""
    settings: Settings = request.app.state.services.settings
    site = request.headers.get("sec-fetch-site", "none")
    origins = words(settings.cors_origins)
    if site not in ("none", "same-origin") and not {"*", request.headers.get("origin")} & {*origins}:
        raise HTTPException(403, "Pages of other sites may not do this: CORS_ORIGINS does not name theirs.")
