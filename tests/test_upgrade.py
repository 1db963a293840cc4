"""A generated project takes later versions of the template, and other choices, into what its owner made of it.

The template is a clone of this repository in which versions are tagged: the one that is checked out here, and later
ones that change files, remove one, and ask one question more.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SKELETON, clean_environment

IDENTITY = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
ENVIRONMENT = clean_environment() | IDENTITY | {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
CURRENT = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))["_version"]
"""The version that is checked out."""
FOLDER = SKELETON.name


def run(*command, cwd, check=True, **environment):
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def git(folder, *arguments):
    return run("git", *arguments, cwd=folder).stdout.strip()


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def release(template: Path, version: str) -> None:
    """Tag what is there as a version."""
    for name in ("cookiecutter.json", "pyproject.toml"):
        file = template / name
        file.write_text(
            re.sub(r'("?_?version"? ?[:=] ?)"[\d.]+"', rf'\1"{version}"', file.read_text("utf-8"), count=1), "utf-8"
        )
    git(template, "add", "--all")
    git(template, "commit", "--quiet", "--no-verify", "--message", version)
    git(template, "tag", version)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """The address of a template with the versions current, 9.0.0 and 9.1.0."""
    folder = tmp_path_factory.mktemp("template") / "template"
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Template")
    git(folder, "config", "user.email", "template@example.org")
    release(folder, CURRENT)
    edit(folder / FOLDER / "Procfile", "web:", "# Processes, as of 9.0.0\nweb:")
    edit(folder / FOLDER / "README.md", "\n## Over HTTP", "\nA sentence of 9.0.0.\n\n## Over HTTP")
    release(folder, "9.0.0")
    edit(folder / FOLDER / "README.md", "## What is where", "## What is where, since 9.1.0")
    (folder / FOLDER / "docs" / "fr.md").unlink()
    (folder / FOLDER / "docs" / "new-page.md").write_text("# New in 9.1.0\n", "utf-8")
    edit(folder / "cookiecutter.json", '  "license": [', '  "motto": "none",\n  "license": [')
    edit(
        folder / "cookiecutter.json",
        '    "license": {\n      "__prompt__"',
        '    "motto": "Motto",\n    "license": {\n      "__prompt__"',
    )
    release(folder, "9.1.0")
    return folder


def generate(template: Path, out: Path, version: str, *answers: str) -> Path:
    words = (
        f"git+file://{template}",
        "--checkout",
        version,
        "--no-input",
        "--default-config",
        "-o",
        str(out),
        *answers,
    )
    run(sys.executable, "-m", "cookiecutter", *words, cwd=out.parent, HOME=str(out.parent))
    (project,) = out.iterdir()
    return project


@pytest.fixture
def project(template, tmp_path):
    """A project of the current version, with an owner's edits: a changed file, a file more, one removed."""
    (tmp_path / "out").mkdir()
    project = generate(template, tmp_path / "out", CURRENT, 'author_name=A "B" \\ C')
    git(project, "config", "user.name", "Ada")  # make hands on no author
    git(project, "config", "user.email", "ada@example.org")
    edit(project / "README.md", "## Deployment", "## Deployment at our office")
    (project / "docs" / "ours.md").write_text("# Ours\n", "utf-8")
    (project / "docs" / "mcp.md").unlink()
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Ours")
    return project


def upgrade(project: Path, *words: str, check: bool = True):
    return run(sys.executable, "scripts/upgrade.py", *words, cwd=project, check=check)


def record(project: Path) -> dict:
    return json.loads((project / ".cruft.json").read_text("utf-8"))


def tree(project: Path, *left_out: str) -> dict[str, str]:
    """The blobs of a commit by name."""
    lines = [line.split(maxsplit=3) for line in git(project, "ls-tree", "-r", "HEAD").splitlines()]
    return {name: blob for _, _, blob, name in lines if name not in left_out}


def test_a_project_records_its_template_its_version_and_its_answers(project, template):
    found = record(project)
    assert found["template"] == f"file://{template}"
    assert found["commit"] == git(template, "rev-parse", f"{CURRENT}^{{commit}}")
    answers = found["context"]["cookiecutter"]
    assert (answers["_version"], answers["vector_db"], answers["author_name"]) == (CURRENT, "pgvector", 'A "B" \\ C')


