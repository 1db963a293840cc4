"""The first commit is made in the new project and nowhere else, whatever hook or repository is around."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, clean_environment

COOKIECUTTER = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input"]
ADA = ["author_name=Ada", "author_email=ada@example.org"]


@pytest.fixture
def environ(tmp_path):
    """A machine on which git knows nobody yet."""
    (tmp_path / "gitconfig").write_text("[init]\n\tdefaultBranch = work\n")
    config = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(tmp_path)}
    return clean_environment() | config


@pytest.fixture
def run(environ):
    def run(folder, *command, **variables):
        done = subprocess.run(command, cwd=folder, env=environ | variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip() or done.stderr.strip()

    return run


@pytest.fixture
def repository(run, tmp_path):
    """Somebody's repository with one commit, whose author only it knows."""
    folder = tmp_path / "repository"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "code.py").write_text("precious\n")
    run(folder, "git", "init")
    run(folder, "git", "config", "user.name", "Grace")
    run(folder, "git", "config", "user.email", "grace@example.org")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message=mine")
    return folder


def state(run, folder):
    return [run(folder, "git", *what.split()) for what in ("log --all --format=%an:%s", "ls-files", "config core.bare")]


def hook(path, *command):
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{part}'" for part in command) + "\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", ["pre-commit", "post-commit"])
def test_from_a_git_hook_in_a_worktree_nothing_is_committed_to_the_branch(name, repository, run, tmp_path):
    run(repository, "git", "worktree", "add", str(tmp_path / "side"), "-b", "side")
    hook(repository / ".git/hooks" / name, *COOKIECUTTER, *ADA, "-o", str(tmp_path / "out"))
    (tmp_path / "side/src/code.py").write_text("more precious\n")
    run(tmp_path / "side", "git", "commit", "--all", "--message=second")
    assert state(run, tmp_path / "side") == ["Grace:second\nGrace:mine", "src/code.py", "false"]
    assert run(repository, "git", "status", "--porcelain") == ""
    assert run(tmp_path / "out/cired-chatbot", "git", "log", "--format=%an %ae %s") == "Ada ada@example.org Generate"


def test_hooks_of_all_repositories_do_not_run_on_the_first_commit(run, tmp_path):
    """One that generates would never end."""
    hook(tmp_path / "hooks/pre-commit", "touch", str(tmp_path / "ran"))
    run(tmp_path, "git", "config", "--global", "core.hooksPath", str(tmp_path / "hooks"))
    run(tmp_path, *COOKIECUTTER, *ADA)
    assert run(tmp_path / "cired-chatbot", "git", "log", "--format=%s") == "Generate"
    assert not (tmp_path / "ran").exists()


def test_within_a_repository_the_project_is_part_of_it(repository, environ, run):
    done = subprocess.run(COOKIECUTTER, cwd=repository / "src", env=environ, capture_output=True, text=True)
    assert f"part of the repository {repository}: commit it there" in done.stderr
    run(repository, "git", "add", ".")
    assert "src/cired-chatbot/README.md" in run(repository, "git", "ls-files").splitlines()


def test_in_a_folder_that_a_repository_ignores_the_project_has_its_own_history(repository, run):
    (repository / ".gitignore").write_text("build/\n")
    run(repository, *COOKIECUTTER, *ADA, "-o", "build")
    assert run(repository / "build/cired-chatbot", "git", "log", "--format=%an:%s") == "Ada:Generate"


@pytest.mark.parametrize(
    ("known", "author"),
    [("user.name=Grace", "Grace <ada@example.org>"), ("user.email=grace@example.org", "Ada <grace@example.org>")],
)
def test_what_git_knows_of_the_author_is_taken_and_the_rest_from_the_answers(known, author, run, tmp_path):
    run(tmp_path, "git", "config", "--global", "user.useConfigOnly", "true")
    run(tmp_path, "git", "config", "--global", *known.split("="))
    run(tmp_path, *COOKIECUTTER, *ADA)
    assert run(tmp_path / "cired-chatbot", "git", "log", "--format=%an <%ae>") == author


def test_what_the_owner_ignores_everywhere_is_committed(run, tmp_path):
    (tmp_path / "ignored").write_text("*.lock\n.env*\n")
    run(tmp_path, "git", "config", "--global", "core.excludesFile", str(tmp_path / "ignored"))
    run(tmp_path, *COOKIECUTTER, *ADA)
    committed = run(tmp_path / "cired-chatbot", "git", "ls-files").splitlines()
    assert {"requirements.lock", "requirements-dev.lock", ".env.example"} <= {*committed}


def test_the_templates_own_tests_commit_nothing_here_and_leave_nothing_behind(repository, run, tmp_path):
    """Run from a git hook of a worktree, say: its variables, a home and a temporary folder that we can look at."""
    places = {name: tmp_path / name for name in ("home", "temporary")}
    for place in places.values():
        place.mkdir()
    before = state(run, repository)
    hooks = {"GIT_DIR": str(repository / ".git"), "GIT_INDEX_FILE": str(repository / ".git/index"), "GIT_PREFIX": ""}
    env = {"HOME": str(places["home"]), "TMPDIR": str(places["temporary"]), "PYTHONDONTWRITEBYTECODE": "1"}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    some = ["tests/test_hooks.py", "tests/test_render.py", "-k", "eight_lines or pgvector-postgres-env"]
    said = run(ROOT, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *some, **env, **hooks)
    assert " passed" in said
    assert [name for place in places.values() for name in os.listdir(place)] == []
    assert state(run, repository) == before
    assert not Path(ROOT, ".git", "worktrees").exists()
