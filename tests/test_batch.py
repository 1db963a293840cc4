"""`make batch`: a plan first, faults by file and line, new projects only, each whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import batch
import pytest
from answer_files import Refused
from conftest import CONTEXT, ROOT, clean_environment

FLEET = """\
defaults:
  author_name: City of Example
projects:
  - project_name: Harbour Office
    vector_db: qdrant
  - project_name: 'A "library" \\ {{ 6 * 7 }} {% if'
    project_slug: library
    language: fr
"""


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "batch.py"), *words]
    env = clean_environment() | environment
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder in which the fleet was made: the file, and out/."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "fleet.yaml").write_text(FLEET, "utf-8")
    done = run(folder, "fleet.yaml", "out", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "2 made" in done.stdout
    return folder


def test_each_project_has_its_answers_and_those_of_all(made):
    harbour = tomllib.loads((made / "out/harbour-office/pyproject.toml").read_text("utf-8"))["project"]
    assert any(line.startswith("qdrant-client") for line in harbour["dependencies"])
    assert harbour["authors"][0]["name"] == "City of Example"
    library = tomllib.loads((made / "out/library/src/chatbot/defaults.toml").read_text("utf-8"))
    assert library["bot_name"] == 'A "library" \\ {{ 6 * 7 }} {% if'
    assert library["bot_language"] == "fr"
    assert sorted(path.name for path in (made / "out").iterdir()) == ["harbour-office", "library"]


def test_a_project_is_what_cookiecutter_makes_of_the_same_answers(made, bake):
    single = bake(project_name="Harbour Office", author_name="City of Example", vector_db="qdrant")
    listed = subprocess.run(["git", "ls-files"], cwd=made / "out/harbour-office", capture_output=True, text=True)
    assert listed.stdout.splitlines() == single.files()
    assert all((made / "out/harbour-office" / name).read_text("utf-8") == single.read(name) for name in single.files())


def test_run_again_it_changes_nothing(made):
    (made / "out/library/README.md").write_text("the owner's own", "utf-8")
    before = contents(made / "out")
    done = run(made, "fleet.yaml", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert [entry["state"] for entry in json.loads(done.stdout)] == ["same", "same"]
    assert contents(made / "out") == before


def test_what_differs_is_named_and_left_alone(made):
    (made / "changed.yaml").write_text(FLEET.replace("qdrant", "milvus") + "  - project_name: Third\n", "utf-8")
    before = contents(made / "out")
    done = run(made, "changed.yaml", "out", "--dry-run", "--json")
    assert done.returncode == 3
    states = {entry["slug"]: (entry["state"], entry["detail"]) for entry in json.loads(done.stdout)}
    assert states["harbour-office"] == ("differs", "vector_db: qdrant → milvus")
    assert states["third"][0] == "new"
    assert contents(made / "out") == before


def test_something_else_in_the_place_of_a_project_is_left_alone(tmp_path):
    (tmp_path / "fleet.yaml").write_text("projects:\n  - project_name: Harbour\n", "utf-8")
    (tmp_path / "out" / "harbour").mkdir(parents=True)
    (done,) = batch.generate(tmp_path / "fleet.yaml", tmp_path / "out")
    assert (done.state, done.detail) == ("differs", "something else stands there")


def test_one_that_fails_spoils_no_other(tmp_path):
    (tmp_path / "fleet.yaml").write_text(FLEET, "utf-8")
    projects = batch.plan(tmp_path / "fleet.yaml", tmp_path / "out")
    projects[0].answers["vector_db"] = "nothing of the kind"
    batch.make_new(projects, tmp_path / "out", 2, lambda project: None)
    assert [project.state for project in projects] == ["failed", "made"]
    assert "nothing of the kind" in projects[0].detail
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["library"]


def test_a_process_that_is_killed_leaves_nothing_half_made(tmp_path):
    project = batch.Project("a", {"project_slug": Deadly()}, "")
    batch.make_new([project], tmp_path, 1, lambda project: None)
    assert (project.state, project.detail) == ("failed", "a process was killed, out of memory perhaps")
    assert list(tmp_path.iterdir()) == []


class Deadly:
    """An answer whose arrival ends the process that receives it."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "projects:\n  - project_name: A\n    queu: redis\n",
            "line 3: queu is no question of this template; did you mean queue?",
        ),
        ("projects:\n  - vector_db: Chroma\n", "line 2: vector_db 'Chroma' is not one of"),
        (
            "project:\n  - project_name: A\n",
            "line 1: project is neither `defaults:` nor `projects:`; did you mean projects?",
        ),
        (
            "defaults:\n  languge: fr\nprojects: []\n",
            "line 2: languge is no question of this template; did you mean language?",
        ),
        ("project_name: A\n", "line 1: project_name stands outside"),
        ("projects:\n  - Harbour\n", "line 2: here must stand keys with values"),
        ("projects:\n  - project_name: A\n  - project_name: a\n", "line 3: project_slug a is that of"),
        ("projects:\n  - project_name: MCP\n", "line 2: project_slug 'mcp' is a package"),
        ("projects:\n  - author_email: nobody\n", "line 2: author_email 'nobody' is not an e-mail address"),
        ("projects:\n\t- project_name: A\n", "line 2 is not YAML"),
        ('projects:\n  - project_name: "a\\0b"\n', "line 2: project_name holds a character"),
        ("", "holds no projects"),
    ],
)
def test_a_wrong_fleet_is_refused_and_nothing_is_written(text, said, tmp_path):
    (tmp_path / "fleet.yaml").write_text(text, "utf-8")
    done = run(tmp_path, "fleet.yaml", "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("Nothing was generated: ")
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.yaml"]


def test_all_projects_at_fault_are_named_at_once(tmp_path):
    (tmp_path / "fleet.yaml").write_text("projects:\n  - project_name: MCP\n  - author_email: nobody\n", "utf-8")
    with pytest.raises(Refused) as refused:
        batch.plan(tmp_path / "fleet.yaml", tmp_path)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "slugs"),
    [
        ("default_context:\n  project_name: One\n", ["one"]),
        ("default_context:\n  project_name: One\n---\ndefault_context:\n  project_name: Two\n", ["one", "two"]),
        ("- project_name: One\n- default_context:\n    project_name: Two\n", ["one", "two"]),
        (
            "projects:\n  - &one\n    project_name: One\n    queue: nats\n  - <<: *one\n    project_name: Two\n",
            ["one", "two"],
        ),
        ("defaults:\n  queue: nats\nprojects:\n  - project_name: no\n", ["no"]),
    ],
)
def test_other_shapes_of_a_file_are_read_too(text, slugs, tmp_path):
    (tmp_path / "fleet.yaml").write_text(text, "utf-8")
    assert [project.slug for project in batch.plan(tmp_path / "fleet.yaml", tmp_path / "out")] == slugs


