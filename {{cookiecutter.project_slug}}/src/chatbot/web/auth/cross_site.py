"""Pages of other sites may not act through a visitor's browser (cross-site request forgery).

A browser says with every request that changes something from which page it comes: in `Sec-Fetch-Site` where it trusts
the connection, and always in `Origin` (https://fetch.spec.whatwg.org/#origin-header). Programs send neither.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException

from chatbot.settings import Settings, words


def require_own_page(request: Request) -> None:
    """403 for a page of another site, which reaches by the visitor's browser what it does not reach itself.

    Such are a laptop's own bot, or an intranet's.
    """
    settings: Settings = request.app.state.services.settings
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if {"*", origin} & {*words(settings.cors_origins)}:
        return
    own = site in ("none", "same-origin") if site else origin is None or _is_own(origin, request, settings)
    if not own:
        raise HTTPException(403, "Pages of other sites may not do this: CORS_ORIGINS does not name theirs.")


def _is_own(origin: str, request: Request, settings: Settings) -> bool:
    """Whether the page came from the address that this request went to; "null" is nobody's."""
    names = {request.headers.get("host", "").lower()}
    if settings.trusted_proxies:
        names.add(request.headers.get("x-forwarded-host", "").split(",")[-1].strip().lower())
    return urlsplit(origin).netloc.lower() in names - {""}
