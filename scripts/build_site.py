"""Gather the pages of the site and build it, strictly: `make site` writes build/site/html.

The home page and docs/ as they stand; a page for each factor and for each choice, put together from what the skeleton
and templates/ say of them; and the manual of a generated project. Links are turned so that they lead to the same page,
or to the repository for what is no page. `--pages` gathers them and builds nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import batch
import catalogue

ROOT = Path(__file__).parents[1]
SKELETON = ROOT / "{{cookiecutter.project_slug}}"
SITE = ROOT / "build" / "site"
PAGES = SITE / "pages"
REPOSITORY = "https://github.com/org/template/blob/main/"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
DIAGRAM = re.compile(r"^```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)
"""Drawn on GitHub; here it would take a script from elsewhere."""

NAV: list[tuple[str, list[str]]] = [
    ("Start", ["index.md", "start.md", "generate.md", "prompts.md", "update.md"]),
    ("Choices", ["choices.md", "vector-databases.md", "queues.md", "secrets.md", "matrix.md"]),
    ("Factors", ["factors.md"]),
    ("How it is built", ["architecture.md", "add-a-backend.md", "decisions.md"]),
    ("Checklists", ["owasp-llm-top-10.md", "kubernetes.md"]),
    ("The project's manual", []),
    ("About", ["changelog.md", "contributing.md", "security.md"]),
]
"""The sections and the pages written for them; those that are put together come behind."""


class Site:
    """The pages by their place on the site, with the file in the repository that each comes from."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.sources: dict[str, PurePosixPath] = {}
        """Place on the site -> path from which its links are meant, in the repository or in a project's folder."""
        self.sections: dict[str, list[str]] = {name: list(pages) for name, pages in NAV}

    def add(self, place: str, text: str, source: str, section: str = "") -> None:
        self.texts[place] = text
        self.sources[place] = PurePosixPath(source)
        if section:
            self.sections[section].append(place)

    def write(self) -> None:
        places = {str(source): place for place, source in self.sources.items()}
        for place, text in self.texts.items():
            file = PAGES / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._turned(place, DIAGRAM.sub("", text), places), "utf-8")

    def _turned(self, place: str, text: str, places: dict[str, str]) -> str:
        folder = self.sources[place].parent

        def turn(link: re.Match[str]) -> str:
            target = os.path.normpath(folder / link[1])
            if target in places or (target.startswith("docs/") and Path(target).suffix in (".png", ".svg")):
                there = places.get(target, target.removeprefix("docs/"))
                return os.path.relpath(there, PurePosixPath(place).parent) + (link[2] or "")
            return REPOSITORY + target + (link[2] or "")

        return LINK.sub(turn, text)


def written(site: Site) -> None:
    """The pages that are files of this repository."""
    for name, place in {"README": "index", "CHANGELOG": "changelog", "CONTRIBUTING": "contributing"}.items():
        site.add(f"{place}.md", (ROOT / f"{name}.md").read_text("utf-8"), f"{name}.md")
    site.add("security.md", (ROOT / "SECURITY.md").read_text("utf-8"), "SECURITY.md")
    for file in sorted((ROOT / "docs").iterdir()):
        if file.suffix == ".md":
            site.add(file.name, file.read_text("utf-8"), f"docs/{file.name}")
        elif file.suffix in (".png", ".svg"):
            shutil.copy(file, PAGES)


def factors(site: Site) -> None:
    """What each factor asks, where the code answers it, and the names of the tests."""
    tests = {file.name[5:7]: file for file in (SKELETON / "tests" / "twelve_factors").glob("test_*.py")}
    for file in sorted((SKELETON / "docs" / "factors").glob("*.md")):
        named = re.findall(r"^def test_(\w+)", tests[file.name[:2]].read_text("utf-8"), re.MULTILINE)
        proofs = "".join(f"- {name.replace('_', ' ')}\n" for name in named)
        text = f"{file.read_text('utf-8').strip()}\n\n## What the tests prove\n\n{proofs}"
        site.add(f"factors/{file.name}", text, f"manual/docs/factors/{file.name}", "Factors")


