"""The real program, as people's machines have it: other ways to name the template, other settings of git and shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, clean_environment

SOURCES = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
).stdout.split("\0")
SOURCES = [name for name in SOURCES if name and (ROOT / name).is_file() and not name.startswith(("tests/", "docs/"))]
"""The template's files, without what no generation needs."""


def run(*command, cwd, **environment):
    env = {name: value for name, value in (clean_environment() | environment).items() if value is not None}
    return subprocess.run([str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True)


def git(folder, *arguments):
    done = run("git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def generate(folder: Path, *words, **environment) -> Path:
    """A whole project, with one commit and a clean tree, and nothing but what is next was said."""
    command = [sys.executable, "-m", "cookiecutter", *words, "--no-input", "-o", "out"]
    done = run(*command, cwd=folder, **({"HOME": str(folder)} | environment))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (project,) = (folder / "out").iterdir()
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "--format=%s") == "Generate"
    assert len(git(project, "ls-files").splitlines()) > 200
    return project


def record(project: Path) -> dict:
    return json.loads((project / ".cruft.json").read_text("utf-8"))


def write_sources(folder: Path) -> Path:
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def test_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "template.zip", "w") as archive:
        for folder in sorted(
            {str(parent) for name in ("x", *SOURCES) for parent in Path("template", name).parents} - {"."}
        ):
            archive.writestr(f"{folder}/", "")
        for name in SOURCES:
            archive.write(ROOT / name, f"template/{name}")
    found = record(generate(tmp_path, "template.zip"))
    assert found["commit"] is None
    assert found["template"].endswith("template.zip")


@pytest.mark.parametrize("outer", [False, True], ids=["alone", "inside another repository"])
def test_a_path_with_blanks_that_is_no_repository(outer, tmp_path):
    template = write_sources(tmp_path / "my own template")
    if outer:
        git(tmp_path, "init", "--quiet", "my own template/..")
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Outer")
    (tmp_path / "place").mkdir()
    project = run(sys.executable, "-m", "cookiecutter", template, "--no-input", "-o", tmp_path / "place", cwd=tmp_path)
    assert project.returncode == 0, project.stderr
    found = record(tmp_path / "place" / "cired-chatbot")
    assert (found["template"], found["commit"]) == (str(template), None)


def test_a_clone_inside_another_repository_is_recorded_by_its_own_commit(tmp_path):
    template = write_sources(tmp_path / "outer" / "template")
    git(tmp_path, "init", "--quiet", "outer")
    git(template, "init", "--quiet")
    git(template, "add", "--all")
    git(template, "commit", "--quiet", "--message", "Template")
    (tmp_path / "place").mkdir()
    project = generate(tmp_path / "place", template)
    assert record(project)["commit"] == git(template, "rev-parse", "HEAD")


def test_a_replay_makes_the_same_project_again(tmp_path):
    """From what cookiecutter keeps in the user's home: in this test's own, since the others keep theirs together."""
    at_home = {"HOME": str(tmp_path), "COOKIECUTTER_CONFIG": None}
    first = generate(tmp_path, ROOT, "project_name=Harbour Office", "queue=nats", **at_home)
    first.rename(tmp_path / "first")
    name = ROOT.name
    command = [sys.executable, "-m", "cookiecutter", ROOT, "--replay", "-o", "out"]
    done = run(*command, cwd=tmp_path, **at_home)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    assert git(tmp_path / "out/harbour-office", "rev-parse", "HEAD^{tree}") == git(
        tmp_path / "first", "rev-parse", "HEAD^{tree}"
    )


def test_generated_over_a_project_its_history_stays(tmp_path):
    project = generate(tmp_path, ROOT)
    (project / "README.md").write_text("Ours\n", "utf-8")
    command = [sys.executable, "-m", "cookiecutter", ROOT, "--no-input", "-f", "-o", "out"]
    done = run(*command, cwd=tmp_path, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert git(project, "log", "--format=%s") == "Generate"
    assert git(project, "status", "--porcelain") == ""


MACHINES = {
    "no home": {"HOME": None},
    "a C locale": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": None},
    "a locale without the euro": {"LC_ALL": "en_US.ISO-8859-1", "PYTHONIOENCODING": "latin-1"},
    "another environment": {
        "VIRTUAL_ENV": "/nowhere",
        "PYTHONPATH": "/nowhere",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "UV_OFFLINE": "1",
    },
    "a shell that does not say where it is": {"PWD": None},
}


@pytest.mark.parametrize("machine", MACHINES)
def test_on_a_machine_with(machine, tmp_path):
    project = generate(tmp_path, ROOT, "author_name=Zoé Œuf", **MACHINES[machine])
    assert "Zoé Œuf" in (project / "pyproject.toml").read_text("utf-8")


SETTINGS = {
    "signed commits": "[commit]\ngpgsign = true\n[user]\nsigningkey = none\n",
    "line ends of Windows": "[core]\nautocrlf = true\nsafecrlf = true\n",
    "no author at all": "[user]\nuseConfigOnly = true\n",
    "another first branch": "[init]\ndefaultBranch = trunk\n",
    "a hook that refuses commits": "[init]\ntemplateDir = {folder}/hooked\n",
    "hooks of its own": "[core]\nhooksPath = {folder}/hooked/hooks\n",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_with_a_git_that_has(setting, tmp_path):
    hook = tmp_path / "hooked" / "hooks" / "pre-commit"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\necho no >&2; exit 1\n", "utf-8")
    hook.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(SETTINGS[setting].format(folder=tmp_path), "utf-8")
    project = generate(tmp_path, ROOT, GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_SYSTEM=os.devnull)
    assert b"\r\n" not in (project / "README.md").read_bytes()
    assert git(project, "branch", "--show-current") == "main"


def test_under_a_umask_that_lets_nobody_else_in(tmp_path):
    words = (sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "-o", "out")
    done = run("sh", "-c", 'umask 077 && exec "$@"', "sh", *words, cwd=tmp_path, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/cired-chatbot/requirements.lock").stat().st_mode & 0o077 == 0
