"""The pages of a PDF as images, with the quoted words of a citation marked: shown beside its text."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from starlette.exceptions import HTTPException

from chatbot.ingestion.parsing.parse import PDF
from chatbot.ingestion.parsing.pdf import MOST_PAGES
from chatbot.web import problems
from chatbot.web.api.documents import existing
from chatbot.web.api.schemas.base import MAX_QUESTION
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import IdParam, ServicesParam

DRAWN_AS = "1"
"""Raise it when pages are drawn in another way: browsers then ask for them anew."""

router = APIRouter(prefix="/v1", responses=problems.responses(422, 503))


@router.get(
    "/documents/{id}/pages/{page}",
    tags=["documents"],
    dependencies=[allowed("ingest")],
    summary="See a page of a PDF",
    response_class=Response,
    responses={
        200: {"description": "The page as its readers see it.", "content": {"image/png": {}}},
        304: {"description": "The image that you have is still the right one."},
        **problems.responses(404, 415),
    },
)
async def show_page(
    id: IdParam,
    services: ServicesParam,
    page: Annotated[int, Path(ge=1, le=MOST_PAGES, description="1 is the first.")],
    quote: Annotated[
        str, Query(max_length=MAX_QUESTION, description="Words to mark, as far as they stand on the page.")
    ] = "",
    if_none_match: Annotated[str | None, Header(description="The `ETag` of the image that you have.")] = None,
) -> Response:
    """For those who may have the original: a scan shows what no passage says.

    It is drawn in a process without rights, as files are read.
    """
    document = await existing(services, id)
    if document.media_type != PDF:
        raise HTTPException(415, "Only a PDF has pages that can be drawn.")
    tag = _tag(document.accepted_hash or "", page, quote)
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",  # kept, and shown again only if it is still the document's
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if document.accepted_hash and tag in (if_none_match or ""):
        return Response(status_code=304, headers=headers)
    content = await services.documents.original(id)
    if content is None:
        raise HTTPException(404, "The document has no original.")
    picture = await services.sandbox.draw(content, document.title, page, quote)
    return Response(picture, media_type="image/png", headers=headers)


def _tag(*parts: object) -> str:
    return f'"{hashlib.sha256(repr((DRAWN_AS, *parts)).encode()).hexdigest()[:32]}"'
