"""The chat on pages of other sites: /embed.js, which one line of HTML there loads.

EMBED_ORIGINS names the sites. A browser shows the chat's frame on no other, whatever loads the script.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chatbot.settings import Settings

FILE = Path(__file__).with_name("embed.js")
HEADERS = {
    "Cross-Origin-Resource-Policy": "cross-origin",  # pages that are isolated load only what says so
    "Cache-Control": "max-age=3600",
}
WORDS = {
    "en": {"name": "{name}", "open": "Ask {name}", "close": "Close the chat"},
    "fr": {"name": "{name}", "open": "Interroger {name}", "close": "Fermer la discussion"},
}


def router(settings: Settings) -> APIRouter:
    text = script(settings)
    scripts = APIRouter(include_in_schema=False)

    @scripts.get("/embed.js")
    async def embed_script() -> Response:
        if not settings.embed_origins:
            raise HTTPException(404, "No other site may show this chat: EMBED_ORIGINS names none.")
        return Response(text, media_type="text/javascript", headers=HEADERS)

    return scripts


def script(settings: Settings) -> str:
    words = {
        language: {key: each.format(name=settings.bot_name) for key, each in texts.items()}
        for language, texts in WORDS.items()
    }
    parts = {"BOT_WORDS": json.dumps(words), "BOT_LANGUAGE": settings.bot_language}
    return re.sub("|".join(parts), lambda place: parts[place[0]], FILE.read_text(encoding="utf-8"))
