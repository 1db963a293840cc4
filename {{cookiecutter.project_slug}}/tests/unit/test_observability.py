"""What is said of the figures is true: the manual, the dashboard and the alerts name those that there are."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY

from chatbot.domain import InvalidConfiguration, Unavailable, UnreadableDocument
from chatbot.observability import metrics
from chatbot.settings import home
from chatbot.web.ops import request_metrics as web_metrics

SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
OWN = {
    figure._name: figure  # as prometheus_client's registry knows it
    for module in (metrics, web_metrics)
    for figure in vars(module).values()
    if hasattr(figure, "_labelnames")
}
DASHBOARD = json.loads((home() / "deploy" / "grafana" / "chatbot.json").read_text("utf-8"))
ALERTS = (home() / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8")
TRIALS = (home() / "deploy" / "prometheus" / "alerts.test.yml").read_text("utf-8")
WORDS = {"and", "or", "unless", "bool"}
ELSEWHERE = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Prometheus' own, and what prometheus_client tells on Linux only."""


def samples() -> set[str]:
    """The names that a scrape can show."""
    families = [(family.name, family.type) for family in REGISTRY.collect()]
    return {name + suffix for name, kind in families for suffix in SUFFIXES.get(kind, [""])}


def dashboard() -> Iterator[str]:
    """The expressions of the dashboard."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def alerts() -> Iterator[str]:
    """The expressions of the alerts, which stand on one line or indented below."""
    for one, below in re.findall(r"^ +expr: (?:>-\n((?: {10}.+\n)+)|(.+)\n)", ALERTS, re.M):
        yield " ".join((one + below).split())


def names(expression: str) -> set[str]:
    """The metrics in an expression of PromQL: its words without selectors, ranges, groupings and functions."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring) \([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", bare)) - WORDS


def test_the_manual_explains_each_figure_with_its_labels_and_no_other() -> None:
    page = (home() / "docs" / "operate.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) ?\| .+ \|$", page, re.M)
    told = {name: sorted(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert told == {
        name + ("_total" if figure._type == "counter" else ""): sorted(figure._labelnames)
        for name, figure in OWN.items()
    }


@pytest.mark.parametrize("expression", [*dashboard(), *alerts()])
def test_each_expression_is_about_figures_that_there_are(expression: str) -> None:
    assert names(expression)
    assert names(expression) - ELSEWHERE <= samples()


def test_a_name_that_is_not_there_would_be_seen() -> None:
    expression = 'sum by (le) (rate(gone_total{reason="x"}[5m])) > 5 unless on (instance) jobs{state="dead"}'
    assert names(expression) == {"gone_total", "jobs"}


def test_each_alert_is_tried_and_tells_what_to_do() -> None:
    declared = re.findall(r"- alert: (\w+)", ALERTS)
    assert len(declared) == len(list(alerts())) == ALERTS.count("action:") > 5
    fires = re.findall(r"alertname: (\w+)\n +exp_alerts:", TRIALS)
    silent = re.findall(r"alertname: (\w+)\}", TRIALS)
    assert set(declared) == set(fires) == set(silent)


def test_each_figure_is_on_the_dashboard_or_in_an_alert() -> None:
    used = set().union(*map(names, (*dashboard(), *alerts())))
    assert [name for name in OWN if not any(each.startswith(name) for each in used)] == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnreadableDocument("x"), "unreadable"),
        (Unavailable("x", "y"), "unavailable"),
        (InvalidConfiguration("x"), "configuration"),
        (ValueError("a private word"), "unexpected"),
    ],
)
def test_a_failure_is_told_by_its_class(error: Exception, reason: str) -> None:
    assert metrics.reason(error) == reason
    assert reason in metrics.REASONS


def listening() -> socket.socket:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    return held


def test_figures_are_served_on_a_port_of_their_own_while_the_process_works() -> None:
    with listening() as held:
        port = held.getsockname()[1]
    with metrics.served("127.0.0.1", port):
        assert b"jobs_finished_total" in read(port)
    with pytest.raises(OSError, match="refused"):
        read(port)


def read(port: int) -> Any:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        return response.read()


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with (
        listening() as held,
        pytest.raises(InvalidConfiguration, match="METRICS_PORT"),
        metrics.served("127.0.0.1", held.getsockname()[1]),
    ):
        pass
