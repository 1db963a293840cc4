"""The chat page: one HTML file that needs nothing from elsewhere, in the interface's language."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from chatbot.settings import Settings

FILE = Path(__file__).with_name("chat.html")


def router(settings: Settings) -> APIRouter:
    text = FILE.read_text(encoding="utf-8")
    headers = secured(text)
    text = text.replace("BOT_LANGUAGE", settings.bot_language).replace("BOT_NAME", html.escape(settings.bot_name))
    pages = APIRouter(include_in_schema=False)

    @pages.get("/", response_class=HTMLResponse)
    async def chat_page() -> HTMLResponse:
        return HTMLResponse(text, headers=headers)

    return pages


def secured(text: str) -> dict[str, str]:
    """The headers of a page: what stands in it may run and style, and nothing else."""
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(text, 'script')}",
            f"style-src {_hashes(text, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    return {"Content-Security-Policy": policy}


def _hashes(text: str, tag: str) -> str:
    """The content security policy's name for each inline element; 'none' where there is none."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in contents]
    return " ".join(f"'sha256-{each}'" for each in digests) or "'none'"
