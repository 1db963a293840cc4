"""How much of what readers see is read of a folder of files, how much is taken for hidden, and how fast: per format.

    python -m benchmarks.parsing ../shared/data/pdfs samples/
    python -m benchmarks.parsing --print docs/        Markdown pages, printed to PDF by the machine's own Chromium
    python -m benchmarks.parsing samples/ --json

Beside FILE may stand FILE.seen, the words that a reader sees, and FILE.hidden, words that nobody sees. Without them,
all words that an extraction without rules finds count as seen (see ingestion/parsing/reading.py).

kept          of the words seen, how many are in the passages
hidden        of the words seen, how many were taken for hidden text (false hiding)
leaked        of the words of FILE.hidden, how many are in the passages
pages/s       of one process, its start not counted
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing import html
from chatbot.ingestion.parsing.parse import SUFFIXES, parse
from chatbot.ingestion.parsing.reading import words

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OFF = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-pdf-header-footer")
STYLE = """
<meta charset=utf-8><style>body{font:11pt/1.5 Georgia,serif;margin:2em} code{background:rgba(0,0,0,.06);padding:2px}
pre{background:#f6f8fa;box-shadow:0 1px 3px rgba(0,0,0,.3);padding:1em} tr:nth-child(even){background:rgba(0,0,0,.05)}
blockquote{border-left:4px solid #ccc;background:rgba(0,100,255,.07)}
h1{color:#fff;background:#036;padding:.3em}</style>
"""
"""Tinted boxes, shadows, striped rows, white on blue: what browsers print and what was taken for hidden."""


@dataclass
class Figures:
    files: int = 0
    refused: int = 0
    pages: int = 0
    seconds: float = 0.0
    seen: int = 0
    kept: int = 0
    hidden: int = 0
    invisible: int = 0
    leaked: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--print", dest="printed", type=Path, help="a folder of Markdown, printed by Chromium first")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures: dict[str, Figures] = defaultdict(Figures)
    with tempfile.TemporaryDirectory() as folder:
        if given.printed:
            print_pages(given.printed, Path(folder))
        for file in files([*given.folders, Path(folder)]):
            kind = "printed.pdf" if folder in str(file) else file.suffix.lower()
            measure(file, figures[kind])
    if not figures:
        sys.exit("No file of a type that can be read: name a folder.")
    if given.json:
        print(json.dumps({kind: asdict(each) for kind, each in sorted(figures.items())}, indent=2))
    else:
        show(figures)


def files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        yield from (file for file in found if file.suffix.lower() in SUFFIXES and not file.name.startswith("~$"))


def measure(file: Path, figures: Figures) -> None:
    content = file.read_bytes()
    figures.files += 1
    started = time.process_time()
    try:
        parsed = parse(content, file.name)
    except UnreadableDocument as refusal:
        figures.refused += 1
        print(f"{file}: {refusal}", file=sys.stderr)
        return
    figures.seconds += time.process_time() - started
    figures.pages += parsed.pages
    weigh(file, parsed, figures)


def weigh(file: Path, parsed: ParsedDocument, figures: Figures) -> None:
    found = words("\n".join([parsed.title, *(f"{each.heading}\n{each.text}" for each in parsed.sections)]))
    expected = file.with_name(f"{file.name}.seen")
    hidden = sum(count for reason, count in parsed.reading.left_out.items() if "hidden" in reason)
    if expected.exists():
        seen = words(expected.read_text("utf-8"))
        missing = seen - found
        figures.seen += seen.total()
        figures.kept += seen.total() - missing.total()
        figures.hidden += min(hidden, missing.total())
    else:
        figures.seen += parsed.reading.seen
        figures.kept += parsed.reading.seen - sum(parsed.reading.left_out.values())
        figures.hidden += hidden
    invisible = file.with_name(f"{file.name}.hidden")
    if invisible.exists():
        unseen = words(invisible.read_text("utf-8"))
        figures.invisible += unseen.total()
        figures.leaked += (unseen & found).total()


def print_pages(source: Path, folder: Path) -> None:
    """Each Markdown page of `source` as a PDF in `folder`, with the words of its text."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        sys.exit("Chromium is not installed: apt install chromium.")
    markdown = MarkdownIt("commonmark").enable("table")
    for page in sorted(source.rglob("*.md")):
        name = "-".join(page.relative_to(source).with_suffix("").parts)
        markup = markdown.render(page.read_text("utf-8"))
        web_page, printed = folder / "page.html", folder / f"{name}.pdf"
        web_page.write_text(STYLE + markup, "utf-8")
        command = [chromium, *OFF, f"--print-to-pdf={printed}", web_page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        web_page.unlink()
        Path(f"{printed}.seen").write_text(html.everything(markup), "utf-8")


def show(figures: dict[str, Figures]) -> None:
    print(
        f"{'format':<12}{'files':>6}{'refused':>9}{'words seen':>12}{'kept':>9}{'hidden':>9}{'leaked':>9}{'pages/s':>9}"
    )
    for kind, each in sorted(figures.items()):
        share = Counter({name: getattr(each, name) / max(each.seen, 1) for name in ("kept", "hidden")})
        leaked = f"{each.leaked}/{each.invisible}" if each.invisible else "-"
        rate = each.pages / each.seconds if each.seconds else 0.0
        print(
            f"{kind:<12}{each.files:>6}{each.refused:>9}{each.seen:>12,}{share['kept']:>9.2%}{share['hidden']:>9.2%}"
            f"{leaked:>9}{rate:>9.1f}"
        )


if __name__ == "__main__":
    main()
