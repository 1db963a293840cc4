"""Write what comes from the folders of templates/ (`make choices`); `--check` compares.

cookiecutter.json   the choices of each factor, their labels and their entries in `_catalog`; the rest is kept
README.md, docs/    what stands between the two markers of a page: tables of all choices, and what is said of each
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import catalogue
import matrix

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- choices: begin -->\n", "<!-- choices: end -->\n"


def cell(text: str) -> str:
    """Text for a table: on one line, since prompts pad labels to columns."""
    return " ".join(text.split()).replace("|", "\\|")


def about(choice: str, label: str) -> str:
    """What a label says of its choice; the choice itself is in the table's first column."""
    name, description = label.split("  ", 1)
    return cell(description if name == choice else f"{name}: {description}")


def questions(context: dict[str, Any]) -> Iterator[str]:
    """The table of all prompts in their order, with the default of each."""
    yield "| Variable | Question | Default |"
    yield "| --- | --- | --- |"
    for name, label in context["__prompts__"].items():
        default = context[name][0] if isinstance(context[name], list) else context[name]
        question = label if isinstance(label, str) else label["__prompt__"]
        yield f"| `{name}` | {cell(question)} | `{cell(default)}` |"


def options(context: dict[str, Any]) -> Iterator[str]:
    """One table for each variable that offers a choice."""
    for name, label in context["__prompts__"].items():
        if isinstance(label, str):
            continue
        yield f"\n### {label['__prompt__']}: `{name}`\n"
        yield "| Choice | What it is |"
        yield "| --- | --- |"
        for choice in context[name]:
            yield f"| `{choice}` | {about(choice, label[choice])} |"


def tables(context: dict[str, Any]) -> Iterator[str]:
    yield from questions(context)
    yield from options(context)


def factors(context: dict[str, Any]) -> Iterator[str]:
    """The factor choices at a glance."""
    yield "| Question | Choices, the first is the default |"
    yield "| --- | --- |"
    for factor in matrix.FACTORS:
        yield f"| `{factor}` | {', '.join(context[factor])} |"


def comparison(factor: str, context: dict[str, Any]) -> Iterator[str]:
    """A table of what sets the choices of one factor apart, then a section for each."""
    said = catalogue.choices(factor)
    yield matrix.row("Choice", *said[context[factor][0]]["comparison"])
    yield matrix.row(*["---"] * (1 + len(said[context[factor][0]]["comparison"])))
    for choice in context[factor]:
        yield matrix.row(f"`{choice}`", *map(cell, said[choice]["comparison"].values()))
    for choice in context[factor]:
        notes = catalogue.folder(factor, choice).joinpath("notes.md").read_text("utf-8")
        yield f"\n## `{choice}`\n\n{notes.strip()}"


PAGES: dict[Path, Callable[[dict[str, Any]], Iterator[str]]] = {
    ROOT / "README.md": factors,
    ROOT / "docs" / "choices.md": tables,
    ROOT / "docs" / "matrix.md": matrix.tables,
    ROOT / "docs" / "queues.md": functools.partial(comparison, "queue"),
    ROOT / "docs" / "secrets.md": functools.partial(comparison, "secrets_backend"),
    ROOT / "docs" / "vector-databases.md": functools.partial(comparison, "vector_db"),
}


def rendered(page: str, lines: Iterator[str]) -> str:
    """The page with its generated part made anew."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{chr(10).join(lines)}\n\n{END}{after}"


def generated() -> dict[Path, str]:
    """All files with a generated part, and what they should hold."""
    file = ROOT / "cookiecutter.json"
    context = catalogue.complete(json.loads(file.read_text("utf-8")))
    pages = {path: rendered(path.read_text("utf-8"), lines(context)) for path, lines in PAGES.items()}
    return {file: json.dumps(context, indent=2, ensure_ascii=False) + "\n", **pages}


def main(arguments: list[str]) -> None:
    for path, text in generated().items():
        if "--check" not in arguments:
            path.write_text(text, "utf-8")
        elif text != path.read_text("utf-8"):
            sys.exit(f"{path.relative_to(ROOT)} does not say what templates/ and docs/ hold: run `make choices`.")


if __name__ == "__main__":
    main(sys.argv[1:])
