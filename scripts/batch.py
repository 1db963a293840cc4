"""Generate a fleet of projects from a file, or from a folder of answer files: `make batch CONFIG=fleet.yaml OUT=dir`.

    defaults:                        # for all projects
      author_name: City of Example
    projects:
      - project_name: Harbour Office
        vector_db: qdrant
      - project_name: Town Library

First a plan, before anything is written: a project is new, the same as what stands there, or differs from it. Only new
ones are made, each in a place of its own first, so one that fails spoils no other; what differs is left alone. From
Python: `for project in batch.generate("fleet.yaml", "dir", jobs=2): print(project.slug, project.state)`.

Exit code: 0 all is as the file says, 1 a project failed, 2 the file is refused, 3 a project that stands there differs.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import answer_files
import yaml
from answer_files import Refused

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "hooks"))
import post_gen_project  # noqa: E402 - the hooks' own rules and last steps, called instead of started
import pre_gen_project  # noqa: E402

COLOURS = {"new": "cyan", "made": "green", "same": "dim", "differs": "yellow", "failed": "red"}
PARTS = ("defaults", "projects", "default_context")
EXIT = {"failed": 1, "differs": 3}


@dataclass
class Project:
    """One project of a fleet."""

    slug: str
    answers: dict[str, str]
    where: str
    """File and line."""
    state: str = "new"
    """In a plan new, same or differs; afterwards made or failed instead of new."""
    detail: str = ""


# What is wanted


def read_fleet(config: Path, questions: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each project of a file or a folder stands, and the answers given for it."""
    if not config.is_dir():
        yield from read_file(config, questions)
        return
    files = sorted(path for path in config.iterdir() if path.suffix in (".yaml", ".yml"))
    if not files:
        raise Refused(f"{config} holds no .yaml files of answers.")
    for path in files:
        yield from read_file(path, questions)


def read_file(path: Path, questions: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    nodes = answer_files.documents(path)
    if not nodes:
        raise Refused(f"{path} holds no projects: write `projects:`, and below it a list of answers.")
    for node in nodes:
        defaults: dict[str, str] = {}
        if isinstance(node, yaml.MappingNode):
            found = answer_files.pairs(node, path)
            for key, (where, _) in found.items():
                if key in questions:
                    raise Refused(f"{where}: {key} stands outside `default_context:` and `projects:`: indent it there.")
                if key not in PARTS:
                    raise Refused(
                        f"{where}: {key} is neither `defaults:` nor `projects:`{answer_files.nearest(key, PARTS)}"
                    )
            if "defaults" in found:
                defaults = answer_files.answers(found["defaults"][1], questions, path)
            node = found["projects"][1] if "projects" in found else node
        for entry in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            yield from read_entry(entry, defaults, questions, path)


def read_entry(node: Any, defaults: dict[str, str], questions: dict[str, Any], path: Path) -> Iterator[Any]:
    """A project's answers, bare or below `default_context:` as cookiecutter has them."""
    found = answer_files.pairs(node, path)
    if list(found) == ["default_context"]:
        node = found["default_context"][1]
    yield answer_files.place(path, node), defaults | answer_files.answers(node, questions, path)


def resolved(answers: dict[str, str], context: dict[str, Any]) -> dict[str, Any]:
    """The whole context of a project: what was answered, as it was typed, and the defaults of the rest."""
    from cookiecutter.prompt import render_variable
    from cookiecutter.utils import create_env_with_context

    environment = create_env_with_context({"cookiecutter": context})
    known = {name: value for name, value in context.items() if name.startswith("_")}
    for name, default in pre_gen_project.questions_of(context).items():
        first = default[0] if isinstance(default, list) else default
        known[name] = answers[name] if name in answers else render_variable(environment, first, known)
    return known


def plan(config: str | Path, out: str | Path) -> list[Project]:
    """What is to be made, what is the same and what differs; nothing is written. Refused, a sentence for each fault."""
    context = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
    questions, dependencies = pre_gen_project.questions_of(context), pre_gen_project.dependencies_of(ROOT)
    origin = post_gen_project.origin({"_template": str(ROOT), "_repo_dir": str(ROOT)}, ROOT)
    projects: dict[str, Project] = {}
    faults = []
    for where, answers in read_fleet(Path(config), questions):
        whole = resolved(answers, context)
        fault = pre_gen_project.problem(whole, questions, dependencies)
        slug = whole["project_slug"]
        if not fault and slug in projects:
            fault = f"project_slug {slug} is that of {projects[slug].where}, too: give each project its own."
        if fault:
            faults.append(f"{where}: {fault}")
        projects[slug] = compared(Project(slug, whole, where), Path(out) / slug, origin)
    if faults:
        raise Refused("\n".join(faults))
    return list(projects.values())


def compared(project: Project, folder: Path, origin: tuple[str, str | None]) -> Project:
    """The project, with what stands in its folder already: told by the record there, whatever its owner has changed."""
    if not folder.exists():
        return project
    try:
        record = json.loads((folder / ".cruft.json").read_text("utf-8"))
        there, commit = record["context"]["cookiecutter"], record["commit"]
    except (OSError, ValueError, KeyError, TypeError):
        return dataclasses.replace(project, state="differs", detail="something else stands there")
    names = [*pre_gen_project.questions_of(project.answers), "_version"]
    changed = [
        f"{name}: {there.get(name)} → {project.answers[name]}"
        for name in names
        if there.get(name) != project.answers[name]
    ]
    if not changed and commit != origin[1]:
        changed = [f"template: {str(commit)[:9]} → {str(origin[1])[:9]}"]
    return dataclasses.replace(project, state="differs" if changed else "same", detail=", ".join(changed))


# Making it


def remember_compiled_templates() -> None:
    """Jinja compiles each file, and its name, for every project anew: most of the time, for the same code."""
    import jinja2

    compile_once, known = jinja2.Environment.compile, {}

    def compiled(self: Any, source: Any, *rest: Any, **named: Any) -> Any:
        key = (source, rest, tuple(sorted(named.items())))
        if key not in known:
            known[key] = compile_once(self, source, *rest, **named)
        return known[key]

    jinja2.Environment.compile = compiled


def make(project: Project, out: str, origin: tuple[str, str | None]) -> tuple[str, str]:
    """Generate one project in this process; what came of it, and what was said.

    It is made beside its place first: there it stands whole, or not at all.
    """
    from cookiecutter.generate import generate_files

    said = io.StringIO()
    answers = project.answers | {"_template": str(ROOT), "_repo_dir": str(ROOT), "_checkout": None}
    try:
        with tempfile.TemporaryDirectory(prefix=".batch-", dir=out) as beside, contextlib.redirect_stderr(said):
            made = generate_files(ROOT, {"cookiecutter": answers}, output_dir=beside, accept_hooks=False)
            with contextlib.chdir(made):
                post_gen_project.finish(answers, *origin)
            os.rename(made, Path(out, project.slug))
    except Exception as error:  # whatever it is, it is this project's alone
        return "failed", f"{type(error).__name__}: {error}"
    return "made", said.getvalue().strip()


def make_new(projects: list[Project], out: str | Path, jobs: int | None, done: Callable[[Project], None]) -> None:
    """Make the projects that a plan calls new, and write in the plan what came of each; call `done` after each."""
    new = {project.slug: project for project in projects if project.state == "new"}
    if not new:
        return
    folder = Path(out).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{out} cannot be made: {error.strerror}.") from None
    origin = post_gen_project.origin({"_template": str(ROOT), "_repo_dir": str(ROOT)}, ROOT)
    workers = min(jobs or os.cpu_count() or 1, len(new))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=remember_compiled_templates) as pool:
        tasks = {pool.submit(make, project, str(folder), origin): project for project in new.values()}
        for task in as_completed(tasks):
            project = tasks[task]
            try:
                project.state, project.detail = task.result()
            except BrokenProcessPool:
                project.state, project.detail = "failed", "a process was killed, out of memory perhaps"
            done(project)


