"""Documents in and out, by file or by URL, and the jobs that make them findable."""

from __future__ import annotations

import asyncio
import hashlib
import json
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Header, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import Json, ValidationError
from starlette.exceptions import HTTPException

from chatbot.bootstrap import Services
from chatbot.domain import Caller, Document, Job, JobKind, JobRequest, UnreadableDocument
from chatbot.jobs.outbox import submit
from chatbot.storage.documents import AlreadyAccepted
from chatbot.web import problems
from chatbot.web.api.schemas.base import MetadataBody
from chatbot.web.api.schemas.documents import (
    DocumentPage,
    DocumentPassage,
    DocumentText,
    DocumentView,
    JobView,
    Upload,
    UrlBody,
)
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import ID, CallerParam, IdParam, ServicesParam

MAX_NAME = 255
MAX_POSITION = 2**31 - 1
"""The largest that the database's column takes."""
URL_BODY_BYTES = 256_000
JSON = "application/json"
URL_BODY = {"requestBody": {"content": {JSON: {"schema": {"$ref": "#/components/schemas/UrlBody"}}}, "required": True}}

router = APIRouter(prefix="/v1", responses=problems.responses(422, 503))


@router.post(
    "/documents",
    tags=["documents"],
    dependencies=[allowed("ingest")],
    summary="Add or replace a document",
    status_code=202,
    response_model=Upload,
    responses={
        200: {"description": "This very content can be found already, here or elsewhere.", "model": Upload},
        202: {
            "description": "Accepted; the job says when it can be found.",
            "headers": {"Location": {"description": "Where to follow the job.", "schema": {"type": "string"}}},
        },
        **problems.responses(400, 404, 409, 413, 415),
    },
    openapi_extra=URL_BODY,
)
async def upload_document(
    request: Request,
    response: Response,
    services: ServicesParam,
    caller: CallerParam,
    file: Annotated[
        UploadFile | None,
        File(description="Of any type that can be read: PDF, Word, HTML, Markdown, text…"),
    ] = None,
    url: Annotated[str | None, Form(description="In place of a file: where a worker is to fetch one.")] = None,
    metadata: Annotated[
        Json[MetadataBody] | None,
        Form(description="A JSON object to filter on later.", examples=['{"year": 2024, "authors": ["Roe, J."]}']),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern="^[!-~]{1,255}$",
            description="Yours: the same key again returns the job that it made, if the request is the same too.",
        ),
    ] = None,
) -> Upload:
    """A file in a form, or a URL in a form or in JSON: a worker then fetches it, and never from a private address.

    The file's name, or the URL, identifies the document: another file of that name, or the same URL again, replaces
    it. The same content under another name is not kept twice; `document` is then the one that has it.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON:
        body = await _url_body(request)
        url, metadata = body.url, body.metadata
    if (file is None) == (url is None):
        raise _invalid("file", "should be given, or a url in its place")
    name, content = (url, None) if url is not None else await _content(services, file)
    request_of = await _job_request(caller, name, content, metadata or {}, idempotency_key)
    if accepted := await _accepted_before(services, request_of):
        return await _handed_over(response, services, caller, *accepted)
    try:
        if content is None:
            accepted = await _announce(services, name, metadata, request_of)
        else:
            twin = await services.ingester.duplicate(name, content)
            if twin:
                response.status_code = 200
                return Upload(state="duplicate", document=DocumentView.of(twin, caller), job=None)
            document, job = await services.ingester.register(name, name, content, metadata, request_of)
            if job is None:
                response.status_code = 200
                return Upload(state="unchanged", document=DocumentView.of(document, caller), job=None)
            accepted = document, job
    except AlreadyAccepted:  # by another request of the same key, a moment ago
        accepted = await _accepted_before(services, request_of)
        if accepted is None:
            raise HTTPException(409, "Another request of this Idempotency-Key is under way.") from None
    return await _handed_over(response, services, caller, *accepted)


async def _content(services: Services, file: UploadFile | None) -> tuple[str, bytes]:
    """The file's name and its bytes."""
    assert file
    name = _name(file)
    limit = services.settings.max_document_mb
    if (file.size or 0) > limit * 1_000_000:
        raise HTTPException(413, f"A document may have {limit:g} MB at most.")
    return name, await file.read()


async def _job_request(
    caller: Caller, name: str, content: bytes | None, metadata: MetadataBody, idempotency_key: str | None
) -> JobRequest:
    """The key is the caller's own, and nobody learns from it who that is; the fingerprint tells requests apart."""
    kind: JobKind = "fetch" if content is None else "ingest"
    if idempotency_key is None:
        return JobRequest(kind)

    def fingerprint() -> str:
        said = json.dumps([kind, name, metadata], sort_keys=True, default=str).encode()
        return _hash(said, content or b"")

    key = _hash(caller.id.encode(), idempotency_key.encode())
    return JobRequest(kind, key, await asyncio.to_thread(fingerprint))


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


