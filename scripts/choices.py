"""Write the tables of README.md, docs/choices.md and docs/matrix.md (`make docs`); `--check` compares.

What stands between the two markers of a page is generated from cookiecutter.json, the rest is written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


PAGES: dict[Path, Callable[[dict[str, Any]], Iterator[str]]] = {
    ROOT / "README.md": factors,
    ROOT / "docs" / "choices.md": tables,
    ROOT / "docs" / "matrix.md": matrix.tables,
}


def rendered(page: str, lines: Iterator[str]) -> str:
    """The page with its generated part made anew."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{chr(10).join(lines)}\n\n{END}{after}"


def main(arguments: list[str]) -> None:
    context = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
    for path, lines in PAGES.items():
        page = path.read_text("utf-8")
        new = rendered(page, lines(context))
        if "--check" not in arguments:
            path.write_text(new, "utf-8")
        elif new != page:
            sys.exit(f"{path.name} does not say what cookiecutter.json and docs/matrix.json hold: run `make docs`.")


if __name__ == "__main__":
    main(sys.argv[1:])
