"""`run benchmark`: how right the bot is on questions whose answers are known; below a threshold the run fails.

    chatbot run benchmark --threshold "right>=0.8" --threshold "nDCG@10>=0.6"
    chatbot run benchmark --against lexical.env        two configurations, question by question
    chatbot run benchmark --beir ../scifact            ranking only; the data set goes into an empty database

Figures, each from 0 to 1 unless its name says otherwise:

nDCG@10, R@10, RR@10    of the ranking of documents, as trec_eval has them (ir-measures computes them)
right                   answers with all expected words and a citation of an expected document, of those to be answered
citation precision      citations of an expected document, of all citations of questions that have one
refusal precision       refusals that were right, of all refusals
refusal recall          refusals that were right, of all questions that must be refused
seconds p50, p99        for an answer; cost in the currency of LLM_PRICE_INPUT
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot import settings
from chatbot.answering.answer import Done
from chatbot.domain import Answer, ChatbotError, InvalidConfiguration, Turn
from chatbot.pipelines import comparison, data_sets, thresholds
from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch, opened
from chatbot.pipelines.questions import Asked, Verdict, judge, load

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

CANDIDATES = 50
"""Passages retrieved a question, of which the first ten different documents are judged."""
MEASURES = ("nDCG@10", "R@10", "RR@10")
SECONDS = ("seconds p50", "seconds p99")
FIGURES = (*MEASURES, "right", "citation precision", "refusal precision", "refusal recall", *SECONDS, "cost")
CALLER = "benchmark"
"""Nothing is kept of its questions."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one question."""

    asked: Asked
    verdict: Verdict
    scores: Mapping[str, float]
    """Of its ranking, by measure; empty where no document is expected."""
    seconds: float
    cost: float
    citations: int
    to_the_point: int
    """Citations of an expected document."""


async def measure(services: Services, options: Options, watch: Watch) -> Figures:
    """Ask, judge, and compare with the other configuration if there is one."""
    thresholds.parse(_thresholds(services, options), _known(options))  # a mistake is told before minutes of work
    if folder := options.get("beir"):
        return await data_sets.measure(services, Path(folder), watch)
    path = settings.home() / (options.get("questions") or services.settings.questions)
    asked = await asyncio.to_thread(load, path)
    if not (await services.documents.count())[0]:
        raise ChatbotError("There is nothing to ask about yet: ingest the documents of the questions first.")
    results = await ask(services, asked, watch)
    figures = {"data": path.name, "model": services.settings.llm_model or "extractive", **summary(results)}
    if against := options.get("against"):
        async with opened(comparison.configuration(Path(against))) as others:
            figures["against"] = comparison.compare(results, await ask(others, asked, watch), Path(against).name)
        figures["notes"] = comparison.told(figures, figures["against"])
    return figures


async def check(services: Services, options: Options, watch: Watch) -> Figures:
    """ChatbotError names every threshold that is missed; the figures are kept all the same."""
    from datetime import UTC, datetime

    from chatbot.pipelines.pipeline import conclude

    missed = thresholds.missed(thresholds.parse(_thresholds(services, options), _known(options)), options)
    if missed:
        now = datetime.now(UTC)
        kept = {key: value for key, value in options.items() if key not in ("questions", "beir", "thresholds")}
        await conclude(services, PIPELINE, now, {**kept, "missed": missed})
        raise ChatbotError(f"The benchmark failed: {'; '.join(missed)}.")
    return {"missed": []}


def _thresholds(services: Services, options: Options) -> list[str]:
    return [*settings.words(services.settings.benchmark_thresholds), *(options.get("thresholds") or ())]


def _known(options: Options) -> Sequence[str]:
    """A data set has no answers to be judged."""
    return (*MEASURES, *SECONDS) if options.get("beir") else FIGURES


async def ask(services: Services, asked: Sequence[Asked], watch: Watch) -> list[Result]:
    """Every question, one after the other, so that the seconds are those of one reader alone."""
    results = []
    for number, each in enumerate(asked, start=1):
        results.append(await _result(services, each))
        await watch(each.question, number / len(asked))
    return results