async def _accepted_before(services: Services, request: JobRequest) -> tuple[Document, Job] | None:
    """What a request of the same key has made; 422 when it asked for something else."""
    job = await services.jobs.find(request.idempotency_key) if request.idempotency_key else None
    if job is None:
        return None
    if job.fingerprint != request.fingerprint:
        raise HTTPException(422, "This Idempotency-Key was used for another request.")
    document = await services.documents.get(job.document_id or "")
    if document is None:
        raise HTTPException(404, "The document of this Idempotency-Key was removed.")
    return document, job


async def _announce(
    services: Services, url: str, metadata: MetadataBody | None, request: JobRequest
) -> tuple[Document, Job]:
    try:
        return await services.ingester.announce(url, metadata, request)
    except UnreadableDocument as error:
        raise _invalid("url", str(error)) from None


async def _handed_over(response: Response, services: Services, caller: Caller, document: Document, job: Job) -> Upload:
    """Give the job to the queue; while that is down the scheduler does it later."""
    job = await submit(services.jobs, services.queue, job)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return Upload(state="accepted", document=DocumentView.of(document, caller), job=JobView.model_validate(job))


async def _url_body(request: Request) -> UrlBody:
    """Read no further than a URL and its metadata may need: this path takes bodies as large as documents."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > URL_BODY_BYTES:
            raise HTTPException(413, f"A request in JSON may have {URL_BODY_BYTES / 1_000_000:g} MB at most.")
    try:
        return UrlBody.model_validate_json(bytes(body))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in details]) from None


def _invalid(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": message}])


@router.get(
    "/documents",
    tags=["documents"],
    dependencies=[allowed("ask")],
    summary="List the documents",
    response_model=DocumentPage,
)
async def list_documents(
    services: ServicesParam,
    caller: CallerParam,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
    after: Annotated[str | None, Query(pattern=ID, description="`next` of the page before.")] = None,
) -> DocumentPage:
    """A page at a time, ordered by id: documents that come or go meanwhile neither shift nor repeat the others."""
    found = await services.documents.list(limit + 1, after)
    page = [DocumentView.of(each, caller) for each in found[:limit]]
    return DocumentPage(documents=page, next=page[-1].id if len(found) > limit else None)


@router.get(
    "/documents/{id}",
    tags=["documents"],
    dependencies=[allowed("ask")],
    summary="Look at one document",
    response_model=DocumentView,
    responses=problems.responses(404),
)
async def get_document(id: IdParam, services: ServicesParam, caller: CallerParam) -> DocumentView:
    return DocumentView.of(await existing(services, id), caller)


@router.get(
    "/documents/{id}/passages",
    tags=["documents"],
    dependencies=[allowed("ask")],
    summary="Read a document",
    response_model=DocumentText,
    responses=problems.responses(404),
)
async def read_document(
    id: IdParam,
    services: ServicesParam,
    caller: CallerParam,
    around: Annotated[
        str | None, Query(pattern=ID, description="A passage to have in the midst, in place of `start`.")
    ] = None,
    start: Annotated[int, Query(ge=0, le=MAX_POSITION, description="The position to begin at.")] = 0,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 20,
) -> DocumentText:
    """What was read of it, as passages in reading order. One may begin with the words that end the one before it."""
    document = await existing(services, id)
    if around is not None:
        position = await services.documents.position(id, around)
        if position is None:
            raise HTTPException(404, "The document has no passage of this id, or not any more.")
        start = max(0, position - limit // 2)
    found = await services.documents.chunks(id, start, limit + 1)
    passages = [DocumentPassage.of(each) for each in found[:limit]]
    return DocumentText(
        document=DocumentView.of(document, caller),
        passages=passages,
        next=passages[-1].position + 1 if len(found) > limit else None,
    )


@router.get(
    "/documents/{id}/original",
    tags=["documents"],
    dependencies=[allowed("ingest")],
    summary="Download the original",
    response_class=Response,
    responses={
        200: {"description": "The file as it was added.", "content": {"application/octet-stream": {}}},
        **problems.responses(404),
    },
)
async def download_original(id: IdParam, services: ServicesParam) -> Response:
    """For those who may change the corpus: it may hold what no reader sees, and so no passage says.

    Always as a file to save, never as a page of this site, whatever it is.
    """
    document = await existing(services, id)
    content = await services.documents.original(id)
    if content is None:
        raise HTTPException(404, "The document has no original.")
    name = PurePosixPath(document.source.partition("?")[0]).name or "document"
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-store",
        },
    )


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
    name = unicodedata.normalize("NFC", PureWindowsPath(PurePosixPath(file.filename or "").name).name.strip())
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        raise _invalid("file", "should have a name of 1 to 255 characters")
    return name


async def existing(services: Services, id: str) -> Document:
    """404 when there is no such document."""
    document = await services.documents.get(id)
    if document is None:
        raise HTTPException(404, "There is no document of this id.")
    return document
