"""The chat page and the page of the documents: HTML with its style, scripts and words in it.

They need nothing from elsewhere, and no build. Words are in *.words.json, in every language: those of a page, and those
that all share.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from chatbot.settings import Settings, words

FOLDER = Path(__file__).parent
SHARED = ("session.js", "words.js", "api.js", "markdown.js", "source.js")
SCRIPTS = {
    "chat": (*SHARED, "conversations.js", "chat.js"),
    "documents": (*SHARED, "documents.js", "uploads.js", "operators.js"),
}
"""Those of each page, in their order: one scope, as if they were one file."""
PATHS = {"chat": "/", "documents": "/documents"}


def router(settings: Settings) -> APIRouter:
    pages = APIRouter(include_in_schema=False)
    for name, path in PATHS.items():
        text = page(name, settings)
        serve = _serving(text, secured(text, settings))
        pages.add_api_route(path, serve, response_class=HTMLResponse, name=f"{name}_page")
    return pages


def _serving(text: str, headers: dict[str, str]) -> Callable[[], Awaitable[HTMLResponse]]:
    async def serve() -> HTMLResponse:
        return HTMLResponse(text, headers=headers)

    return serve


def page(name: str, settings: Settings) -> str:
    parts = {
        "<style></style>": f"<style>\n{_read('base.css')}{_read(f'{name}.css')}</style>",
        "<script></script>": f"<script>\n{''.join(map(_read, SCRIPTS[name]))}</script>",
        "SOURCE_PANEL\n": _read("source.html"),
        "BOT_WORDS": json.dumps(_words(name, settings), ensure_ascii=False).replace("<", "\\u003c"),
        "BOT_LANGUAGE": settings.bot_language,
        "BOT_NAME": html.escape(settings.bot_name),
    }
    return re.sub("|".join(parts), lambda place: parts[place[0]], _read(f"{name}.html"))


def secured(text: str, settings: Settings) -> dict[str, str]:
    """The headers of a page: what stands in it may run and style, and nothing else; who may show it in a frame."""
    frames = " ".join(words(settings.embed_origins)) or "'none'"
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(text, 'script')}",
            f"style-src {_hashes(text, 'style')}",
            "connect-src 'self'",
            "img-src data: blob:",  # the icon; a page of a document, which the script fetched with the caller's key
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {frames}",
        ]
    )
    return {"Content-Security-Policy": policy}


def _words(name: str, settings: Settings) -> dict[str, dict[str, str]]:
    own, shared = (json.loads(_read(f"{each}.words.json")) for each in (name, "common"))
    texts: dict[str, dict[str, str]] = {language: shared[language] | own[language] for language in shared}
    texts["en"]["notice"], texts["fr"]["notice"] = settings.ai_notice_en, settings.ai_notice_fr
    return texts


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hashes(text: str, tag: str) -> str:
    """The content security policy's name for each inline element; 'none' where there is none."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in contents]
    return " ".join(f"'sha256-{each}'" for each in digests) or "'none'"