def test_gits_settings_count_and_the_repository_of_a_hook_does_not(project, template, tmp_path):
    """A mirror that is named in the settings is used; GIT_DIR, which a hook hands on, leads nowhere else."""
    settings = tmp_path / "settings"
    settings.write_text(f'[url "file://{template}"]\n\tinsteadOf = https://template.invalid/chatbot\n', "utf-8")
    words = ("DRY_RUN=1", "TEMPLATE=https://template.invalid/chatbot")
    others = {"GIT_DIR": str(tmp_path / "nowhere"), "GIT_CONFIG_NOSYSTEM": "1"}
    command = (sys.executable, "scripts/upgrade.py", *words)
    done = run(*command, cwd=project, GIT_CONFIG_GLOBAL=str(settings), **others)
    assert "  new      docs/new-page.md" in done.stdout
    assert git(project, "branch", "--show-current") == "main"


def test_the_newest_version_is_merged_on_a_branch_into_what_the_owner_made(project, template):
    done = upgrade(project)
    assert "New question motto: its default is taken" in done.stdout
    assert "  new      docs/new-page.md" in done.stdout
    assert git(project, "branch", "--show-current") == "upgrade-9.1.0"
    assert git(project, "status", "--porcelain") == ""
    readme = (project / "README.md").read_text("utf-8")
    for sentence in ("A sentence of 9.0.0.", "## What is where, since 9.1.0", "## Deployment at our office"):
        assert sentence in readme
    assert (project / "docs" / "ours.md").exists()
    assert not (project / "docs" / "mcp.md").exists()
    assert not (project / "docs" / "fr.md").exists()
    assert record(project)["context"]["cookiecutter"]["_version"] == "9.1.0"
    assert record(project)["commit"] == git(template, "rev-parse", "9.1.0^{commit}")
    assert "Nothing to do" in upgrade(project).stdout
    assert not list(project.rglob("*.rej"))


