"""One's own conversations: list, read, delete; and what one thinks of an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from chatbot.domain import Conversation, Feedback
from chatbot.web import problems
from chatbot.web.api.schemas import ConversationPage, ConversationView, FeedbackRequest, FeedbackView, WholeConversation
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, IdParam, ServicesParam
from chatbot.web.ops import request_metrics as metrics

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR = "^[0-9]{1,16}-[A-Za-z0-9_]{1,64}$"
"""Microseconds, and the id of the last conversation of a page."""
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
) -> ConversationPage:
    """The latest first, a page at a time."""
    found = await services.conversations.list(caller.id, limit + 1, _position(after) if after else None)
    page = found[:limit]
    return ConversationPage(
        conversations=[ConversationView.model_validate(each) for each in page],
        next=_cursor(page[-1]) if len(found) > limit else None,
    )


@router.get(
    "/conversations/{id}",
    summary="Read a conversation",
    response_model=WholeConversation,
    responses=problems.responses(404),
)
async def get_conversation(id: IdParam, services: ServicesParam, caller: CallerParam) -> WholeConversation:
    """Its questions and answers in order, with the citations as they were given."""
    found = await services.conversations.get(id, caller.id)
    if found is None:
        raise HTTPException(404, ABSENT)
    return WholeConversation.of(found)


@router.delete(
    "/conversations/{id}", summary="Delete a conversation", status_code=204, responses=problems.responses(404)
)
async def delete_conversation(id: IdParam, services: ServicesParam, caller: CallerParam) -> None:
    """With its questions, answers and feedback, at once and for good."""
    if not await services.conversations.delete(id, caller.id):
        raise HTTPException(404, ABSENT)


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


def _cursor(last: Conversation) -> str:
    return f"{(last.updated_at - EPOCH) // timedelta(microseconds=1)}-{last.id}"


def _position(cursor: str) -> tuple[datetime, str]:
    moment, _, id = cursor.partition("-")
    return EPOCH + timedelta(microseconds=int(moment)), id
