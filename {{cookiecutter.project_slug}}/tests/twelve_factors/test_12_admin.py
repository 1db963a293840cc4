"""XII. Admin processes: one-off commands of the same program, with the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chatbot.runtime.dev import procfile
from tests.processes import chatbot


def run(*command: str, environ: Mapping[str, str]) -> list[str]:
    with chatbot(*command, environ=environ) as process:
        assert process.stop(0) == 0, process.errors()
        return process.output()


def test_a_release_may_run_twice(environ: Mapping[str, str]) -> None:
    for _ in range(2):
        run(*procfile()["release"], environ=environ)


def test_an_admin_task_sees_the_settings_of_the_processes(environ: Mapping[str, str]) -> None:
    shown = json.loads("\n".join(run("config", "show", "--json", environ={**environ, "PASSAGES": "7"})))
    assert shown["PASSAGES"] == "7"
    assert environ["DATABASE_URL"] not in shown.values()


def test_jobs_can_be_listed_beside_running_processes(environ: Mapping[str, str]) -> None:
    assert isinstance(json.loads("\n".join(run("jobs", "list", "--json", environ=environ))), list)