def test_a_folder_of_answer_files_is_a_fleet():
    projects = batch.plan(ROOT / "examples", "/nowhere")
    files = [Path(project.where.split(" line")[0]).name for project in projects]
    assert sorted(set(files)) == sorted(path.name for path in (ROOT / "examples").glob("*.yaml"))


def test_a_missing_file_and_a_folder_without_answers_are_refused(tmp_path):
    for path, said in ((tmp_path / "no.yaml", "cannot be read"), (tmp_path, "holds no .yaml files")):
        with pytest.raises(Refused, match=said):
            batch.plan(path, tmp_path)


def test_defaults_are_those_of_the_prompts():
    answers = batch.resolved({"project_name": "Été à Paris"}, CONTEXT)
    assert answers["project_slug"] == "ete-a-paris"
    assert answers["vector_db"] == CONTEXT["vector_db"][0]


def test_make_says_what_is_missing_and_passes_the_rest_on(tmp_path):
    done = subprocess.run(["make", "batch"], cwd=ROOT, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert "make batch CONFIG=fleet.yaml OUT=dir" in done.stderr
    (tmp_path / "fleet.yaml").write_text(FLEET, "utf-8")
    command = [
        "make",
        "batch",
        f"CONFIG={tmp_path / 'fleet.yaml'}",
        f"OUT={tmp_path / 'out'}",
        "JOBS=1",
        "DRY_RUN=1",
        "JSON=1",
    ]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True)
    assert [entry["state"] for entry in json.loads(done.stdout)] == ["new", "new"], done.stderr
