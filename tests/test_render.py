"""Every combination renders to a complete, clean repository that differs only where a choice says so."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import CATALOG, CONTEXT, FACTORS, ROOT, SKELETON

CHOSEN_FILES = {
    ".cruft.json",
    ".env.example",
    ".github/workflows/ci.yml",
    "README.md",
    "deploy/compose.yaml",
    "deploy/kubernetes/base/chatbot.yaml",
    "deploy/kubernetes/with-services/kustomization.yaml",
    "deploy/kubernetes/with-services/services.yaml",
    "docs/secrets.md",
    "docs/services.md",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements-prefect.lock",
    "requirements.lock",
    "services/services.toml",
    "src/chatbot/chosen/queue.py",
    "src/chatbot/chosen/schemes.toml",
    "src/chatbot/chosen/secrets.py",
    "src/chatbot/chosen/vector_store.py",
}
"""The only files that may differ between combinations."""
SERVERS = {f"services/{entry['server']}" for factor in FACTORS for entry in CATALOG[factor].values()}
"""Development servers that no package brings: only the projects that use one have it."""

ANSWER = re.compile(rf"cookiecutter\.({'|'.join(CONTEXT)})\b")
"""How a template names an answer."""
BRACES = (".py", ".mako", "grafana/chatbot.json", "kubernetes-pool.json", "prefect.yaml", "prometheus/alerts.yml")
"""Files whose own language may have {{ or {%."""


def test_nothing_of_the_template_is_left_over(project):
    for name in project.files():
        text = project.read(name)
        assert not ANSWER.search(text), name
        assert name.endswith(BRACES) or not re.search(r"(?<!\$)\{\{|\{%", text), name


def every_document(text):
    return list(yaml.safe_load_all(text))


PARSERS = {".py": ast.parse, ".toml": tomllib.loads, ".yaml": every_document, ".yml": every_document}


@functools.cache
def parses(suffix, text):
    """Whether there is a parser for it; one that refuses the text raises. The same text is parsed once a session."""
    if suffix in PARSERS:
        PARSERS[suffix](text)
    return suffix in PARSERS


def test_every_file_parses(project):
    parsed = [name for name in project.files() if parses(Path(name).suffix, project.read(name))]
    assert len(parsed) > 50


def test_lint_and_format_are_clean_as_rendered(project):
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run(["ruff", *arguments, "."], cwd=project.path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_application_does_not_change_by_one_byte_between_choices(project, bake):
    default = bake()
    assert set(project.files()) - SERVERS == set(default.files())
    different = {name for name in default.files() if project.read(name) != default.read(name)}
    assert different <= CHOSEN_FILES


@pytest.mark.parametrize("folder", ["unit", "browser", "attacks"])
def test_what_looks_at_a_chosen_file_is_tested_in_every_combination(folder):
    """These folders are tested in the covering projects only, so what they look at has to be the same everywhere."""
    for file in (SKELETON / "tests" / folder).rglob("*.py"):
        text = file.read_text("utf-8")
        assert "chatbot.chosen" not in text, file
        for parts in re.findall(r'home\(\)((?: / "[^"]+")+)', text):
            looked_at = "/".join(re.findall(r'"([^"]+)"', parts))
            assert not [name for name in CHOSEN_FILES if f"{name}/".startswith(f"{looked_at}/")], file


@pytest.mark.parametrize(("factor", "folder"), FACTORS.items())
def test_each_adapter_is_the_plain_file_byte_by_byte(factor, folder, bake):
    for choice in CONTEXT[factor]:
        rendered = bake(**{factor: choice}).path / f"src/chatbot/chosen/{folder}.py"
        assert rendered.read_bytes() == (ROOT / f"templates/{folder}/{choice}/adapter.py").read_bytes()


@pytest.mark.parametrize("license", CONTEXT["license"])
def test_each_licence_is_whole_and_declared(license, bake):
    project = bake(license=license)
    entry = CONTEXT["_catalog"]["license"][license]
    if license == "none":
        assert "LICENSE" not in project.files()
        assert "license" not in project.pyproject()["project"]
    else:
        assert project.pyproject()["project"]["license"] == entry["spdx"]
        assert len(project.read("LICENSE")) > 1000


@pytest.mark.parametrize(
    ("ci", "file"), [("github", ".github/workflows/ci.yml"), ("gitlab", ".gitlab-ci.yml"), ("none", None)]
)
def test_each_ci_has_its_one_file(ci, file, bake):
    project = bake(ci=ci)
    found = [name for name in project.files() if name.startswith(".git") and name.endswith(".yml")]
    assert found == ([file] if file else [])
    if file:
        text = project.read(file)
        assert "make check" in text
        assert "make test" in text


@pytest.mark.parametrize(("corpus", "source"), [("manual", "docs"), ("folder", "corpus"), ("hal", "hal:CIRED")])
def test_language_and_corpus_become_defaults_of_the_settings(corpus, source, bake):
    answers = {"author_name": "The Lab", "author_email": "bot@example.org"}
    project = bake(corpus=corpus, language="fr", project_name="Réponses d'énergie", **answers)
    assert project.path.name == "reponses-d-energie"
    assert tomllib.loads(project.read("src/chatbot/defaults.toml")) == {
        "bot_name": "Réponses d'énergie",
        "bot_language": "fr",
        "privacy_contact": "The Lab, bot@example.org",
        "corpus": source,
    }


def test_the_folder_for_ones_own_documents_is_there(bake):
    assert "corpus/README.md" in bake().files()


def test_the_first_commit_is_complete_and_the_tree_clean(project):
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "1"