@pytest.mark.parametrize("version", [CURRENT, "9.0.0"])
def test_from_each_version_to_the_newest_it_becomes_what_the_newest_generates(version, template, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    project = generate(template, tmp_path / "old", version, "queue=nats")
    upgrade(project)
    fresh = generate(template, tmp_path / "new", "9.1.0", "queue=nats")
    assert tree(project, ".cruft.json") == tree(fresh, ".cruft.json")


def test_who_commits_is_whom_git_knows_else_the_author_of_the_answers(template, tmp_path):
    nobody = tmp_path / "gitconfig"
    nobody.write_text("[user]\n\tuseConfigOnly = true\n", "utf-8")
    (tmp_path / "out").mkdir()
    project = generate(template, tmp_path / "out", CURRENT, "author_name=Grace", "author_email=grace@example.org")
    machine = {"GIT_CONFIG_GLOBAL": str(nobody), "GIT_CONFIG_NOSYSTEM": "1"}
    run(sys.executable, "scripts/upgrade.py", "TO=9.0.0", cwd=project, **machine)
    assert git(project, "log", "-1", "--format=%an <%ae> %cn %s") == "Grace <grace@example.org> Grace Upgrade to 9.0.0"
    git(project, "config", "user.name", "Ada")
    run(sys.executable, "scripts/upgrade.py", cwd=project, **machine)
    assert git(project, "log", "-1", "--format=%an <%ae> %cn %s") == "Ada <grace@example.org> Ada Upgrade to 9.1.0"


def test_a_version_in_between_can_be_named(project):
    upgrade(project, "TO=9.0.0")
    assert "A sentence of 9.0.0." in (project / "README.md").read_text("utf-8")
    assert not (project / "docs" / "new-page.md").exists()


def test_a_dry_run_says_what_would_change_and_what_would_conflict_and_changes_nothing(project):
    edit(project / "Procfile", "web:", "# Ours\nweb:")
    git(project, "commit", "--quiet", "--all", "--message", "Ours, too")
    before = (
        git(project, "rev-parse", "HEAD"),
        git(project, "branch", "--list"),
        git(project, "status", "--porcelain"),
    )
    done = upgrade(project, "DRY_RUN=1")
    assert "  changed  Procfile" in done.stdout
    assert "  removed  docs/fr.md" in done.stdout
    assert "In conflict with your own changes: Procfile." in done.stdout
    assert before == (
        git(project, "rev-parse", "HEAD"),
        git(project, "branch", "--list"),
        git(project, "status", "--porcelain"),
    )
    assert git(project, "worktree", "list").count("\n") == 0


def test_a_conflict_is_shown_as_git_shows_it_and_can_be_given_up(project):
    edit(project / "Procfile", "web:", "# Ours\nweb:")
    git(project, "commit", "--quiet", "--all", "--message", "Ours, too")
    done = upgrade(project, check=False)
    assert done.returncode == 1
    assert "In conflict, on the branch upgrade-9.1.0: Procfile." in done.stdout
    text = (project / "Procfile").read_text("utf-8")
    assert re.search(r"<<<<<<< HEAD\n# Ours\n=======\n# Processes, as of 9.0.0\n>>>>>>> ", text)
    assert git(project, "status", "--porcelain", "Procfile").startswith("AA") or "UU" in git(
        project, "status", "--porcelain"
    )
    git(project, "cherry-pick", "--abort")
    git(project, "switch", "--quiet", "main")
    assert "# Ours" in (project / "Procfile").read_text("utf-8")
    assert git(project, "status", "--porcelain") == ""


def test_a_choice_is_changed_by_one_command_and_the_application_stays_the_same(project, template, tmp_path):
    before = tree(project)
    done = run("make", "--no-print-directory", "upgrade", "VECTOR_DB=qdrant", cwd=with_environment(project))
    assert "Choose vector_db=qdrant" in done.stdout
    assert git(project, "branch", "--show-current") == "upgrade-" + CURRENT + "-vector_db=qdrant"
    changed = {name for name, blob in tree(project).items() if before.get(name) != blob}
    assert {name for name in changed if name.startswith(("src/", "tests/", "migrations/"))} == {
        "src/chatbot/chosen/schemes.toml",
        "src/chatbot/chosen/vector_store.py",
    }
    fresh = generate(template, tmp_path / "fresh", CURRENT, "vector_db=qdrant", 'author_name=A "B" \\ C')
    theirs = {".cruft.json", "README.md", "docs/ours.md", "docs/mcp.md"}
    assert tree(project, *theirs) == tree(fresh, *theirs)
    assert "## Deployment at our office" in (project / "README.md").read_text("utf-8")
    assert record(project)["context"]["cookiecutter"]["_version"] == CURRENT


def with_environment(project: Path) -> Path:
    """The project, with this environment's Python in the place of its own: making that takes a minute."""
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    (project / ".venv" / "installed").write_text(sys.prefix, "utf-8")
    return project


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["VECTORDB=qdrant"], "VECTORDB is no question of the template; did you mean VECTOR_DB?"),
        (
            ["VECTOR_DB=Qdrant"],
            "VECTOR_DB=Qdrant is not one of pgvector, qdrant, chroma, milvus, lancedb; did you mean qdrant?",
        ),
        (["TO=3.0.0"], f"The template has no version 3.0.0. It has {CURRENT}, 9.0.0, 9.1.0."),
        (["TEMPLATE=/nowhere/at/all"], "git clone said: "),
        (["qdrant"], "qdrant is no NAME=value"),
        (["AUTHOR_EMAIL=nobody"], "author_email 'nobody' is not an e-mail address"),
    ],
)
def test_a_wrong_wish_is_refused_in_one_sentence(words, said, project):
    done = upgrade(project, *words, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert git(project, "branch", "--show-current") == "main"


def test_changes_that_are_not_committed_are_not_put_at_risk(project):
    (project / "README.md").write_text("half a thought", "utf-8")
    done = upgrade(project, check=False)
    assert done.returncode == 2
    assert "commit or stash them first" in done.stderr


def test_a_project_inside_a_larger_repository_is_upgraded_there(template, tmp_path):
    outer = tmp_path / "outer"
    (outer / "bots").mkdir(parents=True)
    (outer / "README.md").write_text("# Outer\n", "utf-8")
    git(outer, "init", "--quiet", "--initial-branch=main")
    project = generate(template, outer / "bots", CURRENT)
    git(outer, "add", "--all")
    git(outer, "commit", "--quiet", "--message", "All")
    upgrade(project)
    assert "A sentence of 9.0.0." in (project / "README.md").read_text("utf-8")
    assert (outer / "README.md").read_text("utf-8") == "# Outer\n"
    assert git(outer, "status", "--porcelain") == ""


def test_a_text_with_braces_and_quotes_is_kept(template, project):
    name = '{{ 6 * 7 }} {% "it\'s" \\ 🤖 #}'
    upgrade(project, f"PROJECT_NAME={name}")
    assert record(project)["context"]["cookiecutter"]["project_name"] == name
    upgrade(project, "TO=9.0.0")
    assert record(project)["context"]["cookiecutter"]["project_name"] == name


def cruft(folder: Path, *words: str, check: bool = True):
    return run(sys.executable, "-m", "cruft", *words, cwd=folder, check=check, HOME=str(folder.parent))


@pytest.fixture
def crufted(template, tmp_path):
    """A project that cruft made of the current version, with an owner's edit."""
    cruft(tmp_path, "create", f"file://{template}", "--checkout", CURRENT, "--no-input", "--default-config")
    project = tmp_path / "cired-chatbot"
    edit(project / "README.md", "## Deployment", "## Deployment at our office")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Ours")
    return project


@pytest.mark.parametrize("made", ["crufted", "project"])
def test_cruft_checks_compares_and_updates(made, template, request):
    """Whichever of the two has generated the project."""
    project = request.getfixturevalue(made)
    assert cruft(project, "check", check=False).returncode == 1
    assert "Deployment at our office" in cruft(project, "diff").stdout
    assert "index file" not in cruft(project, "diff").stdout
    done = cruft(project, "update", "--skip-apply-ask")
    assert "error" not in done.stderr
    readme = (project / "README.md").read_text("utf-8")
    for sentence in ("A sentence of 9.0.0.", "## What is where, since 9.1.0", "## Deployment at our office"):
        assert sentence in readme
    assert (project / "docs" / "new-page.md").exists()
    assert not (project / "docs" / "fr.md").exists()
    assert cruft(project, "check").returncode == 0
    assert git(project, "log", "--format=%s", "-1") == "Ours"


def test_a_project_of_cruft_can_be_upgraded_by_make(crufted):
    upgrade(crufted)
    assert "A sentence of 9.0.0." in (crufted / "README.md").read_text("utf-8")
    assert record(crufted)["context"]["cookiecutter"]["_version"] == "9.1.0"


@pytest.fixture
def upgrade_module(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # what lies in the skeleton would be generated
    spec = importlib.util.spec_from_file_location("upgrade", SKELETON / "scripts" / "upgrade.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "upgrade", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("word", ["VECTOR_DB=qdrant", 'PROJECT_NAME=L\'été à "Paris"', "DESCRIPTION=a \\ b $c", "TO="])
def test_what_is_typed_to_make_arrives(word, upgrade_module, tmp_path):
    (tmp_path / "Makefile").write_text("all:\n\t@printenv MAKEFLAGS\n", "utf-8")
    flags = run("make", "--no-print-directory", "-k", word, "DRY_RUN=1", cwd=tmp_path).stdout
    assert set(upgrade_module.words_of_make(flags)) == {word, "DRY_RUN=1"}


@pytest.mark.parametrize(("address", "kept"), [("https://user:secret@example.org/t.git", "https://example.org/t.git")])
def test_no_password_of_an_address_is_recorded(address, kept, template, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(template), "clone")
    git(clone, "config", "remote.origin.url", address)
    run(sys.executable, "-m", "cookiecutter", str(clone), "--no-input", "-o", str(tmp_path / "out"), cwd=tmp_path)
    (project,) = (tmp_path / "out").iterdir()
    assert record(project)["template"] == kept


def test_an_unpublished_template_is_recorded_by_its_path(template, tmp_path):
    run(
        sys.executable,
        "-m",
        "cookiecutter",
        template.name,
        "--no-input",
        "-o",
        str(tmp_path / "out"),
        cwd=template.parent,
    )
    (project,) = (tmp_path / "out").iterdir()
    assert record(project)["template"] == str(template)


def test_the_version_is_said_in_one_voice():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{CURRENT}"' in project
    assert f"## {CURRENT}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert os.environ.get("GITHUB_REF_TYPE") != "tag" or os.environ["GITHUB_REF_NAME"].lstrip("v") == CURRENT
