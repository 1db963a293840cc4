"""The list of documents for people: searched, filtered, counted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from chatbot.storage.catalogue import FACETS
from chatbot.web import problems
from chatbot.web.api.cursors import CURSOR, cursor, position
from chatbot.web.api.schemas.documents import CatalogueView, DocumentView
from chatbot.web.auth.permissions import allowed
from chatbot.web.dependencies import CallerParam, ServicesParam

Values = Annotated[list[Annotated[str, Query(max_length=500, pattern=r"^[^\x00]*$")]], Query(max_length=50)]

router = APIRouter(
    prefix="/v1", tags=["documents"], dependencies=[allowed("ask")], responses=problems.responses(422, 503)
)


@router.get("/catalogue", summary="Look through the documents", response_model=CatalogueView)
async def get_catalogue(
    services: ServicesParam,
    caller: CallerParam,
    q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="Words of title or source.")] = "",
    year: Values = [],  # noqa: B006 - FastAPI copies it
    author: Values = [],  # noqa: B006
    type: Values = [],  # noqa: B006
    licence: Values = [],  # noqa: B006
    language: Values = [],  # noqa: B006
    format: Values = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
    after: Annotated[str | None, Query(pattern=CURSOR, description="`next` of the page before.")] = None,
) -> CatalogueView:
    """Those that have one of the values of each facet that is given, the latest first, and how many have which value.

    The facets are read from the metadata: `authors` or `author`, `licence` or `license`; `format` is the media type.
    """
    chosen = dict(zip(FACETS, (year, author, type, licence, language, format), strict=True))
    found = await services.catalogue.page(chosen, q.strip(), limit + 1, position(after) if after else None)
    shown = found.documents[:limit]
    more = len(found.documents) > limit
    return CatalogueView(
        documents=[DocumentView.of(each, caller) for each in shown],
        count=found.count,
        facets=found.facets,
        next=cursor(shown[-1].updated_at, shown[-1].id) if more else None,
    )