def summary(results: Sequence[Result]) -> Figures:
    """The figures over all questions. `None` where there was nothing to measure."""
    answerable = [each for each in results if not each.asked.must_refuse]
    refused = [each for each in results if each.verdict in ("refused rightly", "refused wrongly")]
    must_refuse = [each for each in results if each.asked.must_refuse]
    rightly = sum(each.verdict == "refused rightly" for each in results)
    ranked = [each.scores for each in results if each.scores]
    pointing = [each for each in results if each.asked.expected_documents]
    seconds = [each.seconds for each in results]
    return {
        "questions": len(results),
        **{name: _share(sum(scores[name] for scores in ranked), len(ranked)) for name in MEASURES},
        "right": _share(sum(each.verdict == "right" for each in answerable), len(answerable)),
        "citation precision": _share(
            sum(each.to_the_point for each in pointing), sum(each.citations for each in pointing)
        ),
        "refusal precision": _share(rightly, len(refused)),
        "refusal recall": _share(rightly, len(must_refuse)),
        **percentiles(seconds),
        "cost": round(sum(each.cost for each in results), 6),
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    import numpy as np

    return {f"seconds p{share}": round(float(np.percentile(seconds, share)), 3) for share in (50, 99)}


def scores(
    rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, float]]:
    """By query and measure. `rankings`: by query, documents, best first; `relevant`: the gain of each document."""
    try:
        import ir_measures
    except ModuleNotFoundError as error:
        raise InvalidConfiguration(
            f"`run benchmark` needs {error.name}: use the image's target `pipelines`, or install the extra `benchmark`."
        ) from None
    if find_spec("pytrec_eval") is None:  # what computes them for ir-measures
        raise InvalidConfiguration("`run benchmark` needs pytrec-eval-terrier, which Linux on arm64 has no package of.")
    measures = [ir_measures.parse_measure(name) for name in MEASURES]
    runs = {query: {document: -rank for rank, document in enumerate(found)} for query, found in rankings.items()}
    by_query: dict[str, dict[str, float]] = {query: dict.fromkeys(MEASURES, 0.0) for query in relevant}
    for metric in ir_measures.iter_calc(measures, relevant, runs):
        by_query[metric.query_id][str(metric.measure)] = metric.value
    return by_query


async def _result(services: Services, asked: Asked) -> Result:
    ranking = []
    if asked.expected_documents:
        passages = await services.retriever.search(asked.question, CANDIDATES)
        ranking = list(dict.fromkeys(passage.source for passage in passages))
    answer, seconds = await _answer(services, asked)
    found = [
        document for id in {c.document_id for c in answer.citations} if (document := await services.documents.get(id))
    ]
    verdict = judge(asked, answer, {document.id: document.source for document in found})
    to_the_point = sum(asked.expects(citation.source) for citation in answer.citations)
    ranked = _scores(asked, ranking) if asked.expected_documents else {}
    return Result(asked, verdict, ranked, seconds, answer.usage.cost, len(answer.citations), to_the_point)


def _scores(asked: Asked, ranking: Sequence[str]) -> Mapping[str, float]:
    """An expected document that was not found counts too, under the end of its source that the file gives."""
    relevant = {source: 1 for source in ranking if asked.expects(source)}
    for end in asked.expected_documents:
        if not any(source.endswith(end) for source in relevant):
            relevant[end] = 1
    return scores({"q": ranking}, {"q": relevant})["q"]


async def _answer(services: Services, asked: Asked) -> tuple[Answer, float]:
    """Through the conversation's own code, with the turns before it; and the seconds the last one took."""
    turns: list[Turn] = []
    for text in (*asked.after, asked.question):
        started = time.perf_counter()
        exchange = await services.chat.begin(CALLER, text, store=False, turns=turns)
        (answer,) = [event.answer async for event in exchange.events if isinstance(event, Done)]
        turns.append(Turn(text, answer.text))
    return answer, time.perf_counter() - started


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


PIPELINE = Pipeline("benchmark", (Step("measure", measure), Step("check", check, retries=0)))
