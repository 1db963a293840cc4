"""What an answer rests on, or one document, as entries for a bibliography."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.exceptions import HTTPException

from chatbot.domain import Document
from chatbot.text import bibliography
from chatbot.text.bibliography import Format
from chatbot.web import problems
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, IdParam, ServicesParam

FormatParam = Annotated[Format, Query(description="For LaTeX; for Zotero and EndNote; for programs.")]
ENTRIES = {
    200: {
        "description": "The entries, as a file.",
        "content": {
            bibliography.MEDIA_TYPES["bibtex"]: {"schema": {"type": "string"}},
            bibliography.MEDIA_TYPES["ris"]: {"schema": {"type": "string"}},
            bibliography.MEDIA_TYPES["csl"]: {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    },
    **problems.responses(404),
}

router = APIRouter(prefix="/v1", dependencies=[allowed("ask")], responses=problems.responses(422, 503))


@router.get(
    "/documents/{id}/citation",
    tags=["documents"],
    summary="Cite a document",
    response_class=Response,
    responses=ENTRIES,
)
async def cite_document(id: IdParam, services: ServicesParam, format: FormatParam = "bibtex") -> Response:
    """Title, authors, journal, year, DOI and address, as far as they are known."""
    document = await services.documents.get(id)
    if document is None:
        raise HTTPException(404, "There is no document of this id.")
    return _file(format, [document], document.id)


@router.get(
    "/messages/{id}/citations",
    tags=["conversations"],
    summary="Cite the sources of an answer",
    response_class=Response,
    responses=ENTRIES,
)
async def cite_answer(
    id: IdParam, services: ServicesParam, caller: CallerParam, format: FormatParam = "bibtex"
) -> Response:
    """Of an answer of your own, by its `message_id`: each document that it cites, once, in the order of its citations.

    A document that was removed since is left out.
    """
    found = await services.conversations.find(id, caller.id)
    if found is None:
        raise HTTPException(404, "There is no answer of this id.")
    cited = dict.fromkeys(each.document_id for each in found[1].answer.citations)
    documents = [await services.documents.get(each) for each in cited]
    return _file(format, [each for each in documents if each], id)


def _file(format: Format, documents: Sequence[Document], name: str) -> Response:
    return Response(
        bibliography.written(format, documents),
        media_type=bibliography.MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}{bibliography.SUFFIXES[format]}"'},
    )
