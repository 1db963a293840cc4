"""A real Prometheus scrapes the bot: each figure of the dashboard and the alerts is there, each alert is sound."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatbot.settings import home
from tests.processes import answers, chatbot, free_port, serving, until
from tests.programs import program
from tests.unit.test_observability import alerts, dashboard, names

pytestmark = pytest.mark.slow

FOLDER = home() / "deploy" / "prometheus"
LOCAL = "127.0.0.1"


@pytest.mark.parametrize(
    "check", ["check config prometheus.yml", "check rules alerts.yml", "test rules alerts.test.yml"]
)
def test_promtool_finds_nothing_wrong(check: str) -> None:
    promtool = program("promtool", package="prometheus")
    done = subprocess.run([promtool, *check.split()], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def configuration(targets: Mapping[str, int]) -> str:
    """Scrapes each of these ports every second, and knows the alerts."""
    jobs = "".join(
        f"  - job_name: {name}\n    static_configs: [{{targets: ['{LOCAL}:{port}']}}]\n"
        for name, port in targets.items()
    )
    interval = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
    return f"{interval}rule_files: [{json.dumps(str(FOLDER / 'alerts.yml'))}]\nscrape_configs:\n{jobs}"


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, int]) -> Iterator[httpx2.Client]:
    """A Prometheus of the test's own, on a port of its own."""
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(configuration(targets))
    options = {
        "config.file": config,
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"{LOCAL}:{port}",
        "log.level": "error",
    }
    command = [program("prometheus", package="prometheus"), *(f"--{name}={value}" for name, value in options.items())]
    with (
        subprocess.Popen(command, cwd=folder) as process,
        httpx2.Client(base_url=f"http://{LOCAL}:{port}", trust_env=False) as client,
    ):
        try:
            until(lambda: process.poll() is not None or ready(client))
            assert process.poll() is None
            yield client
        finally:
            process.terminate()


def ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx2.TransportError:
        return False


def query(client: httpx2.Client, expression: str) -> list[dict[str, Any]]:
    response = client.get("/api/v1/query", params={"query": expression})
    assert response.is_success, response.text
    return response.json()["data"]["result"]


def test_all_that_the_dashboard_and_the_alerts_ask_for_is_scraped(environ: Mapping[str, str], tmp_path: Path) -> None:
    program("prometheus", package="prometheus")
    with ExitStack() as stack:
        ports = {name: free_port() for name in ("worker", "scheduler")}
        for name, port in ports.items():
            stack.enter_context(chatbot(name, environ={**environ, "METRICS_PORT": str(port)}))
            client = stack.enter_context(httpx2.Client(base_url=f"http://{LOCAL}:{port}", trust_env=False))
            until(lambda client=client: answers(client))
        _, bot = stack.enter_context(serving(environ))
        targets = {"web": bot.base_url.port or 0, **ports}
        client = stack.enter_context(prometheus(tmp_path, targets))

        until(lambda: {one["metric"]["job"] for one in query(client, "up == 1")} == targets.keys())
        upload = bot.post("/v1/documents", files={"file": ("slate.md", b"# Slate\n\nSlate sheds rain quickly.\n")})
        until(lambda: bot.get(upload.headers["Location"]).json()["state"] == "succeeded")
        assert bot.post("/v1/chat", json={"question": "What does slate shed?"}).json()["grounded"]
        done = 'jobs_finished_total{job="worker",outcome="succeeded"} == 1'
        until(lambda: query(client, done) and query(client, "answers_total"))

        expressions = [each.replace("$__rate_interval", "5m") for each in (*dashboard(), *alerts())]
        assert [each for each in sorted(set().union(*map(names, expressions))) if not query(client, each)] == []
        for each in expressions:
            query(client, each)
        rules = client.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert len(rules) == len(list(alerts()))
        until(lambda: all(rule["health"] == "ok" for rule in judged(client)))
        assert [rule["name"] for rule in judged(client) if rule["state"] == "firing"] == []


def judged(client: httpx2.Client) -> list[dict[str, Any]]:
    return client.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
