"""V. Build, release, run: one image from the lock; migrations are the release's, never a running process's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from chatbot.settings import home
from tests.processes import python
from tests.twelve_factors.declared import compose_services


def test_the_image_is_built_from_the_lock_and_holds_no_configuration() -> None:
    text = (home() / "deploy" / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert not re.search(r"(?i)(URL|KEY|PASSWORD|TOKEN)=", text)


def test_the_image_is_readable_whatever_the_umask_of_the_clone(tmp_path: Path) -> None:
    """Its user is another one than who built it: a clone made under umask 077 started nowhere."""
    text = (home() / "deploy" / "Dockerfile").read_text()
    modes = re.search(r"^COPY \. /app\nRUN chmod -R (\S+) /app ", text, re.M)
    assert modes, "right after the files were copied"
    (tmp_path / "src").mkdir(mode=0o700)
    for name, mode in (("main.py", 0o600), ("script.sh", 0o700)):
        (tmp_path / "src" / name).touch(mode=mode)
    subprocess.run(["chmod", "-R", modes[1], str(tmp_path)], check=True)
    found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert found == {"src": 0o755, "main.py": 0o644, "script.sh": 0o755}


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
