"""I. Codebase: one repository, many deploys; what differs between deploys is never in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from chatbot.settings import home
from tests.programs import program


@pytest.mark.parametrize("path", [".env", "credentials/llm_api_key", ".services/env", ".venv/bin/python"])
def test_what_belongs_to_one_deploy_is_not_tracked(tmp_path: Path, path: str) -> None:
    shutil.copy(home() / ".gitignore", tmp_path)
    git = program("git", package="git")
    subprocess.run([git, "init", "--quiet", str(tmp_path)], check=True)
    assert subprocess.run([git, "-C", str(tmp_path), "check-ignore", "--quiet", path]).returncode == 0


def test_every_deploy_is_built_from_the_same_files() -> None:
    dockerfiles = [path for path in home().rglob("Dockerfile*") if ".venv" not in path.parts]
    assert len(dockerfiles) == 1
    assert "COPY . /app" in dockerfiles[0].read_text()
