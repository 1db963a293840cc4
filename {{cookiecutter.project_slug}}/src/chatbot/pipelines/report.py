"""`run report`: how the bot is used and how good it is, as one HTML page that needs nothing else, and as JSON.

No personal data: sums, and words of questions only where three callers who agreed to analytics asked alike.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.pipelines.pipeline import Figures, Options, Pipeline, Step, Watch
from chatbot.pipelines.report_page import page
from chatbot.storage.pipeline_runs import PipelineRuns
from chatbot.storage.usage import FEWEST, Usage
from chatbot.text.analysis import content_words

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

THEMES = 15
BENCHMARKS = 30
"""Runs shown."""
MEASURED = ("nDCG@10", "right", "citation precision", "refusal recall", "seconds p50", "seconds p99")


async def write(services: Services, options: Options, watch: Watch) -> Figures:
    folder = Path(options.get("folder") or ".")
    language = options.get("language") or services.settings.bot_language
    data = await collected(services, int(options.get("days") or 90))
    html = await asyncio.to_thread(page, data, language)
    await asyncio.to_thread(_write, folder, html, json.dumps(data, ensure_ascii=False, indent=2))
    return {"page": str(folder / "report.html"), "data": str(folder / "report.json"), "questions": data["questions"]}


async def collected(services: Services, days: int) -> dict[str, Any]:
    """All that the page shows, as JSON has it."""
    usage = Usage(services.database, days)
    by_day = await usage.by_day()
    runs = await PipelineRuns(services.database).latest("benchmark", BENCHMARKS)
    return {
        "name": services.settings.bot_name,
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "days": days,
        "questions": sum(row["questions"] for row in by_day),
        "unanswered": sum(row["unanswered"] for row in by_day),
        "tokens": int(sum(row["tokens"] or 0 for row in by_day)),
        "cost": round(float(sum(row["cost"] or 0 for row in by_day)), 4),
        "by_day": [
            {name: row[name] for name in ("day", "questions", "unanswered")} | {"tokens": row["tokens"] or 0}
            for row in by_day
        ],
        "ratings": {row["rating"]: row["number"] for row in await usage.ratings()},
        "cited": await usage.cited(),
        "asked": await usage.asked(),
        "themes": themes(await usage.unanswered()),
        "corpus": {
            key: {r["value"]: r["documents"] for r in await usage.corpus(key)} for key in ("year", "type", "licence")
        },
        "benchmarks": [
            {"day": run.finished_at.strftime("%Y-%m-%d"), "data": run.figures.get("data", "")}
            | {name: run.figures.get(name) for name in MEASURED}
            for run in reversed(runs)
        ],
    }


def themes(unanswered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words of questions without an answer that at least three callers used, the most frequent first."""
    callers: dict[str, set[str]] = defaultdict(set)
    for row in unanswered:
        for word in set(content_words(row["question"])):
            callers[word].add(row["caller_id"])
    common = [(len(asking), word) for word, asking in callers.items() if len(asking) >= FEWEST]
    return [{"word": word, "askers": number} for number, word in sorted(common, key=lambda each: (-each[0], each[1]))][
        :THEMES
    ]


def _write(folder: Path, html: str, data: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(html, "utf-8")
    (folder / "report.json").write_text(data + "\n", "utf-8")


PIPELINE = Pipeline("report", (Step("write", write, seconds=600),))