def choices(site: Site) -> None:
    """When to take each choice, what it costs to run, and how it is run."""
    context: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
    for factor, folder in catalogue.FOLDERS.items():
        said = catalogue.choices(factor)
        for name in context[factor]:
            place = f"choices/{folder.replace('_', '-')}/{name}.md"
            site.add(place, _choice(factor, name, said[name]), f"templates/{folder}/{name}/notes.md", "Choices")


def _choice(factor: str, name: str, said: dict[str, Any]) -> str:
    files = catalogue.folder(factor, name)
    facts = {
        **said["comparison"],
        "Packages it adds": _code(said.get("dependencies", [])) or "none",
        "Server in production": _code([said["image"]] if said.get("image") else []) or "none of its own",
        "Server in development": _code(said.get("apt", [])) and f"Debian's {_code(said['apt'])}",
        "Its URL": _code([said["example"]] if said.get("example") else []),
        "Tested against": said["tested"],
    }
    table = "".join(f"| {about} | {value} |\n" for about, value in facts.items() if value)
    parts = [
        f"# {name}",
        f"{said['about'][:1].upper()}{said['about'][1:]}.",
        f"| At a glance | |\n| --- | --- |\n{table}",
        "## How it works, and its limits",
        files.joinpath("notes.md").read_text("utf-8").strip(),
        "## How to run it",
        files.joinpath("manual.md").read_text("utf-8").strip(),
        "## How to take it",
        f"```\ncookiecutter gh:org/template --no-input {factor}={name}\n```",
        "In a project that is there already:",
        f"```\nmake upgrade {factor.upper()}={name}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _code(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def manual(site: Site) -> None:
    """The manual of a project with the defaults; what another choice says instead is on that choice's page."""
    out = SITE / "project"
    fleet = SITE / "project.yaml"
    fleet.write_text("projects:\n  - project_name: Chatbot\n", "utf-8")
    [project] = batch.generate(fleet, out, jobs=1)
    docs = out / project.slug / "docs"
    first = ["index.md", "ask.md", "ingest.md", "configure.md", "run.md", "deploy.md", "operate.md"]
    for name in [*first, *sorted({file.name for file in docs.glob("*.md")} - {*first})]:
        site.add(f"manual/{name}", (docs / name).read_text("utf-8"), f"manual/docs/{name}", "The project's manual")


def configuration(site: Site) -> str:
    """zensical.toml with the order of the pages."""
    sections = [{name: pages} for name, pages in site.sections.items()]
    nav = json.dumps(sections, ensure_ascii=False).replace("{", "{ ").replace("}", " }")
    nav = re.sub(r'("[^"]+"): ', r"\1 = ", nav)
    return (ROOT / "zensical.toml").read_text("utf-8").replace("[project]\n", f"[project]\nnav = {nav}\n", 1)


def unlisted(site: Site) -> set[str]:
    """Pages that are in no section, or that a section names and that do not exist: nobody would find the ones, and
    Zensical leaves the others out without a word."""
    return {*site.texts} ^ {page for pages in site.sections.values() for page in pages}


def gather() -> Site:
    shutil.rmtree(SITE, ignore_errors=True)
    PAGES.mkdir(parents=True)
    site = Site()
    for part in (written, choices, factors, manual):
        part(site)
    if wrong := unlisted(site):
        sys.exit(f"The sections of the site and its pages differ: {', '.join(sorted(wrong))}.")
    site.write()
    (SITE / "zensical.toml").write_text(configuration(site), "utf-8")
    return site


def build() -> int:
    command = [ROOT / "build" / "publish" / "bin" / "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=SITE).returncode


if __name__ == "__main__":
    site = gather()
    print(f"{len(site.texts)} pages in {PAGES}")
    sys.exit(0 if "--pages" in sys.argv else build())
