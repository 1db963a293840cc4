"""V. Build, release, run: one image from the lock; migrations are the release's, never a running process's."""

from __future__ import annotations

import re

import pytest

from chatbot.settings import home
from tests.processes import python
from tests.twelve_factors.declared import compose_services


def test_the_image_is_built_from_the_lock_and_holds_no_configuration() -> None:
    text = (home() / "deploy" / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert not re.search(r"(?i)(URL|KEY|PASSWORD|TOKEN)=", text)


def test_the_processes_run_one_image_and_no_code_from_outside() -> None:
    for name, block in compose_services().items():
        assert not re.search(r"^\s+- \.{1,2}/(src)?[:/]", block, re.M), f"{name} mounts code"
    assert (home() / "deploy" / "compose.yaml").read_text().count("build:") == 1


@pytest.mark.slow
def test_a_running_process_does_not_migrate() -> None:
    code = (
        "import sys, chatbot.runtime.process, chatbot.web.app, chatbot.jobs.worker, chatbot.jobs.scheduler\n"
        "print([name for name in ('alembic', 'chatbot.runtime.migrate') if name in sys.modules])"
    )
    assert python(code) == "[]"
