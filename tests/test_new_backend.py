"""docs/add-a-backend.md, done: a toy is added to a copy of the template, and the whole suite accepts it."""

from __future__ import annotations

import filecmp
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import catalogue
import choices
import pytest
from conftest import ROOT, clean_environment
from test_first_run import TOUCHED

TOY = Path(__file__).with_name("toy")
LOCAL = (".git", ".venv", "build", ".*cache", "__pycache__")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with one folder more, and what is generated from the folders written again."""
    copy = tmp_path_factory.mktemp("toy") / "template"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LOCAL))
    shutil.copytree(TOY, copy / "templates" / "vector_store" / "toy")
    subprocess.run([sys.executable, "scripts/choices.py"], cwd=copy, check=True)
    return copy


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.xdist_group("toy")
def test_it_is_one_folder_and_what_make_choices_writes(template: Path) -> None:
    files = {path.relative_to(template) for path in template.rglob("*.*") if "__pycache__" not in path.parts}
    same = {file for file in files if (ROOT / file).is_file() and filecmp.cmp(template / file, ROOT / file, False)}
    changed = {file for file in files - same if (template / file).is_file()}
    folder = {file for file in changed if file.is_relative_to("templates/vector_store/toy")}
    written = {path.relative_to(ROOT) for path in choices.generated()}
    assert len(folder) == len(catalogue.FILES)
    assert changed - folder - written == set()


@pytest.mark.xdist_group("toy")
def test_the_suite_of_the_template_accepts_it(template: Path) -> None:
    """All that is said of the template as a whole, and of every combination with the toy in it."""
    whole = ["tests/test_catalogue.py", "tests/test_docs.py", "tests/test_ways_in.py", "tests/test_hooks.py"]
    assert int(re.search(r"(\d+) passed", run(template, sys.executable, "-m", "pytest", "-q", *whole))[1]) > 50
    each = ["tests/test_render.py", "tests/test_lint.py", "tests/test_lock.py", "-k", "toy"]
    assert int(re.search(r"(\d+) passed", run(template, sys.executable, "-m", "pytest", "-q", *each))[1]) > 300


@pytest.mark.xdist_group("toy")
def test_a_combination_with_it_passes_alone(template: Path) -> None:
    one = "tests/test_combinations.py::test_combination[toy-postgres-env]"
    assert "1 of 1 passed" in run(template, sys.executable, "-m", "pytest", "-q", one)


@pytest.mark.xdist_group("toy")
def test_its_project_passes_the_tests_on_real_services(template: Path) -> None:
    """The other tests have passed above."""
    with tempfile.TemporaryDirectory(prefix="chatbot-", ignore_cleanup_errors=True) as out:
        run(template, sys.executable, "-m", "cookiecutter", ".", "--no-input", "-o", out, "vector_db=toy")
        project = Path(out, "cired-chatbot")
        run(project, "make", ".venv/installed")
        output = run(project, ".venv/bin/python", "-m", "pytest", "-m", "services and not slow", *TOUCHED)
    assert re.search(r"^vector_db +toy +\d+ passed, 0 failed, 0 skipped ", output, re.M)
    assert int(re.search(r"^=+ (\d+) passed", output, re.M)[1]) > 70
