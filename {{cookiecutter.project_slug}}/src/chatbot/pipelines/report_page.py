"""The report's page: plain HTML with its style and its charts inside, light and dark, good to print.

html = page(data, "fr")     # `data` as report.collected has it
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pygal

# Importing it puts a finder of plugins among Python's own, of a kind that newer Pythons warn of or do not ask.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

WORDS = Path(__file__).with_name("report.words.json")
STYLE = Path(__file__).with_name("report.css")
QUALITY = ("nDCG@10", "right", "citation precision", "refusal recall")
SECONDS = ("seconds p50", "seconds p99")
COLOURS = ("var(--one)", "var(--two)", "var(--three)", "var(--four)")
"""Of report.css, which has them for light, dark and paper."""
WIDE, NARROW = 1080, 520
"""Pixels of a chart, unless the screen is narrower."""
MOST_DAYS = 62
"""Beyond them a bar is a week."""
MOST_KINDS = 12
"""Of documents, and of licences."""
CREATIVE_COMMONS = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)(?:/([\d.]+))?", re.IGNORECASE)

Series = Mapping[str, Sequence[float | None]]


class Language:
    """The page's words and numbers in one language."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.words: dict[str, Any] = json.loads(WORDS.read_text("utf-8"))[code]

    def __call__(self, word: str, **values: Any) -> str:
        """A text, as HTML; a word that the language does not have stays as it is."""
        return escape(str(self.words.get(word, word)).format(**values))

    def number(self, value: float, digits: int | None = None) -> str:
        text = f"{value:,}" if digits is None else f"{value:,.{digits}f}"
        return text if self.code == "en" else text.translate({ord(","): "\u202f", ord("."): ","})

    def share(self, part: float, whole: float) -> str:
        if not whole:
            return "–"
        percent = round(100 * part / whole)
        return f"{percent}%" if self.code == "en" else f"{percent}\u202f%"

    def day(self, iso: str) -> str:
        day = date.fromisoformat(iso)
        return f"{day.day} {self.words['months'][day.month - 1]}"


def page(data: Mapping[str, Any], language: str) -> str:
    """The whole page."""
    say = Language(language)
    title = say("title", name=data["name"])
    made = say("made", made=f"{say.day(data['made'])} {data['made'][:4]}", days=data["days"])
    parts = [_use(data, say), _corpus(data["corpus"], say), _quality(data["benchmarks"], say)]
    return (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{STYLE.read_text('utf-8')}</style>\n<main>\n<header><h1>{title}</h1><p>{made}</p></header>\n"
        f"{_sums(data, say)}\n{''.join(parts)}<footer>{say('privacy')}</footer>\n</main>\n</html>\n"
    )


def licence(text: str) -> str:
    """A licence by its usual name: archives give URLs."""
    if found := CREATIVE_COMMONS.search(text):
        name, version = found[1].upper(), found[2] or ""
        return " ".join(("CC0" if name == "ZERO" else f"CC {name}", version)).strip()
    return text.rstrip("/").rpartition("/")[2]


def _sums(data: Mapping[str, Any], say: Language) -> str:
    questions, ratings = data["questions"], data["ratings"]
    rated = sum(ratings.values())
    documents = sum(data["corpus"]["type"].values())
    sums = [
        ("questions", say.number(questions), say("in_days", days=data["days"])),
        ("answered", say.share(questions - data["unanswered"], questions), say("refused", n=data["unanswered"])),
        ("liked", say.share(ratings.get("up", 0), rated), say("of_ratings", n=say.number(rated))),
        ("documents", say.number(documents), say("in_corpus")),
        ("cost", say.number(data["cost"], 2), say("of_tokens", n=say.number(data["tokens"]))),
    ]
    cells = "".join(f"<div><dt>{say(name)}</dt><dd><b>{value}</b>{note}</dd></div>" for name, value, note in sums)
    return f'<dl class="sums">{cells}</dl>'


def _use(data: Mapping[str, Any], say: Language) -> str:
    periods = _periods(data["by_day"], data["made"], data["days"])
    labels = [say.day(each["day"]) for each in periods]
    asked = {
        say("answered_ones"): [each["questions"] - each["unanswered"] for each in periods],
        say("unanswered"): [each["unanswered"] for each in periods],
    }
    tokens = {say("tokens"): [each["tokens"] for each in periods]}
    thumbs = {say(name): data["ratings"].get(name, 0) for name in ("up", "down") if data["ratings"]}
    themes = {each["word"]: each["askers"] for each in data["themes"]}
    often = {each["question"]: each["times"] for each in data["asked"]}
    cited = {each["title"] or each["source"]: each["answers"] for each in data["cited"]}
    return _part(
        say("use"),
        [
            _section(
                say("over_time"), _bars(labels, asked, say, stacked=True), say, "wide", _numbers(labels, asked, say)
            ),
            _section(say("asked"), _ranked(often, say), say),
            _section(say("themes"), _ranked(themes, say, "two"), say),
            _section(say("cited"), _ranked(cited, say), say),
            _section(say("ratings"), _ranked(thumbs, say), say),
            _section(say("tokens_over_time"), _bars(labels, tokens if data["tokens"] else {}, say), say, "wide"),
        ],
    )


