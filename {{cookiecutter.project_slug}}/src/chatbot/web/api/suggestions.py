"""First questions, for people who do not know yet what the documents hold."""

from __future__ import annotations

from fastapi import APIRouter

from chatbot.answering import suggest
from chatbot.domain import Language
from chatbot.web import problems
from chatbot.web.api.schemas.answers import Suggestions
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import ServicesParam

router = APIRouter(
    prefix="/v1", tags=["answers"], dependencies=[allowed("ask")], responses=problems.responses(422, 503)
)


@router.get("/suggestions", summary="What could be asked?", response_model=Suggestions)
async def get_suggestions(services: ServicesParam, language: Language = "en") -> Suggestions:
    """The operator's questions, or else some about the documents that were added last, in that language."""
    settings = services.settings
    documents, _ = await services.documents.count()
    written = {"en": settings.suggested_questions_en, "fr": settings.suggested_questions_fr}[language]
    questions = [each.strip() for each in written.split("|") if each.strip()]
    if not questions and documents:
        outlines = await services.documents.latest(suggest.DOCUMENTS, suggest.HEADINGS)
        questions = suggest.questions(outlines, language)
    return Suggestions(questions=questions, documents=documents)
