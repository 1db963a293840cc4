"""The report's page: plain HTML with its style and its charts inside, light and dark, good to print."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pygal

# Importing it puts a finder of plugins among Python's own, of a kind that newer Pythons warn of or do not ask.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

WORDS = Path(__file__).with_name("report.words.json")
QUALITY = ("nDCG@10", "right", "citation precision", "refusal recall")
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1")
"""Legible on white and on black alike."""
STYLE = Path(__file__).with_name("report.css")


def page(data: Mapping[str, Any], language: str) -> str:
    """The whole page. `data` is as report.collected has it."""
    say: dict[str, str] = json.loads(WORDS.read_text("utf-8"))[language]
    style = STYLE.read_text("utf-8")
    title = say["title"].format(name=data["name"])
    days = [row["day"] for row in data["by_day"]]
    corpus = data["corpus"]
    years = dict(sorted((year, number) for year, number in corpus["year"].items() if year))
    sections = [
        _section(
            say["over_time"],
            _bars(days, {say[name]: [row[name] for row in data["by_day"]] for name in ("questions", "unanswered")}),
            say,
        ),
        _section(say["ratings"], _bars_of({say.get(k, k): v for k, v in data["ratings"].items()}), say),
        _section(say["themes"], _bars_of({each["word"]: each["askers"] for each in data["themes"]}, lying=True), say),
        _section(say["asked"], _table([(each["question"], each["times"]) for each in data["asked"]]), say),
        _section(
            say["cited"], _table([(each["title"] or each["source"], each["answers"]) for each in data["cited"]]), say
        ),
        _section(say["year"], _bars_of(years), say),
        _section(say["type"], _bars_of(_named(corpus["type"], say), lying=True), say),
        _section(say["licence"], _bars_of(_named(corpus["licence"], say), lying=True), say),
        *_benchmarks(data["benchmarks"], say),
    ]
    sums = "".join(
        f"<div><b>{_number(data[name], language)}</b>{escape(say[name])}</div>"
        for name in ("questions", "unanswered", "tokens", "cost")
    )
    made = escape(say["made"].format(made=data["made"], days=data["days"]))
    return (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n<style>{style}</style>\n'
        f'<h1>{escape(title)}</h1>\n<p class="made">{made}</p>\n<div class="sums">{sums}</div>\n'
        f'<div class="charts">\n{"".join(sections)}</div>\n</html>\n'
    )


def _benchmarks(runs: Sequence[Mapping[str, Any]], say: Mapping[str, str]) -> list[str]:
    days = [run["day"] for run in runs]
    quality = {
        name: [run[name] for run in runs] for name in ("nDCG@10", "right", "citation precision", "refusal recall")
    }
    seconds = {name: [run[name] for run in runs] for name in ("seconds p50", "seconds p99")}
    return [
        _section(say["benchmarks"], _lines(days, quality, range=(0, 1)), say),
        _section(say["latency"], _lines(days, seconds), say),
    ]


def _section(title: str, content: str, say: Mapping[str, str]) -> str:
    shown = content or f'<p class="none">{escape(say["none"])}</p>'
    return f"<section><h2>{escape(title)}</h2>{shown}</section>\n"


def _bars_of(values: Mapping[str, float], lying: bool = False) -> str:
    if not values:
        return ""
    chart = _chart(pygal.HorizontalBar if lying else pygal.Bar, len(values), lying, show_legend=False)
    names = [name if len(name) <= 32 else name[:31] + "…" for name in values]
    chart.x_labels = names[::-1] if lying else names
    chart.add("", [*values.values()][::-1] if lying else [*values.values()])
    return _svg(chart)


def _bars(labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    return _drawn(pygal.Bar, labels, series)


def _lines(labels: Sequence[str], series: Mapping[str, Sequence[float | None]], **options: Any) -> str:
    known = {name: values for name, values in series.items() if any(value is not None for value in values)}
    return _drawn(pygal.Line, labels, known, **options)


def _drawn(kind: Any, labels: Sequence[str], series: Mapping[str, Sequence[float | None]], **options: Any) -> str:
    if not labels or not series:
        return ""
    chart = _chart(kind, len(labels), False, show_legend=True, **options)
    chart.x_labels = labels
    chart.x_labels_major_every = max(len(labels) // 8, 1)
    chart.show_minor_x_labels = False
    for name, values in series.items():
        chart.add(name, values)
    return _svg(chart)


def _chart(kind: Any, number: int, lying: bool, **options: Any) -> Any:
    style = pygal.style.Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--ink)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--faint)",
        colors=COLOURS,
        font_family="system-ui, sans-serif",
    )
    return kind(
        style=style,
        js=[],  # nothing is loaded from anywhere
        disable_xml_declaration=True,
        explicit_size=False,
        legend_at_bottom=True,
        x_label_rotation=0 if lying else 30,
        width=640,
        height=max(160, 26 * number + 60) if lying else 300,
        **options,
    )


def _svg(chart: Any) -> str:
    """Without the script that pygal writes for its tooltips: the page needs none, and may forbid them."""
    return re.sub(r"<script.*?</script>", "", str(chart.render()), flags=re.S)


def _table(rows: Sequence[tuple[str, int]]) -> str:
    if not rows:
        return ""
    cells = "".join(f'<tr><td>{escape(name)}</td><td class="number">{number}</td></tr>' for name, number in rows)
    return f"<table>{cells}</table>"


def _named(values: Mapping[str, int], say: Mapping[str, str]) -> dict[str, int]:
    return {name or say["unknown"]: number for name, number in [*values.items()][:15]}


def _number(value: float, language: str) -> str:
    text = f"{value:,}"
    return text if language == "en" else text.translate({ord(","): "\u202f", ord("."): ","})
