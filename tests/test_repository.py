"""The repository's own files for those who take part: they are valid, lead somewhere, and their commands exist."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import release_notes
import yaml
from conftest import CONTEXT, ROOT, SKELETON

PAGES = [ROOT / name for name in ("AGENTS.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def passes(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_valid_pinned_by_commit_and_audited(workflow):
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow))
    passes("zizmor", "--offline", "--no-progress", "--pedantic", str(workflow))
    for action in re.findall(r"uses: (\S+)", workflow.read_text("utf-8")):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)


def test_dependabot_is_valid():
    passes("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_issue_forms_ask_what_github_takes(form):
    content = yaml.safe_load(form.read_text("utf-8"))
    assert {"name", "description", "body"} <= content.keys()
    ids = [field["id"] for field in content["body"]]
    assert len(set(ids)) == len(ids)
    assert {field["type"] for field in content["body"]} <= {"textarea", "input", "dropdown", "checkboxes", "markdown"}
    assert all(field["attributes"]["label"] for field in content["body"])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_each_link_and_command_exists(page):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^):#]+)\)", text):
        assert (ROOT / link).exists(), link
    for target in re.findall(r"(?:^|`|&& )make ([a-z-]+)", text, re.M):
        assert target in TARGETS | {"upgrade"}, target


@pytest.mark.parametrize("folder", [ROOT, SKELETON], ids=["template", "project"])
def test_each_file_that_an_assistant_is_told_of_exists(folder):
    text = (folder / "AGENTS.md").read_text("utf-8")
    named = re.findall(r"`((?:[\w{}.-]+/)*[\w.-]+\.(?:py|md|toml|json|jinja|lock))`", text)
    places = [ROOT, SKELETON, SKELETON / "src" / "chatbot", ROOT / "tests"]
    written_at_generation = {".cruft.json", "requirements.lock"}
    for name in set(named) - written_at_generation:
        assert any((place / name).exists() for place in places), name
    assert len(named) > 5


def test_no_name_of_a_file_is_refused_by_windows():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    devices = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)
    for part in {part for name in names for part in name.split("/") if part}:
        assert not re.search(r'[<>:"|?*\\]|[. ]$', part), part
        assert not devices.fullmatch(part), part
    assert len({name.lower() for name in names}) == len(names)


def test_the_target_of_the_ways_in_names_files_that_exist():
    listed = re.search(r"WAYS_IN := \$\(addprefix tests/test_,(.*?)\)", (ROOT / "Makefile").read_text("utf-8"), re.S)[1]
    assert all((ROOT / "tests" / f"test_{name}").exists() for name in listed.replace("\\", "").split())


@pytest.mark.parametrize("folder", [ROOT, SKELETON], ids=["template", "project"])
def test_the_development_container_makes_what_the_makefile_has(folder):
    container = json.loads((folder / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    target = container["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{re.escape(target)}:", (folder / "Makefile").read_text("utf-8"), re.M)
    assert re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:3\.\d+-\w+", container["image"])


def test_a_release_has_the_notes_of_its_version_and_no_other_tag_is_one():
    notes = release_notes.notes(CONTEXT["_version"])
    assert notes.startswith("What an owner must do:\n")
    assert "\n## " not in notes
    for tag in ("", "0.0.1", f"v{CONTEXT['_version']}"):
        with pytest.raises(ValueError, match=r"raise it first"):
            release_notes.notes(tag)


@pytest.mark.xdist_group("publish")  # as test_site.py: both build in build/
def test_the_bill_of_materials_names_every_package_of_every_choice():
    passes("make", "sbom")
    bill = json.loads((ROOT / "build" / "sbom.cdx.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    lock = (SKELETON / "requirements-dev.lock").read_text("utf-8")
    locked = re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock, re.M)
    assert {(each["name"], each["version"]) for each in bill["components"]} == set(locked)


def test_no_question_of_the_benchmark_is_asked_twice():
    """`python -m benchmarks.questions` refuses such a file."""
    asked = yaml.safe_load((ROOT / "benchmarks" / "questions.yaml").read_text("utf-8"))
    alone = [(each["question"], *each.get("after", ())) for each in asked]
    assert len(alone) > 300
    assert sorted({question for question in alone if alone.count(question) > 1}) == []
