"""For whoever looks after the bot, with the scope `admin`: jobs that need a person, what readers say, keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from chatbot.domain import JobState, Rating
from chatbot.web import problems
from chatbot.web.api.schemas.documents import JobList, JobView
from chatbot.web.api.schemas.operators import (
    KeyBody,
    KeyList,
    KeyView,
    NewKey,
    ReviewList,
    ReviewView,
    UnansweredList,
    UnansweredView,
)
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, IdParam, ServicesParam

LimitParam = Annotated[int, Query(ge=1, le=500, description="At most so many.")]

router = APIRouter(
    prefix="/v1", tags=["operations"], dependencies=[allowed("admin")], responses=problems.responses(422, 503)
)


@router.get("/jobs", summary="List the jobs", response_model=JobList)
async def list_jobs(services: ServicesParam, state: JobState | None = None, limit: LimitParam = 50) -> JobList:
    """The latest first: those in that state, or all."""
    return JobList(jobs=[JobView.model_validate(each) for each in await services.jobs.list(state, limit)])


@router.post(
    "/jobs/{id}/requeue", summary="Give a job new attempts", status_code=204, responses=problems.responses(404)
)
async def requeue_job(id: IdParam, services: ServicesParam) -> None:
    """A dead or a failed one; the scheduler sends it within a few seconds."""
    if not await services.jobs.requeue(id):
        raise HTTPException(404, "There is no dead or failed job of this id.")


@router.get("/feedback", summary="Read the ratings", response_model=ReviewList)
async def list_feedback(services: ServicesParam, rating: Rating | None = None, limit: LimitParam = 50) -> ReviewList:
    """The latest first, each with its comment, question and answer, and without who sent it."""
    found = await services.reviews.list(rating, limit)
    return ReviewList(feedback=[ReviewView.model_validate(each) for each in found])


@router.get("/unanswered", summary="Read the questions without an answer", response_model=UnansweredList)
async def list_unanswered(services: ServicesParam, limit: LimitParam = 50) -> UnansweredList:
    """Of those who agree to statistics, without who they are: what the documents lack."""
    found = await services.reviews.unanswered(limit)
    return UnansweredList(questions=[UnansweredView.model_validate(each) for each in found])


@router.get("/keys", summary="List the keys", response_model=KeyList)
async def list_api_keys(services: ServicesParam) -> KeyList:
    """The latest first, the revoked ones too: never the keys themselves, only how they begin."""
    return KeyList(keys=[KeyView.of(each) for each in await services.keys.list()])


@router.post(
    "/keys", summary="Make a key", status_code=201, response_model=NewKey, responses=problems.responses(400, 413)
)
async def create_api_key(body: KeyBody, services: ServicesParam, caller: CallerParam) -> NewKey:
    """It is shown this once. Nobody gives away more than they may do themselves."""
    scopes = frozenset(body.scopes)
    if not scopes <= caller.scopes:
        raise HTTPException(403, "You cannot give a scope that you do not have.")
    key, secret = await services.keys.create(body.name, scopes)
    return NewKey(key=KeyView.of(key), secret=secret)


@router.delete("/keys/{id}", summary="Revoke a key", status_code=204, responses=problems.responses(404))
async def revoke_api_key(id: IdParam, services: ServicesParam) -> None:
    """Refused from now on, by every process."""
    if not await services.keys.revoke(id):
        raise HTTPException(404, "There is no key of this id that could be revoked.")
