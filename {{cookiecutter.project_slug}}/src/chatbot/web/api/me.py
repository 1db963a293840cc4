"""What is kept of whoever asks: hand it out, erase it, and what they agree to."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from chatbot.bootstrap import Services
from chatbot.web import problems
from chatbot.web.api.schemas.conversations import ConsentBody, ConsentView, MeView, PersonalData, WholeConversation
from chatbot.web.auth.permissions import allowed
from chatbot.web.auth.visitors import VISITOR
from chatbot.web.dependencies import CallerParam, ServicesParam

router = APIRouter(
    prefix="/v1/me", tags=["privacy"], dependencies=[allowed("ask")], responses=problems.responses(400, 422, 503)
)


@router.get("", summary="What may you do?", response_model=MeView)
async def get_me(caller: CallerParam) -> MeView:
    """The scopes of your key or token, or those of a visitor."""
    return MeView(scopes=sorted(caller.scopes))


@router.get(
    "/export",
    summary="Download all that is kept of you",
    response_model=PersonalData,
    dependencies=[allowed("ask", counted=True)],
)
async def export_me(services: ServicesParam, caller: CallerParam) -> Response:
    """Conversations with their answers and your feedback, and what you agreed to."""
    pieces = _exported(services, caller.id)
    opening = await anext(pieces)  # so that a database that is down is still a 503

    async def whole() -> AsyncIterator[str]:
        yield opening
        async for piece in pieces:
            yield piece

    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    return StreamingResponse(whole(), media_type="application/json", headers=headers)


async def _exported(services: Services, caller_id: str) -> AsyncIterator[str]:
    """The JSON of PersonalData, a conversation at a time."""
    consent = ConsentView.model_validate(await services.personal.consent(caller_id))
    empty = PersonalData(caller_id=caller_id, consent=consent, conversations=[]).model_dump_json()
    opening, comma = empty.removesuffix("]}"), ""
    yield opening
    async for each in services.personal.conversations(caller_id):
        yield comma + WholeConversation.of(each).model_dump_json()
        comma = ","
    yield "]}"


@router.delete("", summary="Erase all that is kept of you", status_code=204)
async def erase_me(services: ServicesParam, caller: CallerParam, response: Response) -> None:
    """Conversations, answers, feedback, what you agreed to, and the visitor's cookie: at once and for good."""
    await services.personal.erase(caller.id)
    response.delete_cookie(VISITOR)


@router.get("/consent", summary="What did you agree to?", response_model=ConsentView)
async def get_consent(services: ServicesParam, caller: CallerParam) -> ConsentView:
    """Nothing, until you say so."""
    return ConsentView.model_validate(await services.personal.consent(caller.id))


@router.put("/consent", summary="Agree or not", response_model=ConsentView, responses=problems.responses(413))
async def set_consent(body: ConsentBody, services: ServicesParam, caller: CallerParam) -> ConsentView:
    """With `analytics`, your questions and ratings, without who you are, may be counted to improve the documents.

    It holds for all you asked, and ends for all of it as soon as you take it back.
    """
    await services.personal.agree(caller.id, body.analytics)
    return ConsentView.model_validate(await services.personal.consent(caller.id))
