"""The template's own pages tell the truth: their make targets, files, links and option tables exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import CONTEXT, ROOT, SKELETON

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SKELETON_MAKEFILE = (ROOT / "{{cookiecutter.project_slug}}" / "Makefile").read_text("utf-8")


PROGRAM = re.compile(r"(?:\.venv/bin/python|cd|cookiecutter|make|pipx|chatbot|cruft|git|uv|docker|curl|\.) \S")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
RUN_BY = {
    "cookiecutter gh:org/template": "test_prompts.py::test_the_questions_are_asked_in_their_order_with_their_defaults",
    "cookiecutter gh:org/template --no-input": "test_ways_in.py::test_a_path_and_no_questions",
    "cookiecutter gh:org/template --no-input project_name=": "test_command_line.py::test_",
    "cookiecutter gh:org/template --no-input --config-file examples/": "test_ways_in.py::test_each_example_file_",
    "make batch CONFIG=examples/fleet.yaml": "test_ways_in.py::test_the_example_of_a_fleet_is_made",
    "make upgrade": "test_upgrade.py::test_the_newest_version_is_merged_on_a_branch",
    "make upgrade DRY_RUN=1": "test_upgrade.py::test_a_dry_run_says_what_would_change",
    "make upgrade VECTOR_DB=qdrant": "test_upgrade.py::test_a_choice_is_changed_by_one_command",
    "make demo": "test_first_run.py::test_demo_check_and_test_pass",
    "make check": "test_first_run.py::test_demo_check_and_test_pass",
    "make run": "project: tests/unit/test_dev.py::test_",
    ". .venv/bin/activate": "project: tests/unit/test_dev.py::test_",
    "chatbot dev ": "test_first_run.py::test_demo_check_and_test_pass",
    "make ways-in": "test_repository.py::test_the_target_of_the_ways_in_names_files_that_exist",
    "make combo ": "test_new_backend.py::test_a_combination_with_it_passes_alone",
    "make choices": "test_new_backend.py::test_it_is_one_folder_and_what_make_choices_writes",
    "make site": "test_site.py::test_each_link_leads_to_a_page",
    ".venv/bin/python -m pytest -q tests/test_catalogue.py": "test_new_backend.py::test_the_suite_of_the_template_",
    "cd cired-chatbot": "test_first_run.py::test_demo_check_and_test_pass",
    "pipx install cookiecutter": "the network: what it installs is in requirements.lock",
    "make lock": "the network: test_lock.py looks at what it wrote",
    "make test": "this run",
}
"""By how a command in a block begins, the longest first: the test that runs it, or what that would need. The address
`gh:org/template` is this repository's folder there."""


def shown() -> list[tuple[str, str]]:
    """(page, command) for each line of a block of commands, without its comment."""
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "AGENTS.md"]
    blocks = [(page.name, block) for page in pages for _, block in BLOCK.findall(page.read_text("utf-8"))]
    lines = [(page, re.sub(r"\s+#\s.*", "", line)) for page, block in blocks for line in block.splitlines()]
    return [(page, line) for page, line in lines if PROGRAM.match(line)]


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


@pytest.mark.parametrize(("page", "command"), shown())
def test_each_command_of_a_block_is_run_by_a_test(page, command):
    begins = max((start for start in RUN_BY if command.startswith(start)), key=len)
    file, _, name = RUN_BY[begins].removeprefix("project: ").partition("::")
    if name:
        folder = SKELETON if RUN_BY[begins].startswith("project: ") else ROOT / "tests"
        assert re.search(rf"^def {name}", (folder / file).read_text("utf-8"), re.M)


def test_there_are_commands_to_look_at():
    assert len(shown()) > 30
