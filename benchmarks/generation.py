"""How long generation takes, against cookiecutter's own start: `make bench`.

Whole processes in turn, A B A B …: `cookiecutter --version` (A) and `cookiecutter . --no-input` with hooks, lock and
first commit (B). Then bakes in this process, without hooks. CPU seconds, children included, since a shared machine
stretches the wall clock. Figures are medians of one run; quote the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COOKIECUTTER = [sys.executable, "-m", "cookiecutter"]


def seconds(command: list[str]) -> float:
    """The CPU time of a command and of all that it started."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def whole_processes(runs: int) -> tuple[list[float], list[float]]:
    version, generate = [], []
    for _ in range(runs):
        version.append(seconds([*COOKIECUTTER, "--version"]))
        with tempfile.TemporaryDirectory() as folder:
            generate.append(seconds([*COOKIECUTTER, str(ROOT), "--no-input", "-o", folder]))
    return version, generate


def in_process(runs: int) -> list[float]:
    from cookiecutter.main import cookiecutter

    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            cookiecutter(str(ROOT), no_input=True, output_dir=folder, accept_hooks=False)
            times.append(time.process_time() - started)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="runs of each (default 9)")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    arguments = parser.parse_args()
    version, generate = whole_processes(arguments.runs)
    figures = {
        "version_s": statistics.median(version),
        "generate_s": statistics.median(generate),
        "ratio": statistics.median(b / a for a, b in zip(version, generate, strict=True)),
        "in_process_ms": 1000 * statistics.median(in_process(arguments.runs)),
    }
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"cookiecutter --version           {figures['version_s']:6.2f} s")
    print(f"cookiecutter . --no-input        {figures['generate_s']:6.2f} s   {figures['ratio']:.2f} times the former")
    print(f"one bake in process, no hooks    {figures['in_process_ms']:6.0f} ms")


if __name__ == "__main__":
    main()
