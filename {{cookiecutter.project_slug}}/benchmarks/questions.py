"""How right the chatbot's answers are, on a file of questions whose answers are known, through the real pipeline.

python -m benchmarks.questions questions.yaml docs papers/ hal.json       the half that was not tuned on
python -m benchmarks.questions questions.yaml docs --half tuning --show   the other half, with what went wrong

The file is as chatbot/pipelines/questions.py has it, which also judges the answers.

A folder or file is ingested as `chatbot ingest` does, a .json file as an answer of HAL's search API. The index is kept
in .services/benchmarks/questions (--fresh makes it anew), embeddings are kept beside it.

A question belongs to the tuning or to the reporting half by its own text, whatever else the file holds; one that is
`held_out: true` to the reporting half.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.beir import EMBEDDINGS, WORK, connected
from chatbot.answering.answer import Done, Token
from chatbot.bootstrap import Services
from chatbot.domain import Answer, ChatbotError, Citation, Turn
from chatbot.ingestion import corpus
from chatbot.ingestion.hal import record
from chatbot.jobs import batch
from chatbot.pipelines.questions import VERDICTS, Asked, Verdict, holds, judge, load
from chatbot.text.analysis import detect_language
from services import start

HALVES = ("tuning", "reporting")


def half(asked: Asked) -> str:
    """By a digest of the text, so that adding questions moves none from one half to the other."""
    if asked.held_out:
        return "reporting"
    return HALVES[hashlib.sha256(asked.question.encode()).digest()[0] % 2]


@dataclass(frozen=True, slots=True)
class Judged:
    asked: Asked
    answer: Answer
    verdict: Verdict
    seconds: float
    first: float
    """Seconds until the first words of the answer, as whoever asked waits for them…"""
    processor: float
    """…and those of this process's processor time meanwhile."""
    quotes: int
    """Sentences or stretches quoted where there was something to answer…"""
    to_the_point: int
    """…and those of them from an expected document with one of the expected words."""
    across: bool
    """Whether the question's language is another than that of the document that answers it."""


async def ingest(services: Services, paths: Sequence[str], console: Console) -> None:
    items: list[corpus.Item] = []
    for path in map(Path, paths):
        if path.suffix == ".json":
            docs = json.loads(path.read_text("utf-8"))["response"]["docs"]
            records = [record(fields, "benchmark") for fields in docs]
            items += [corpus.Item(r.source, r.name, r.text.encode, r.metadata) for r in records]
        else:
            items += corpus.files([path], path if path.is_dir() else path.parent).items
    with console.status("Ingesting") as status:

        async def watch(source: str, fraction: float) -> None:
            status.update(f"Ingesting {source} {fraction:.0%}")

        async for outcome in batch.ingest(services.jobs, services.ingester, items, watch):
            if outcome.state == "failed":
                console.print(f"left out: {outcome.source}: {outcome.error}")


async def ask(services: Services, asked: Asked) -> tuple[Answer, float, float, float]:
    """The answer through the conversation's own code, with the turns before it; the seconds it took, and those until
    its first words: that passed, and of the processor."""
    turns: list[Turn] = []
    for text in (*asked.after, asked.question):
        started, worked, first, processor = time.perf_counter(), time.process_time(), 0.0, 0.0
        exchange = await services.chat.begin("benchmark", text, store=False, turns=turns)
        async for event in exchange.events:
            if isinstance(event, Token) and not first:
                first, processor = time.perf_counter() - started, time.process_time() - worked
            if isinstance(event, Done):
                answer = event.answer
        turns.append(Turn(text, answer.text))
    return answer, time.perf_counter() - started, first, processor


