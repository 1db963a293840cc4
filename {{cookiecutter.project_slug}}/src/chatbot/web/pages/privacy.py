"""The privacy notice at /privacy: one page in both languages, the interface's first; true to the settings."""

from __future__ import annotations

import html
from pathlib import Path
from string import Template

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from chatbot.settings import Settings
from chatbot.web.pages.page import secured

FOLDER = Path(__file__).parent
SCRIPTS = ("session.js", "privacy.js")

WORDS = {
    "en": {
        "retention": "They are deleted when you delete them, or {days} days after the last answer.",
        "for_ever": "They are deleted when you delete them.",
        "model": "Your questions, with what was said before, go to the language model connected to the service.",
        "embedder": "Your questions go to the search model that the service is connected to.",
        "local": "No question leaves the machines of the service.",
        "contact": "Questions about your data: {contact}.",
    },
    "fr": {
        "retention": "Elles sont supprimées quand vous les supprimez, ou {days} jours après la dernière réponse.",
        "for_ever": "Elles sont supprimées quand vous les supprimez.",
        "model": "Vos questions, avec ce qui a été dit avant, sont transmises au modèle de langue relié au service.",
        "embedder": "Vos questions sont transmises au modèle de recherche relié au service.",
        "local": "Aucune question ne quitte les machines du service.",
        "contact": "Pour toute question sur vos données : {contact}.",
    },
}


def router(settings: Settings) -> APIRouter:
    text = page(settings)
    headers = secured(text, settings)
    pages = APIRouter(include_in_schema=False)

    @pages.get("/privacy", response_class=HTMLResponse)
    async def privacy_notice() -> HTMLResponse:
        return HTMLResponse(text, headers=headers)

    return pages


def page(settings: Settings) -> str:
    head, english, french, tail = _read("privacy.html").split("<!-- section -->\n")
    sections = english + french if settings.bot_language == "en" else french + english
    words = {f"{name}_{language}": text for language in WORDS for name, text in _sentences(settings, language).items()}
    return Template(head + sections + tail).substitute(
        words,
        name=html.escape(settings.bot_name),
        language=settings.bot_language,
        script="".join(map(_read, SCRIPTS)),
    )


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _sentences(settings: Settings, language: str) -> dict[str, str]:
    words, days = WORDS[language], settings.conversation_retention_days
    goes_to = [name for name, url in (("model", settings.llm_url), ("embedder", settings.embeddings_url)) if url]
    contact = html.escape(settings.privacy_contact)
    return {
        "retention": words["retention"].format(days=days) if days else words["for_ever"],
        "model": " ".join(words[name] for name in goes_to or ["local"]),
        "contact": f"<p>{words['contact'].format(contact=contact)}</p>" if contact else "",
    }