def generate(config: str | Path, out: str | Path, jobs: int | None = None, dry_run: bool = False) -> list[Project]:
    """Make the new projects of a fleet, `jobs` at a time (default: one for each core).

    Returns all projects in the file's order, each with its state. Raises answer_files.Refused, with a line for each
    fault, before anything is written. A program that calls it keeps it below `if __name__ == "__main__":`.
    """
    projects = plan(config, out)
    if not dry_run:
        make_new(projects, out, jobs, lambda project: None)
    return projects


# The command


def summary(projects: list[Project]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("Project", "", "", box=None, pad_edge=False)
    for project in projects:
        table.add_row(project.slug, Text(project.state, COLOURS[project.state]), Text(project.detail))
    return table


def main(words: list[str]) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    parser = argparse.ArgumentParser(prog="make batch", description="Generate a fleet of projects.")
    parser.add_argument("config", help="a fleet file, an answer file, or a folder of answer files")
    parser.add_argument("out", help="the folder that the projects are made in")
    parser.add_argument("--jobs", type=int, help="how many at a time (default: one for each core)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print the result for a program")
    arguments = parser.parse_args(words)
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error("--jobs must be 1 or more")
    stderr = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    try:
        projects = plan(arguments.config, arguments.out)
        number = sum(project.state == "new" for project in projects)
        if number and not arguments.dry_run:
            with Progress(*columns, console=stderr, disable=arguments.json or not stderr.is_terminal) as bar:
                task = bar.add_task("", total=number)
                after = lambda project: bar.update(task, advance=1, description=project.slug)  # noqa: E731
                make_new(projects, arguments.out, arguments.jobs, after)
    except Refused as refused:
        print(
            f"Nothing was generated:\n{refused}" if "\n" in str(refused) else f"Nothing was generated: {refused}",
            file=sys.stderr,
        )
        return 2
    if arguments.json:
        shown = [{"slug": p.slug, "state": p.state, "detail": p.detail, "where": p.where} for p in projects]
        print(json.dumps(shown, indent=1, ensure_ascii=False))
    else:
        Console().print(summary(projects))
        counts = {state: sum(project.state == state for project in projects) for state in COLOURS}
        print(", ".join(f"{number} {state}" for state, number in counts.items() if number))
    return min((EXIT[project.state] for project in projects if project.state in EXIT), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
