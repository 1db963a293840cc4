"""The template's own pages tell the truth: their make targets, files, links and option tables exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import CONTEXT, ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SKELETON_MAKEFILE = (ROOT / "{{cookiecutter.project_slug}}" / "Makefile").read_text("utf-8")


def matches(pattern: str) -> list[tuple[str, str]]:
    return [(page.name, found) for page in PAGES for found in re.findall(pattern, page.read_text("utf-8"), re.M)]


@pytest.mark.parametrize(("page", "target"), matches(r"(?:^|`)make ([a-z-]+)"))
def test_each_make_target_exists_here_or_in_a_project(page, target):
    assert re.search(rf"^{target}:", MAKEFILE + SKELETON_MAKEFILE, re.M)


@pytest.mark.parametrize(("page", "example"), matches(r"examples/[\w-]+\.yaml"))
def test_each_example_file_exists(page, example):
    assert (ROOT / example).exists()


@pytest.mark.parametrize(("page", "link"), matches(r"\]\(([^):#]+)\)"))
def test_each_link_leads_somewhere(page, link):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    assert (folder / link).exists()


@pytest.mark.parametrize(("page", "answer"), matches(r"\b([a-z_]+=[a-z0-9-]+)\b(?=[^`]*$)"))
def test_each_answer_on_a_command_line_is_one_of_the_choices(page, answer):
    name, value = answer.split("=")
    if isinstance(CONTEXT.get(name), list):
        assert value in CONTEXT[name]


@pytest.mark.parametrize(("page", "test"), matches(r"`(tests/[\w/]+\.py::\w+)`"))
def test_each_test_that_is_named_exists(page, test):
    file, _, name = test.partition("::")
    places = [folder / file for folder in (ROOT, ROOT / "{{cookiecutter.project_slug}}") if (folder / file).exists()]
    assert re.search(rf"def {name}\(", places[0].read_text("utf-8"))


def test_the_option_tables_are_those_of_cookiecutter_json():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "choices.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