async def measure(services: Services, questions: Sequence[Asked], console: Console) -> list[Judged]:
    judged = []
    for asked in track(questions, "Asking", console=console):
        answer, seconds, first, processor = await ask(services, asked)
        cited = {c.document_id for c in answer.citations}
        documents = [found for id in cited if (found := await services.documents.get(id))]
        sources = {document.id: document.source for document in documents}
        quotes = [c for c in answer.citations if not asked.must_refuse]
        right = [c for c in quotes if _to_the_point(asked, c)]
        verdict = judge(asked, answer, sources)
        across = await _across(services, asked)
        judged.append(Judged(asked, answer, verdict, seconds, first, processor, len(quotes), len(right), across))
    return judged


def _to_the_point(asked: Asked, citation: Citation) -> bool:
    words = any(holds(citation.quote, words) for words in asked.expected_words)
    return asked.expects(citation.source) and words


async def _across(services: Services, asked: Asked) -> bool:
    spoken = detect_language(asked.question)
    if asked.must_refuse:
        return False
    async for document in corpus.every_document(services.documents):
        if asked.expects(document.source):
            return document.language != spoken
    return False


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """The figures, by name."""
    counts = Counter(each.verdict for each in judged)
    across = [each for each in judged if each.across]
    quotes = sum(each.quotes for each in judged)
    seconds = [each.seconds for each in judged]
    first, processor = sorted(each.first for each in judged), sorted(each.processor for each in judged)
    return {
        "questions": len(judged),
        **{verdict: counts[verdict] for verdict in VERDICTS},
        "across languages, right": f"{sum(each.verdict == 'right' for each in across)} of {len(across)}",
        "quotes to the point": round(sum(each.to_the_point for each in judged) / quotes, 3) if quotes else None,
        "quotes an answer": round(quotes / max(1, sum(bool(each.quotes) for each in judged)), 2),
        "seconds to the first words, p50": round(median(first), 3),
        "seconds to the first words, p99": round(first[int(0.99 * (len(first) - 1))], 3),
        "of the processor, p50": round(median(processor), 3),
        "of the processor, p99": round(processor[int(0.99 * (len(processor) - 1))], 3),
        "median seconds": round(median(seconds), 3),
        "slowest": round(max(seconds), 3),
    }


def show(judged: Iterable[Judged], console: Console) -> None:
    """What was not right, to look into: of the tuning half alone."""
    for each in judged:
        if each.verdict not in ("right", "refused rightly"):
            console.print(f"\n{each.verdict.upper()}: {each.asked.question}", style="bold", highlight=False)
            console.print(f"  expected {list(each.asked.expected_words)} in {list(each.asked.expected_documents)}")
            console.print(f"  {each.answer.text}", markup=False, highlight=False)
            for citation in each.answer.citations:
                console.print(f"    {citation.number} {citation.source} p. {citation.page}", markup=False)


async def run(options: argparse.Namespace, values: Mapping[str, str], console: Console) -> list[Judged]:
    questions = [each for each in load(options.questions) if half(each) == options.half]
    services = await connected(values, EMBEDDINGS)
    try:
        await ingest(services, options.corpus, console)
        return await measure(services, questions, console)
    finally:
        await services.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.questions", description=__doc__.splitlines()[0])
    parser.add_argument("questions", type=Path, help="the file of questions")
    parser.add_argument("corpus", nargs="+", help="what is asked about: folders, files, answers of HAL's API (.json)")
    parser.add_argument("--half", choices=HALVES, default="reporting")
    parser.add_argument("--show", action="store_true", help="print what was not right; of the tuning half only")
    parser.add_argument("--fresh", action="store_true", help="ingest everything again")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.show and options.half == "reporting":
        parser.error("what is reported must not be looked at while tuning: --show goes with --half tuning.")
    folder = WORK / "questions"
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True, width=160)
    try:
        with start(folder, os.environ) as urls:
            judged = asyncio.run(run(options, {name.lower(): url for name, url in urls.items()}, console))
    except ChatbotError as error:
        sys.exit(str(error))
    if options.show:
        show(judged, console)
    figures = report(judged)
    print(json.dumps(figures) if options.json else "\n".join(f"{name:>42} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
