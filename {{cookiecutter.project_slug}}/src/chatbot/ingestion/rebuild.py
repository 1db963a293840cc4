"""Build the vector index of the configured model from the chunks in PostgreSQL: for another model, or a store lost.

The new index is filled beside the active one. It becomes the active one in a transaction that finds every chunk in it,
those that came meanwhile included. The former one stays for a while: processes that still run with its model search
and fill it. Under an unchanged model the index is filled in place, with what its store has lost.
"""

from __future__ import annotations

from collections.abc import Callable

from chatbot.ingestion.reconcile import compare
from chatbot.ingestion.vector_index import VectorIndex
from chatbot.ports import VectorStore
from chatbot.storage.documents import Documents
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes

PAGE = 100
"""Documents at a time."""


async def rebuild(
    index: VectorIndex,
    indexes: Indexes,
    embeddings: Embeddings,
    documents: Documents,
    vectors: VectorStore,
    report: Callable[[int, int], None],
) -> str:
    """Fill and activate the index of the configured model; its name. `report` hears (done, total) documents."""
    name = await index.begin()
    await compare(name, vectors, embeddings)
    done = 0
    while not await indexes.activate(name):
        for document_id in await embeddings.incomplete(name, PAGE):
            await index.fill(document_id, None, _nothing)
            done += 1
            total, _ = await documents.count()
            report(done, max(total, done))
    await index.collect()
    return name


async def _nothing(_: int) -> None: ...
