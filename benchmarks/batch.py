"""A hundred projects by `make batch`, beside as many calls of cookiecutter: `make bench`.

Both make the same projects, in turn of a block each, so that the machine's load meets both alike: batch of 25, then 25
calls two at a time, four times over. Wall seconds, and CPU seconds of all processes. Quote the ratio of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
JOBS = 2


def fleet(number: int) -> list[dict[str, str]]:
    """Projects that between them hold every vector database and queue."""
    context = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
    databases, queues = context["vector_db"], context["queue"]
    return [
        {
            "project_name": f"Office {i}",
            "vector_db": databases[i % len(databases)],
            "queue": queues[i // len(databases) % len(queues)],
        }
        for i in range(number)
    ]


def by_batch(projects: list[dict[str, str]], folder: Path) -> None:
    file = folder / "fleet.yaml"
    file.write_text(yaml.safe_dump({"projects": projects}), "utf-8")
    command = [sys.executable, str(ROOT / "scripts" / "batch.py"), str(file), str(folder / "out"), f"--jobs={JOBS}"]
    subprocess.run(command, check=True, capture_output=True)


def by_calls(projects: list[dict[str, str]], folder: Path) -> None:
    def call(answers: dict[str, str]) -> None:
        words = [f"{name}={value}" for name, value in answers.items()]
        command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--default-config", "-o", str(folder)]
        subprocess.run([*command, *words], check=True, capture_output=True)

    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(call, projects))


def timed(way: Callable[[list[dict[str, str]], Path], None], projects: list[dict[str, str]]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        wall, before = time.perf_counter(), os.times()
        way(projects, Path(folder))
        wall, after = time.perf_counter() - wall, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=100, help="how many (default 100)")
    parser.add_argument(
        "--whole", action="store_true", help="one batch of all, then all calls, instead of blocks in turn"
    )
    arguments = parser.parse_args()
    projects = fleet(arguments.projects)
    size = len(projects) if arguments.whole else max(1, len(projects) // 4)
    totals = {"batch": [0.0, 0.0], "calls": [0.0, 0.0]}
    for start in range(0, len(projects), size):
        for name, way in (("batch", by_batch), ("calls", by_calls)):
            for index, seconds in enumerate(timed(way, projects[start : start + size])):
                totals[name][index] += seconds
    print(f"{len(projects)} projects, {JOBS} at a time    wall s    CPU s")
    for name, (wall, cpu) in totals.items():
        print(f"{name:<28}{wall:8.1f} {cpu:8.1f}")
    wall, cpu = (calls / batch for batch, calls in zip(*totals.values(), strict=True))
    print(f"{'calls / batch':<28}{wall:8.1f} {cpu:8.1f}")


if __name__ == "__main__":
    main()
