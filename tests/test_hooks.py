"""Bad answers are refused in one sentence before anything is written; a missing tool never loses a good project."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

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
        ("project_slug=aux", "a device on Windows"),
        ("project_slug=pydantic", "such as pydantic-chatbot"),
        ("project_name=MCP", "such as mcp-chatbot"),
        ("description=two\nlines", "on one line"),
        ("description=turned \u202e around", "turns the order"),
        ("project_name={{ 6 * 7 }}", "which cookiecutter evaluates"),
        (f"project_name={'x' * 92}", "longer than 80 characters"),
        ("project_name= ", "type a short text"),
        ("author_name= ", "type a short text"),
        ("author_name=Ada ", "type it without"),
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
    [
        "description=It's <b>fine</b> & 100% {true}",
        "author_name=Élodie Maître D’hôtel",
        "project_name=L'été 2026",
        'description=a "quoted" \\word',
    ],
)
def test_unusual_but_good_answers_are_taken_as_typed(answer, tmp_path):
    done = generate(tmp_path, answer, "project_slug=good")
    assert done.returncode == 0, done.stderr
    read = tomllib.loads((tmp_path / "good/pyproject.toml").read_text("utf-8"))["project"]
    bot = tomllib.loads((tmp_path / "good/src/chatbot/defaults.toml").read_text("utf-8"))
    assert answer.split("=", 1)[1] in (read["description"], read["authors"][0]["name"], bot["bot_name"])


def test_a_console_that_cannot_show_the_name_does_not_cost_the_project(tmp_path):
    done = generate(tmp_path, "project_name=Чат бот", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "chat-bot" / "README.md").read_text("utf-8").startswith("# Чат бот")


def test_an_author_of_whom_git_keeps_nothing_does_not_cost_the_history(tmp_path):
    nobody = {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    assert "warning" not in generate(tmp_path, "author_name=\"\\'", **nobody).stderr
    assert (tmp_path / "cired-chatbot" / ".git" / "refs" / "heads" / "main").exists()


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
