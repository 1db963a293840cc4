"""Data sets in the BEIR layout: corpus.jsonl (or .gz), queries.jsonl, qrels/test.tsv; how well the bot ranks there."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.domain import ChatbotError, InvalidConfiguration
from chatbot.ingestion.corpus import Item, every_document
from chatbot.pipelines import documents
from chatbot.pipelines.pipeline import Figures, Watch

if TYPE_CHECKING:
    from chatbot.bootstrap import Services


@dataclass(frozen=True, slots=True)
class DataSet:
    """`relevant`: by query, the gain of each relevant document, by its source."""

    items: Sequence[Item]
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]


def load(folder: Path) -> DataSet:
    """InvalidConfiguration when a file is missing or not as the layout has it."""
    try:
        corpus = folder / "corpus.jsonl"
        lines = _lines(corpus if corpus.exists() else corpus.with_suffix(".jsonl.gz"))
        items = [_item(folder.name, line) for line in lines]
        relevant: dict[str, dict[str, int]] = defaultdict(dict)
        for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
            query, document, gain = line.split("\t")
            if int(gain) > 0:
                relevant[query][_source(folder.name, document)] = int(gain)
        queries = {line["_id"]: line["text"] for line in _lines(folder / "queries.jsonl") if line["_id"] in relevant}
    except (OSError, ValueError, KeyError) as error:
        raise InvalidConfiguration(f"{folder} is not a data set in the BEIR layout: {error}") from None
    if not queries:
        raise InvalidConfiguration(f"{folder} holds no query with a relevant document.")
    return DataSet(items, queries, {query: relevant[query] for query in queries})


async def measure(services: Services, folder: Path, watch: Watch) -> Figures:
    """Ingest it, ask each of its queries, and measure the ranking. ChatbotError where other documents are already."""
    from chatbot.pipelines.benchmark import CANDIDATES, MEASURES, percentiles, scores

    data = await asyncio.to_thread(load, folder)
    sources = {item.source for item in data.items}
    async for document in every_document(services.documents):
        if document.source not in sources:
            raise ChatbotError(
                f"{document.source} is in the database, which has to be empty or hold {folder.name} only."
            )
    done = 0

    async def within(source: str, fraction: float) -> None:
        await watch(source, (done + fraction) / len(data.items) / 2)

    async for _ in documents.ingest(services, data.items, within, False):
        done += 1
    rankings, seconds = {}, []
    for number, (query, text) in enumerate(data.queries.items(), start=1):
        started = time.perf_counter()
        passages = await services.retriever.search(text, CANDIDATES)
        seconds.append(time.perf_counter() - started)
        rankings[query] = list(dict.fromkeys(passage.source for passage in passages))
        await watch(text, 0.5 + number / len(data.queries) / 2)
    found = scores(rankings, data.relevant)
    means = {name: round(sum(each[name] for each in found.values()) / len(found), 4) for name in MEASURES}
    return {"data": folder.name, "questions": len(data.queries), **means, **percentiles(seconds)}


def _item(name: str, line: Mapping[str, Any]) -> Item:
    content = f"{line.get('title') or line['_id']}\n\n{line['text']}".encode()
    return Item(_source(name, line["_id"]), f"{line['_id']}.txt", lambda: content)


def _source(name: str, id: str) -> str:
    return f"{name}/{id}.txt"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
