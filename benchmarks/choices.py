"""Every vector database and every queue side by side, in one run, with what each has to reach: `make bench-choices`.

python benchmarks/choices.py --data ../shared/data --json

Bakes one project for each pair of a vector database and a queue, makes it an environment from its own lock, and runs
its own benchmarks/attached.py: one after another, on services started for the occasion. --data holds two data sets in
the BEIR layout, xquad-en/ and scifact/; where they are missing, first passages and nDCG@10 are left out. The first run
embeds them, which takes most of an hour. What was found is kept in benchmarks/choices.json; exits 1 if anything FAILs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
WORK = ROOT / "build" / "choices"
RESULTS = Path(__file__).with_suffix(".json")
ENVIRON = {
    **{k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL"}},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "VECTOR_DB_URL": "",
    "QUEUE_URL": "",
}
QUESTIONS = 200
FACTORS = {
    "vector_db": ["clustered", "random", "corpus", "ranking"],
    "queue": ["throughput", "killed_worker"],
}
"""The parts of benchmarks/attached.py that say something about each."""
REQUIRED = {
    "clustered recall@10": (0.95, 1),
    "clustered filtered_recall@10": (0.95, 1),
    "random recall@10": (0.95, 1),
    "random filtered_recall@10": (0.95, 1),
    "corpus first_passages as default": (0.95, 1),
    "ranking ndcg@10 below best": (0, 0.01),
    "killed_worker done": (8, 8),
    "killed_worker done_once": (8, 8),
    "killed_worker seconds": (0, 7),  # the lease, of two seconds, and five
}
"""The least and the most that is right."""

Figures = dict[str, Any]
Found = dict[str, Figures]
"""By choice: figures, by name."""


def bake(vector_db: str, queue: str) -> Path:
    """A project with its environment, as its owner gets it."""
    folder = WORK / f"{vector_db}-{queue}"
    shutil.rmtree(folder, ignore_errors=True)
    answers = [f"project_slug={folder.name}", f"vector_db={vector_db}", f"queue={queue}"]
    run([sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--output-dir", str(WORK), *answers], ROOT)
    run(["make", "--silent", ".venv/installed"], folder)
    return folder


def run(command: Sequence[str], folder: Path) -> str:
    """What it prints, while its progress is seen; a failure ends this program."""
    done = subprocess.run(command, cwd=folder, env=ENVIRON, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} exited {done.returncode} in {folder}")
    return done.stdout


def wanted(data: Path, embeddings: Path) -> list[str]:
    """The options of benchmarks/attached.py."""
    options = ["--json", "--embeddings", str(embeddings), "--questions", str(QUESTIONS)]
    for option, folder in (("--corpus", data / "xquad-en"), ("--ranking", data / "scifact")):
        if folder.exists():
            options += [option, str(folder)]
        else:
            print(f"{folder} is missing: {option.strip('-')} is left out", file=sys.stderr)
    return options


def figures_of(found: Mapping[str, Figures], parts: Sequence[str]) -> Figures:
    """The figures of these parts, each under one name."""
    return {f"{part} {name}": value for part in parts for name, value in found.get(part, {}).items()}


def side_by_side(stores: Found) -> Found:
    """With what only shows beside the others, where it was measured: first passages and distance in nDCG@10."""
    passages, ndcg = "corpus first_passages", "ranking ndcg@10"
    default = stores[CONTEXT["vector_db"][0]].get(passages, [])
    best = max(figures.get(ndcg, 0) for figures in stores.values())
    compared = {choice: dict(figures) for choice, figures in stores.items()}
    for figures in compared.values():
        if passages in figures:
            same = map(str.__eq__, figures.pop(passages), default)
            figures[f"{passages} as default"] = sum(same) / len(default)
        if ndcg in figures:
            figures[f"{ndcg} below best"] = round(best - figures[ndcg], 4)
    return compared


def missed(found: Found) -> dict[str, list[str]]:
    """By requirement, the choices that do not meet it."""
    return {
        name: [choice for choice, figures in found.items() if not least <= figures[name] <= most]
        for name, (least, most) in REQUIRED.items()
        if all(name in figures for figures in found.values())
    }


def table(title: str, found: Found) -> str:
    """In Markdown, a row a figure and a column a choice; at the end what is required, and whether it is so."""
    failures = missed(found)
    rows = [[title, *found, "required", ""], ["---", *["--:"] * len(found), "---", "---"]]
    for name in next(iter(found.values())):
        least, most = REQUIRED.get(name, (0, 0))
        verdict = f"FAIL: {', '.join(failures[name])}" if failures.get(name) else "PASS"
        required = [f"{least:g} to {most:g}", verdict] if name in failures else ["", ""]
        rows.append([name.replace("_", " "), *(f"{figures[name]:g}" for figures in found.values()), *required])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


def report(found: dict[str, Found]) -> str:
    """The tables, and what each choice was measured against."""
    parts = []
    for factor, choices in found.items():
        parts.append(table(factor.replace("_", " "), choices))
        parts.append("\n".join(f"{choice}: {CONTEXT['_catalog'][factor][choice]['tested']}" for choice in choices))
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where xquad-en/ and scifact/ are")
    parser.add_argument("--embeddings", type=Path, default=WORK / "embeddings.sqlite", help="where they are remembered")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    arguments = parser.parse_args()
    options = wanted(arguments.data.resolve(), arguments.embeddings.resolve())
    found: dict[str, Found] = {factor: {} for factor in FACTORS}
    for row in range(max(len(CONTEXT[factor]) for factor in FACTORS)):
        pair = [CONTEXT[factor][row % len(CONTEXT[factor])] for factor in FACTORS]
        print(f"\n{' and '.join(pair)}", file=sys.stderr)
        measured = json.loads(run([".venv/bin/python", "-m", "benchmarks.attached", *options], bake(*pair)))
        for (factor, parts), choice in zip(FACTORS.items(), pair, strict=True):
            found[factor][choice] = figures_of(measured, parts)
    found["vector_db"] = side_by_side(found["vector_db"])
    about = {"date": f"{datetime.date.today()}", "cpus": os.cpu_count(), "python": platform.python_version()}
    failures = {name: choices for factor in found.values() for name, choices in missed(factor).items() if choices}
    text = json.dumps({**about, **found, "failures": failures}, indent=1)
    RESULTS.write_text(text + "\n", "utf-8")
    print(text if arguments.json else report(found))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
