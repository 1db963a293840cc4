"""Documents in and out, and the jobs that make them findable."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from fastapi import APIRouter, File, Form, Header, Query, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import Json
from starlette.exceptions import HTTPException

from chatbot.adapters.jobs import submit
from chatbot.domain import Document
from chatbot.web import problems
from chatbot.web.access import allowed
from chatbot.web.dependencies import ID, IdParam, ServicesParam
from chatbot.web.schemas import DocumentPage, DocumentView, JobView, MetadataBody, Upload

MAX_NAME = 255

router = APIRouter(prefix="/v1", responses=problems.responses(422, 503))


@router.post(
    "/documents",
    tags=["documents"],
    dependencies=[allowed("ingest")],
    summary="Add or replace a document",
    status_code=202,
    response_model=Upload,
    responses={
        200: {"description": "This very content can be found already; nothing to do.", "model": Upload},
        202: {
            "description": "Accepted; the job says when it can be found.",
            "headers": {"Location": {"description": "Where to follow the job.", "schema": {"type": "string"}}},
        },
        **problems.responses(400, 413, 415),
    },
)
async def upload_document(
    response: Response,
    services: ServicesParam,
    file: Annotated[UploadFile, File(description="PDF, Markdown, HTML, Word or plain text.")],
    metadata: Annotated[
        Json[MetadataBody] | None,
        Form(description="A JSON object to filter on later.", examples=['{"year": 2024, "authors": ["Roe, J."]}']),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern="^[!-~]{1,255}$",
            description="The same key again returns the job that it made.",
        ),
    ] = None,
) -> Upload:
    """The file's name identifies the document: uploading another file of that name replaces it."""
    name = _name(file)
    limit = services.settings.max_document_mb
    if (file.size or 0) > limit * 1_000_000:
        raise HTTPException(413, f"A document may have {limit:g} MB at most.")
    document, changed = await services.ingester.register(name, name, await file.read(), metadata or {})
    if not changed:
        response.status_code = 200
        return Upload(state="unchanged", document=_view(document), job=None)
    job = await services.jobs.create("ingest", document.id, idempotency_key)
    if job.document_id != document.id:
        raise HTTPException(422, "This Idempotency-Key was used for another document.")
    job = await submit(services.jobs, services.queue, job)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return Upload(state="accepted", document=_view(document), job=JobView.model_validate(job))


@router.get(
    "/documents",
    tags=["documents"],
    dependencies=[allowed("ask")],
    summary="List the documents",
    response_model=DocumentPage,
)
async def list_documents(
    services: ServicesParam,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
    after: Annotated[str | None, Query(pattern=ID, description="`next` of the page before.")] = None,
) -> DocumentPage:
    """A page at a time, ordered by id: documents that come or go meanwhile neither shift nor repeat the others."""
    found = await services.documents.list(limit + 1, after)
    page = found[:limit]
    return DocumentPage(documents=[_view(each) for each in page], next=page[-1].id if len(found) > limit else None)


@router.get(
    "/documents/{id}",
    tags=["documents"],
    dependencies=[allowed("ask")],
    summary="Look at one document",
    response_model=DocumentView,
    responses=problems.responses(404),
)
async def get_document(id: IdParam, services: ServicesParam) -> DocumentView:
    found = await services.documents.get(id)
    if found is None:
        raise HTTPException(404, "There is no document of this id.")
    return _view(found)


@router.delete(
    "/documents/{id}",
    tags=["documents"],
    dependencies=[allowed("ingest")],
    summary="Remove a document",
    status_code=204,
    responses=problems.responses(404),
)
async def delete_document(id: IdParam, services: ServicesParam) -> None:
    """With its original, its passages and its vectors: no answer rests on it from now on."""
    if not await services.ingester.remove(id):
        raise HTTPException(404, "There is no document of this id.")


@router.get(
    "/jobs/{id}",
    tags=["jobs"],
    dependencies=[allowed("ingest")],
    summary="Follow a job",
    response_model=JobView,
    responses=problems.responses(404),
)
async def get_job(id: IdParam, services: ServicesParam) -> JobView:
    found = await services.jobs.get(id)
    if found is None:
        raise HTTPException(404, "There is no job of this id.")
    return JobView.model_validate(found)


def _name(file: UploadFile) -> str:
    """The name without folders, whichever system wrote them."""
    name = PureWindowsPath(PurePosixPath(file.filename or "").name).name.strip()
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        error = {"type": "value_error", "loc": ("body", "file"), "msg": "should have a name of 1 to 255 characters"}
        raise RequestValidationError([error])
    return name


def _view(document: Document) -> DocumentView:
    return DocumentView.model_validate(document)