def _corpus(corpus: Mapping[str, Mapping[str, int]], say: Language) -> str:
    years = {year: number for year, number in sorted(corpus["year"].items()) if year.isdigit()}
    kinds, licences = dict[str, int](), dict[str, int]()
    for name, number in corpus["type"].items():
        shown = say.words["types"].get(name, name) or say.words["unknown"]
        kinds[shown] = kinds.get(shown, 0) + number
    for name, number in corpus["licence"].items():
        shown = licence(name) or say.words["unknown"]
        licences[shown] = licences.get(shown, 0) + number
    every = [str(year) for year in range(int(min(years)), int(max(years)) + 1)] if years else []
    by_year = {say("documents"): [years.get(year, 0) for year in every]}
    return _part(
        say("corpus"),
        [
            _section(say("year"), _bars(every, by_year, say), say, "wide"),
            _section(say("type"), _ranked(_most(kinds), say), say),
            _section(say("licence"), _ranked(_most(licences), say), say),
        ],
    )


def _quality(runs: Sequence[Mapping[str, Any]], say: Language) -> str:
    labels = [say.day(run["day"]) for run in runs]
    quality, seconds = (
        {say(name): [run[name] for run in runs] for name in names if any(run[name] is not None for run in runs)}
        for names in (QUALITY, SECONDS)
    )
    return _part(
        say("quality"),
        [
            _section(say("benchmarks"), _lines(labels, quality, say, (0, 1)), say, "", _numbers(labels, quality, say)),
            _section(say("latency"), _lines(labels, seconds, say), say, "", _numbers(labels, seconds, say)),
        ],
    )


def _periods(by_day: Sequence[Mapping[str, Any]], until: str, days: int) -> list[dict[str, Any]]:
    """Sums by day, or by week, with those on which nobody asked; from the first question on."""
    if not by_day:
        return []
    known = {row["day"]: row for row in by_day}
    end = max(date.fromisoformat(until), date.fromisoformat(max(known)))
    start = max(date.fromisoformat(min(known)), end - timedelta(days))
    length = 1 if (end - start).days < MOST_DAYS else 7
    periods: list[dict[str, Any]] = []
    for offset in range((end - start).days + 1):
        day = (start + timedelta(offset)).isoformat()
        if offset % length == 0:
            periods.append({"day": day, "questions": 0, "unanswered": 0, "tokens": 0})
        for name in ("questions", "unanswered", "tokens"):
            periods[-1][name] += known.get(day, {}).get(name) or 0
    return periods


def _part(title: str, sections: Sequence[str]) -> str:
    return f'<h2>{title}</h2>\n<div class="part">\n{"".join(sections)}</div>\n'


def _section(title: str, content: str, say: Language, kind: str = "", numbers: str = "") -> str:
    shown = content.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1) + numbers if content else ""
    shown = shown or f'<p class="none">{say("none")}</p>'
    return f'<section class="{kind}"><h3>{title}</h3>{shown}</section>\n'


def _ranked(values: Mapping[str, int], say: Language, colour: str = "one") -> str:
    """Names with their numbers, each on a bar."""
    most = max(values.values(), default=0)
    if not most:
        return ""
    lines = "".join(
        f'<li style="--share: {100 * number / most:.1f}%"><span>{escape(name)}</span><b>{say.number(number)}</b></li>'
        for name, number in values.items()
    )
    return f'<ol class="ranked {colour}">{lines}</ol>'


def _numbers(labels: Sequence[str], series: Series, say: Language) -> str:
    """What a chart shows, for those who read rather than look."""
    if not labels or not series:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in series)
    rows = "".join(
        f'<tr><th scope="row">{label}</th>{"".join(_cell(values[at], say) for values in series.values())}</tr>'
        for at, label in enumerate(labels)
    )
    return f"<details><summary>{say('numbers')}</summary><table><tr><td></td>{head}</tr>{rows}</table></details>"


def _cell(value: float | None, say: Language) -> str:
    return f"<td>{'–' if value is None else say.number(value)}</td>"


def _most(values: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(values.items(), key=lambda each: (-each[1], each[0]))[:MOST_KINDS])


def _bars(labels: Sequence[str], series: Series, say: Language, stacked: bool = False) -> str:
    return _drawn(pygal.StackedBar if stacked else pygal.Bar, labels, series, WIDE, say)


def _lines(labels: Sequence[str], series: Series, say: Language, range: tuple[float, float] | None = None) -> str:
    return _drawn(pygal.Line, labels, series, NARROW, say, dots_size=4, range=range, include_x_axis=True)


def _drawn(kind: Any, labels: Sequence[str], series: Series, width: int, say: Language, **options: Any) -> str:
    if not labels or not series:
        return ""
    sizes = dict.fromkeys(("label_font_size", "major_label_font_size", "legend_font_size"), 13)
    style = pygal.style.Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--faint)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--line)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        guide_stroke_dasharray="none",
        major_guide_stroke_dasharray="none",
        colors=COLOURS,
        opacity=1,
        opacity_hover=0.8,
        font_family="inherit",
        stroke_width="2.5",
        **sizes,
    )
    chart = kind(
        style=style,
        js=[],  # nothing is loaded from anywhere
        disable_xml_declaration=True,
        explicit_size=False,
        width=width,
        height=260,
        margin=4,
        spacing=12,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        legend_box_size=12,
        legend_at_bottom_columns=min(len(series), 2 if width == NARROW else 4),
        show_x_guides=False,
        truncate_legend=-1,
        truncate_label=-1,
        value_formatter=lambda value: say.number(round(value, 3) if value % 1 else int(value)),
        rounded_bars=2,
        **{"min_scale": 3, "max_scale": 5, **options},
    )
    chart.x_labels = labels
    every = max(-(-len(labels) // (12 if width == WIDE else 6)), 1)
    chart.x_labels_major = labels[::every]
    chart.show_minor_x_labels = every == 1
    for name, values in series.items():
        chart.add(name, values)
    # Without the script that pygal writes for its tooltips: the page needs none, and may forbid them.
    return re.sub(r"<script.*?</script>", "", str(chart.render()), flags=re.S)
