"""Bad answers are refused in one sentence before anything is written; a missing tool never loses a good project."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT, clean_environment


def generate(output, *answers, **environment):
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "-o", str(output), *answers]
    env = {**clean_environment(), **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ("project_slug=Has Spaces", "such as my-chatbot"),
        ("project_slug=../elsewhere", "such as my-chatbot"),
        ("project_slug=9lives", "such as my-chatbot"),
        ("description=two\nlines", "on one line"),
        ('description=a "quoted" word', "without double quotes"),
        ("author_name=C:\\me", "backslashes"),
        ("project_name= ", "type a short text"),
        ("author_name= ", "type a short text"),
        ("author_email=nobody", "such as name@example.org"),
    ],
)
def test_a_bad_answer_is_refused_in_one_sentence_and_nothing_is_written(answer, advice, tmp_path):
    done = generate(tmp_path, answer)
    assert done.returncode != 0
    sentences = [line for line in done.stderr.splitlines() if line.startswith("Nothing was generated: ")]
    assert len(sentences) == 1
    assert advice in sentences[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    ["description=It's <b>fine</b> & 100% {true}", "author_name=Élodie Maître D’hôtel", "project_name=L'été 2026"],
)
def test_unusual_but_good_answers_are_taken(answer, tmp_path):
    done = generate(tmp_path, answer, "project_slug=good")
    assert done.returncode == 0, done.stderr
    value = answer.split("=", 1)[1]
    text = "".join((tmp_path / "good" / name).read_text("utf-8") for name in ("pyproject.toml", "README.md"))
    assert value in text or value in (tmp_path / "good/src/chatbot/defaults.toml").read_text("utf-8")


def test_without_git_the_project_is_whole_and_a_warning_says_so(tmp_path):
    done = generate(tmp_path, PATH=os.path.dirname(sys.executable))
    assert done.returncode == 0, done.stderr
    assert "warning: git is not installed" in done.stderr
    assert (tmp_path / "cired-chatbot" / "requirements.lock").exists()
    assert not (tmp_path / "cired-chatbot" / ".git").exists()


def test_the_first_commit_has_an_author_even_when_git_knows_none(tmp_path):
    nobody = {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = generate(tmp_path, "author_name=Ada", "author_email=ada@example.org", **nobody)
    assert done.returncode == 0, done.stderr
    log = ["git", "-C", str(tmp_path / "cired-chatbot"), "log", "--format=%an <%ae>"]
    assert subprocess.run(log, capture_output=True, text=True).stdout.strip() == "Ada <ada@example.org>"


def test_what_is_next_takes_eight_lines_at_most(tmp_path):
    done = generate(tmp_path)
    lines = done.stdout.strip().splitlines()
    assert len(lines) <= 8
    assert any("make demo" in line for line in lines)
