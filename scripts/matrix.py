"""The tables of docs/matrix.md: `make matrix` records the last run over all combinations, `make choices` writes them.

build/combinations.json, conformance.json and run.json, which `make test` leaves, become docs/matrix.json, which is
committed. The page is made of that, of cookiecutter.json and of the lock, so it is the same on every machine.
"""

from __future__ import annotations

import itertools
import json
import platform
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import catalogue

ROOT = Path(__file__).parents[1]
FACTORS = tuple(catalogue.FOLDERS)
COMBINATIONS, CONFORMANCE = ROOT / "build" / "combinations.json", ROOT / "build" / "conformance.json"
RUN = ROOT / "build" / "run.json"
RUNS = 10
"""So many runs are remembered: a test that failed at first in one of them gets no second attempt."""
RECORD = ROOT / "docs" / "matrix.json"
LOCK = ROOT / "{{cookiecutter.project_slug}}" / "requirements-dev.lock"
NONE = "–"


def tables(context: dict[str, Any]) -> Iterator[str]:
    """The generated part of the page."""
    recorded = json.loads(RECORD.read_text("utf-8"))
    yield from outcome(recorded, context)
    versions = locked(LOCK.read_text("utf-8"))
    for factor in FACTORS:
        yield f"\n## {context['__prompts__'][factor]['__prompt__']}: `{factor}`\n"
        yield row("Choice", "Tested against", "Conformance tests passed", "Packages, as locked", "Image")
        yield row(*["---"] * 5)
        for choice, entry in context["_catalog"][factor].items():
            passed = recorded["conformance"].get(factor, {}).get(choice, NONE)
            packages = [package(line, versions) for line in entry["dependencies"] + entry["dev_dependencies"]]
            yield row(f"`{choice}`", entry["tested"], passed, ", ".join(packages) or NONE, entry.get("image") or NONE)


def outcome(recorded: dict[str, Any], context: dict[str, Any]) -> Iterator[str]:
    """How the last run went, in one sentence and one table of vector databases and queues."""
    every = recorded["combinations"]
    if not every:
        yield "No run over all combinations is recorded yet."
        return
    failed = ["-".join(each[factor] for factor in FACTORS) for each in every if not each["passed"]]
    when = f"on {recorded['date']} with Python {recorded['python']}"
    minutes = sum(each["cpu"] for each in every) / 60
    yield f"{len(every) - len(failed)} of {len(every)} combinations passed {when}, in {minutes:.0f} core minutes."
    if "minutes" in recorded:
        yield f"All of `make test` took {recorded['minutes']} minutes on {recorded['cores']} cores."
    for reason, number in recorded.get("missing", {}).items():
        yield f"{number} tests were skipped: {reason}"
    yield f"\nFailed: {', '.join(failed)}.\n" if failed else ""
    if "repeated" in recorded:
        yield from second_attempts(recorded["repeated"])
    yield row("Passed, of all secrets backends", *context["queue"])
    yield row(*["---"] * (1 + len(context["queue"])))
    for vector_db in context["vector_db"]:
        counts = (passed(every, vector_db=vector_db, queue=queue) for queue in context["queue"])
        yield row(f"`{vector_db}`", *counts)


def second_attempts(runs: list[dict[str, list[str]]]) -> Iterator[str]:
    """Which tests of the generated projects failed and then passed: in this run, and in those before it."""
    number = len(runs)
    if not any(runs):
        yield f"No test took two attempts to pass, in {'this run' if number < 2 else f'the last {number} runs'}.\n"
        return
    yield "Failed at first, and passed when run again alone:\n"
    for test in sorted(set().union(*runs)):
        places = ", ".join(runs[0].get(test, [])) or "earlier"
        yield f"- `{test}`: {sum(test in run for run in runs)} of {number} runs; {places}"
    yield ""


def repeated_lately() -> set[str]:
    """The tests that took two attempts in one of the runs that are on record."""
    return set().union(*json.loads(RECORD.read_text("utf-8")).get("repeated", [])) if RECORD.is_file() else set()


def passed(every: list[dict[str, Any]], **answers: str) -> str:
    """How many of the combinations with these answers passed: 6/6."""
    those = [each["passed"] for each in every if answers.items() <= each.items()]
    return f"{sum(those)}/{len(those)}" if those else NONE


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def locked(lock: str) -> dict[str, list[str]]:
    """The versions of each package; several where platforms differ."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", lock, re.M):
        versions.setdefault(name, []).append(version)
    return versions


def package(requirement: str, versions: dict[str, list[str]]) -> str:
    """What is locked for a requirement: `moto[server]>=5.2,<6` is moto 5.2.5."""
    name = re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0].lower())
    return f"{name} {' or '.join(versions.get(name, [NONE]))}"


def last_run(context: dict[str, Any]) -> dict[str, Any]:
    """The record of the last `make test`; exits with a sentence when it did not look at everything."""
    for file in (COMBINATIONS, CONFORMANCE, RUN):
        if not file.is_file():
            sys.exit(f"There is no {file.relative_to(ROOT)}: run `make test` first.")
    found = json.loads(COMBINATIONS.read_text("utf-8"))
    expected = sorted(itertools.product(*(context[factor] for factor in FACTORS)))
    if sorted(tuple(each["combination"][factor] for factor in FACTORS) for each in found) != expected:
        sys.exit(f"The last run looked at {len(found)} of {len(expected)} combinations: run `make test` first.")
    repeated: dict[str, list[str]] = {}
    run = json.loads(RUN.read_text("utf-8"))
    for each in run["repeated"]:
        repeated.setdefault(each["test"], []).append(each["project"])
    earlier = json.loads(RECORD.read_text("utf-8")).get("repeated", []) if RECORD.is_file() else []
    return {
        "date": f"{datetime.fromtimestamp(COMBINATIONS.stat().st_mtime, UTC):%Y-%m-%d}",
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{key: run[key] for key in ("minutes", "cores", "missing")},
        "combinations": [
            each["combination"] | {key: each.get(key, 0) for key in ("passed", "tests", "cpu")} for each in found
        ],
        "conformance": json.loads(CONFORMANCE.read_text("utf-8")),
        "repeated": [repeated, *earlier][:RUNS],
    }


if __name__ == "__main__":
    run = last_run(json.loads((ROOT / "cookiecutter.json").read_text("utf-8")))
    RECORD.write_text(json.dumps(run, indent=1) + "\n", "utf-8")
