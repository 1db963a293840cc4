"""One's own conversations: list, read, rename, share, export, delete; and what one thinks of an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from chatbot.domain import Conversation, Feedback, Language
from chatbot.web import problems
from chatbot.web.api import export
from chatbot.web.api.addresses import shared
from chatbot.web.api.cursors import CURSOR, cursor, position
from chatbot.web.api.schemas.conversations import (
    ConversationPage,
    ConversationView,
    FeedbackRequest,
    FeedbackView,
    SharedConversation,
    SharedMessage,
    ShareView,
    Title,
    WholeConversation,
)
from chatbot.web.auth.network import origin
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, IdParam, ServicesParam
from chatbot.web.ops import request_metrics as metrics

ABSENT = "There is no conversation of this id."

router = APIRouter(
    prefix="/v1", tags=["conversations"], dependencies=[allowed("ask")], responses=problems.responses(422, 503)
)


@router.get("/conversations", summary="List your conversations", response_model=ConversationPage)
async def list_conversations(
    services: ServicesParam,
    caller: CallerParam,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many.")] = 20,
    after: Annotated[str | None, Query(pattern=CURSOR, description="`next` of the page before.")] = None,
    q: Annotated[
        str, Query(max_length=200, pattern=r"^[^\x00]*$", description="Only those in which these words stand.")
    ] = "",
) -> ConversationPage:
    """The latest first, a page at a time."""
    before = position(after) if after else None
    found = await services.conversations.list(caller.id, limit + 1, before, q.strip())
    page = found[:limit]
    return ConversationPage(
        conversations=[ConversationView.model_validate(each) for each in page],
        next=cursor(page[-1].updated_at, page[-1].id) if len(found) > limit else None,
    )


@router.get(
    "/conversations/{id}",
    summary="Read a conversation",
    response_model=WholeConversation,
    responses=problems.responses(404),
)
async def get_conversation(id: IdParam, services: ServicesParam, caller: CallerParam) -> WholeConversation:
    """Its questions and answers in order, with the citations as they were given."""
    return WholeConversation.of(await _existing(services, id, caller))


@router.delete(
    "/conversations/{id}", summary="Delete a conversation", status_code=204, responses=problems.responses(404)
)
async def delete_conversation(id: IdParam, services: ServicesParam, caller: CallerParam) -> None:
    """With its questions, answers and feedback, at once and for good."""
    if not await services.conversations.delete(id, caller.id):
        raise HTTPException(404, ABSENT)


@router.patch(
    "/conversations/{id}",
    summary="Rename a conversation",
    response_model=Title,
    responses=problems.responses(400, 404, 413),
)
async def rename_conversation(id: IdParam, body: Title, services: ServicesParam, caller: CallerParam) -> Title:
    if not await services.conversations.rename(id, caller.id, body.title):
        raise HTTPException(404, ABSENT)
    return body


@router.get(
    "/conversations/{id}/export",
    summary="Download a conversation",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {}}}, **problems.responses(404)},
)
async def export_conversation(
    id: IdParam, request: Request, services: ServicesParam, caller: CallerParam, language: Language = "en"
) -> Response:
    """As Markdown: questions, answers, and below each the sources it cites, with their addresses."""
    found = await _existing(services, id, caller)
    text = export.markdown(found, origin(request, services.settings.trusted_proxies), language)
    headers = {"Content-Disposition": 'attachment; filename="conversation.md"'}
    return Response(text, media_type="text/markdown", headers=headers)


@router.post(
    "/conversations/{id}/share",
    summary="Share a conversation",
    response_model=ShareView,
    responses=problems.responses(404),
)
async def share_conversation(id: IdParam, services: ServicesParam, caller: CallerParam) -> ShareView:
    """Makes a link for others: whoever has it, and may ask, reads what was said until now. Again: until then."""
    token = await services.conversations.share(id, caller.id)
    if token is None:
        raise HTTPException(404, ABSENT)
    return ShareView(share_url=shared(token))


@router.delete(
    "/conversations/{id}/share", summary="Take the link back", status_code=204, responses=problems.responses(404)
)
async def unshare_conversation(id: IdParam, services: ServicesParam, caller: CallerParam) -> None:
    """The link leads to nothing from now on; another one will be different."""
    if not await services.conversations.unshare(id, caller.id):
        raise HTTPException(404, "There is no link to this conversation.")


@router.get(
    "/shared/{id}",
    summary="Read a conversation that somebody shares",
    response_model=SharedConversation,
    responses=problems.responses(404),
)
async def get_shared_conversation(id: IdParam, services: ServicesParam) -> SharedConversation:
    """By what the link ends with."""
    found = await services.conversations.shared(id)
    if found is None:
        raise HTTPException(404, "There is no shared conversation of this id, or not any more.")
    return SharedConversation(title=found.title, messages=[SharedMessage.shared(each) for each in found.messages])


@router.post(
    "/feedback",
    summary="Say what you think of an answer",
    response_model=FeedbackView,
    responses=problems.responses(400, 404, 413),
)
async def give_feedback(body: FeedbackRequest, services: ServicesParam, caller: CallerParam) -> FeedbackView:
    """On an answer of your own, by its `message_id`; given again, it replaces what you said before."""
    if not await services.conversations.rate(body.message_id, caller.id, Feedback(body.rating, body.comment)):
        raise HTTPException(404, "There is no answer of this id.")
    metrics.FEEDBACK.labels(body.rating).inc()
    return FeedbackView(rating=body.rating, comment=body.comment)


async def _existing(services: ServicesParam, id: str, caller: CallerParam) -> Conversation:
    """The caller's conversation; 404 when there is none."""
    found = await services.conversations.get(id, caller.id)
    if found is None:
        raise HTTPException(404, ABSENT)
    return found
