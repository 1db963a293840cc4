"""The chat page: chat.html with its style, scripts and words in it. It needs nothing from elsewhere, and no build.

Its words are in chat.words.json, in every language; the first questions it suggests are settings.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from chatbot.settings import Settings, words

FOLDER = Path(__file__).parent
SCRIPTS = ("session.js", "source.js", "chat.js")
MANUAL = "docs"
"""The corpus that the questions in chat.words.json are about."""


def router(settings: Settings) -> APIRouter:
    text = page(settings)
    headers = secured(text, settings)
    pages = APIRouter(include_in_schema=False)

    @pages.get("/", response_class=HTMLResponse)
    async def chat_page() -> HTMLResponse:
        return HTMLResponse(text, headers=headers)

    return pages


def page(settings: Settings) -> str:
    parts = {
        "<style></style>": f"<style>\n{_read('chat.css')}</style>",
        "<script></script>": f"<script>\n{''.join(map(_read, SCRIPTS))}</script>",
        "BOT_WORDS": json.dumps(_words(settings), ensure_ascii=False).replace("<", "\\u003c"),
        "BOT_LANGUAGE": settings.bot_language,
        "BOT_NAME": html.escape(settings.bot_name),
    }
    return re.sub("|".join(parts), lambda place: parts[place[0]], _read("chat.html"))


def secured(text: str, settings: Settings) -> dict[str, str]:
    """The headers of a page: what stands in it may run and style, and nothing else; who may show it in a frame."""
    frames = " ".join(words(settings.embed_origins)) or "'none'"
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(text, 'script')}",
            f"style-src {_hashes(text, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {frames}",
        ]
    )
    return {"Content-Security-Policy": policy}


def _words(settings: Settings) -> dict[str, dict[str, object]]:
    texts: dict[str, dict[str, object]] = json.loads(_read("chat.words.json"))
    for language, set_ in (("en", settings.suggested_questions_en), ("fr", settings.suggested_questions_fr)):
        questions = [question.strip() for question in set_.split("|") if question.strip()]
        if questions or settings.corpus != MANUAL:
            texts[language]["suggestions"] = questions
    return texts


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hashes(text: str, tag: str) -> str:
    """The content security policy's name for each inline element; 'none' where there is none."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in contents]
    return " ".join(f"'sha256-{each}'" for each in digests) or "'none'"
