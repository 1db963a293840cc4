"""Rebuild the vector index from the chunks in PostgreSQL: for another embedding model, or a vector database lost.

The new index is filled beside the old one, which answers until the new one is complete; then one UPDATE switches over
and the old one is dropped. Under an unchanged model the index is filled in place: nothing is lost by running it twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from chatbot.domain import Document
from chatbot.ingestion.chunk import indexed_text
from chatbot.ingestion.ingest import batches, learn_dimension, points
from chatbot.storage.documents import index_name

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

PAGE = 200
"""Documents read at a time."""


async def rebuild(services: Services, report: Callable[[int, int], None]) -> str:
    """Fill and activate the index of the configured model; returns its name. `report` hears (done, total) documents."""
    documents, vectors, embedder = services.documents, services.vectors, services.embedder
    await learn_dimension(embedder)
    name = index_name(embedder.model, embedder.dimension)
    await vectors.create(name, embedder.dimension)
    copied: dict[str, str | None] = {}
    while await _copy(services, name, copied, report):
        """Another pass, over the documents that changed while they were copied."""
    await documents.activate_index(name, embedder.model, embedder.dimension)
    for other in await documents.indexes():
        if other.name != name:
            await vectors.drop(other.name)
    return name


async def _copy(
    services: Services, index: str, copied: dict[str, str | None], report: Callable[[int, int], None]
) -> bool:
    """One pass over the documents whose content is not in `copied` yet; False when there was none."""
    found = False
    total, _ = await services.documents.count()
    async for document in every_document(services):
        if copied.get(document.id, "") == document.content_hash:
            continue
        await _copy_document(services, index, document)
        copied[document.id] = document.content_hash
        found = True
        report(len(copied), max(total, len(copied)))
    return found


async def _copy_document(services: Services, index: str, document: Document) -> None:
    chunks = await services.documents.chunks(document.id)
    for batch in batches(chunks):
        vectors = await services.embedder.embed_passages([indexed_text(document.title, each) for each in batch])
        await services.vectors.upsert(index, points(batch, vectors, document.metadata, document.language))
    await services.vectors.delete(index, document.id, keep=[each.id for each in chunks])


async def every_document(services: Services) -> AsyncIterator[Document]:
    """Every document, in the order of ids."""
    after: str | None = None
    while page := await services.documents.list(PAGE, after):
        for document in page:
            yield document
        after = page[-1].id
