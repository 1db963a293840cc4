"""The report: nothing of fewer than three people, nothing loaded from elsewhere, and one sentence for a mistake."""

from __future__ import annotations

import json
import math
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatbot.bootstrap import bootstrap
from chatbot.pipelines.pipeline import pipeline, run
from chatbot.pipelines.report import themes
from chatbot.pipelines.report_page import licence, page
from chatbot.settings import Settings
from chatbot.storage.database import Database

CANARY = "wolpertinger"
CONVERSATION = "INSERT INTO conversations (id, caller_id, title) VALUES (%(id)s, %(caller)s, %(question)s)"
MESSAGE = """
INSERT INTO messages (id, conversation_id, question, answer, citations, grounded, language, model, prompt_tokens,
    completion_tokens, cost, estimated)
VALUES (%(id)s, %(id)s, %(question)s, %(answer)s, %(citations)s, %(grounded)s, 'en', 'm', 10, 5, 0.25, false)
"""
CONSENT = "INSERT INTO consents (caller_id, analytics) VALUES (%(caller)s, %(agreed)s) ON CONFLICT DO NOTHING"


def sample() -> dict[str, Any]:
    """A laboratory's bot after three months."""
    dice = random.Random(7)
    by_day = []
    for offset in range(90):
        day = date(2026, 9, 2) + timedelta(offset)
        questions = round((25 + offset / 3 + 8 * math.sin(offset / 9)) * (0.25 if day.weekday() > 4 else 1))
        unanswered = round(questions * dice.uniform(0.04, 0.2))
        tokens = questions * dice.randint(2100, 3200)
        by_day.append({"day": f"{day}", "questions": questions, "unanswered": unanswered, "tokens": tokens})
    asked = ["What is a carbon budget?", "Qui a écrit sur la taxe carbone ?", "How does Imaclim model electricity?"]
    asked += ["What is the social cost of carbon?", "Comment est estimée l’élasticité-prix du carburant ?"]
    words = ["nucléaire", "salary", "contact", "hydrogen", "biodiversité", "internship", "méthane", "cement"]
    titles = [
        "Carbon price and optimal extraction of a polluting fossil fuel",
        "Les outils de la transition énergétique",
    ]
    titles += [
        "Climate policies in a second-best world",
        "Sécurité énergétique et politiques climatiques dans les villes",
    ]
    cc = "http://creativecommons.org/licenses/"
    runs = []
    for week in range(10):
        rise = week / 10
        figures = {"nDCG@10": 0.66 + 0.08 * rise, "right": 0.58 + 0.17 * rise, "citation precision": 0.8 + 0.1 * rise}
        figures |= {"refusal recall": 0.62 + 0.2 * rise, "seconds p50": 1.1 - 0.3 * rise, "seconds p99": 4.2 - rise}
        noisy = {name: round(value + dice.uniform(-0.01, 0.01), 3) for name, value in figures.items()}
        runs.append({"day": f"{date(2026, 9, 7) + timedelta(weeks=week)}", "data": "questions.yaml", **noisy})
    types = {"ART": 50, "THESE": 32, "REPORT": 29, "UNDEFINED": 28, "OTHER": 12, "OUV": 9, "COMM": 9, "": 4}
    licences = {f"{cc}by/4.0/": 61, f"{cc}by-nc-nd/4.0/": 30, f"{cc}by-sa/4.0/": 11, "": 80}
    return {
        "name": "CIRED <i>", "made": "2026-11-30", "days": 90,
        "questions": sum(row["questions"] for row in by_day), "unanswered": sum(row["unanswered"] for row in by_day),
        "tokens": sum(row["tokens"] for row in by_day), "cost": 14.2071, "by_day": by_day,
        "ratings": {"down": 41, "up": 262},
        "cited": [{"title": title, "source": "s", "answers": 211 - 43 * n} for n, title in enumerate(titles)],
        "asked": [{"question": question, "times": 31 - 5 * n} for n, question in enumerate(asked)],
        "themes": [{"word": word, "askers": 14 - n} for n, word in enumerate(words)],
        "corpus": {"year": {f"{year}": 3 + (year * 7) % 11 for year in range(1999, 2026) if year != 2003} | {"": 3},
                   "type": types, "licence": licences},
        "benchmarks": runs,
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_page_loads_nothing_and_shows_what_it_was_given(language: str) -> None:
    html = page(sample(), language)
    assert "CIRED &lt;i&gt;" in html
    for shown in ("nucléaire", "Climate policies in a second-best world", "CC BY-NC-ND 4.0", "2003"):
        assert shown in html
    assert html.count("<svg") == 5
    assert not [part for part in ("<script", "src=", "@import", "url(http", "<link", "<i>") if part in html]


def test_a_page_of_nothing_says_so() -> None:
    empty: dict[str, Any] = {name: [] for name in ("by_day", "cited", "asked", "themes", "benchmarks")}
    nothing = {**empty, "corpus": {"year": {}, "type": {}, "licence": {}}, "ratings": {}}
    data = {**sample(), **nothing, "questions": 0, "unanswered": 0, "tokens": 0, "cost": 0.0}
    html = page(data, "en")
    assert html.count("Nothing to show yet.") == 11
    assert "<svg" not in html


def test_licences_are_called_as_people_call_them() -> None:
    assert licence("http://creativecommons.org/licenses/by/4.0/") == "CC BY 4.0"
    assert licence("https://creativecommons.org/publicdomain/zero/1.0/") == "CC0 1.0"
    assert licence("https://www.etalab.gouv.fr/licence-ouverte/") == "licence-ouverte"


def test_words_of_fewer_than_three_askers_are_not_shown() -> None:
    rows = [{"caller_id": who, "question": "What about slate"} for who in ("a", "b", "c", "c")]
    rows += [{"caller_id": who, "question": "Private matters of zinc"} for who in ("a", "a", "b")]
    assert [each["word"] for each in themes(rows)] == ["slate"]


async def test_what_fewer_than_three_people_asked_or_did_not_agree_to_stays_out(
    settings: Settings, database: Database, folder: Path
) -> None:
    """Everything that is written is looked through: the page, the JSON, and the figures of the run."""
    asked = [("a", "What of slate?", True), ("b", "what of SLATE", True), ("c", "What of slate", True)]
    asked += [("a", f"What of {CANARY}?", True), ("b", f"What of {CANARY}?", True), ("d", f"What of {CANARY}?", False)]
    for number, (caller, question, agreed) in enumerate(asked):
        cited = "roofs.md" if "late" in question.lower() else f"{CANARY}.md"
        values = {"id": f"m{number}", "caller": f"visitor:{CANARY}-{caller}", "question": question, "agreed": agreed}
        citations = json.dumps([{"title": cited, "source": cited}, {"title": cited, "source": cited}])
        await database.rows(CONVERSATION, values)
        await database.rows(CONSENT, values)
        grounded = number % 3 != 1
        answer = f"The answer of {CANARY}."
        await database.rows(MESSAGE, {**values, "answer": answer, "citations": citations, "grounded": grounded})
    await database.rows("UPDATE messages SET citations = '[]' WHERE id = 'm5'")  # two callers are too few
    await database.rows("INSERT INTO feedback (message_id, rating, comment) VALUES ('m0', 'up', %(c)s)", {"c": CANARY})
    services = bootstrap(settings)

    async def quiet(what: str, fraction: float) -> None: ...

    figures = await run(services, pipeline("report"), {"folder": str(folder), "language": "fr"}, quiet)
    await services.aclose()
    html, data = (folder.joinpath(name).read_text("utf-8") for name in ("report.html", "report.json"))
    assert CANARY not in html + data + json.dumps(figures)
    shown = json.loads(data)
    assert (shown["questions"], shown["unanswered"], shown["tokens"], shown["cost"]) == (6, 2, 90, 1.5)
    assert [each["times"] for each in shown["asked"]] == [3]
    assert shown["cited"] == [{"title": "roofs.md", "source": "roofs.md", "answers": 3}]
    assert shown["ratings"] == {"up": 1}
    runs = await database.rows("SELECT figures::text AS told FROM pipeline_runs")
    assert CANARY not in str(runs)
