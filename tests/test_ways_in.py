"""The three ways in, through the real command line: a path, the prompts, a file of answers."""

from __future__ import annotations

import subprocess
import sys

import batch
import pytest
import yaml
from conftest import CONTEXT, ROOT, clean_environment

COOKIECUTTER = [sys.executable, "-m", "cookiecutter"]
FLEET = ROOT / "examples" / "fleet.yaml"
EXAMPLES = sorted(set((ROOT / "examples").glob("*.yaml")) - {FLEET})


def cookiecutter(*arguments, typed=""):
    command = [*COOKIECUTTER, *map(str, arguments)]
    return subprocess.run(command, input=typed, env=clean_environment(), capture_output=True, text=True)


def test_a_path_and_no_questions(tmp_path):
    done = cookiecutter(ROOT, "--no-input", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cired-chatbot" / "README.md").exists()


def test_the_prompts_are_asked_and_the_answers_are_used(tmp_path):
    typed = "Harbour Office\n\n\n\n\n2\n2\n\n3\n2\n2\n3\n"
    done = cookiecutter(ROOT, "-o", tmp_path, typed=typed)
    assert done.returncode == 0, done.stderr
    for name, label in CONTEXT["__prompts__"].items():
        asked = label if isinstance(label, str) else label["__prompt__"]
        assert asked.split("  ")[0] in done.stdout, name
    project = tmp_path / "harbour-office"
    assert "chromadb" in (project / "pyproject.toml").read_text("utf-8")
    assert 'bot_language = "fr"' in (project / "src/chatbot/defaults.toml").read_text("utf-8")
    assert not (project / ".github").exists()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_file_generates_what_it_says(example, tmp_path):
    answers = yaml.safe_load(example.read_text("utf-8"))["default_context"]
    assert set(answers) <= set(CONTEXT), "an unknown key would be ignored in silence"
    for name, value in answers.items():
        assert not isinstance(CONTEXT[name], list) or value in CONTEXT[name], f"{name}: {value}"
    done = cookiecutter(ROOT, "--no-input", "--config-file", example, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    (project,) = tmp_path.iterdir()
    catalogue = CONTEXT["_catalog"]["vector_db"][answers.get("vector_db", CONTEXT["vector_db"][0])]
    pyproject = (project / "pyproject.toml").read_text("utf-8")
    assert all(dependency in pyproject for dependency in catalogue["dependencies"])


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


def test_the_example_of_a_fleet_is_made(tmp_path):
    assert {project.state for project in batch.generate(FLEET, tmp_path)} == {"made"}
