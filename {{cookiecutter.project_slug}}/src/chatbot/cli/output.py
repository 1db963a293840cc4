"""What people see of answers, passages, jobs and keys on the command line."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from chatbot.domain import Answer, ApiKey, Chunk, Citation, Document, Job, Passage, Review, Unanswered

if TYPE_CHECKING:
    from chatbot.ingestion.reconcile import Found
    from chatbot.jobs.batch import Outcome


WIDTH = 100
"""Columns."""


def show_answer(answer: Answer) -> None:
    """The text with its markers, and below it what each marker stands for."""
    click.echo(answer.text.strip())
    for citation in answer.citations:
        click.echo(f"\n[{citation.number}] {_place(citation.title, citation)}\n    {citation.source}")
        click.echo(_quoted(citation.quote))


def show_passages(passages: Sequence[Passage]) -> None:
    for number, passage in enumerate(passages, 1):
        click.echo(f"{number}. {_place(passage.title, passage.chunk)}\n    {passage.source}")
        click.echo(_quoted(textwrap.shorten(passage.chunk.text, 300, placeholder="…")) + "\n")


def show_jobs(jobs: Sequence[Job]) -> None:
    for job in jobs:
        created = f"{job.created_at:%Y-%m-%d %H:%M}" if job.created_at else ""
        line = f"{job.id}  {job.state:<9}  {job.progress:>4.0%}  attempts {job.attempts}  {created}  {job.kind}"
        waiting = f"  waits since {job.waiting_since:%Y-%m-%d %H:%M}" if job.waiting_since else ""
        said = job.error or job.note
        click.echo(line + waiting + (f"  {said}" if said else ""))


def show_documents(documents: Sequence[Document]) -> None:
    for document in documents:
        click.echo(f"{document.id}  {document.chunks:>5} chunks  {document.source}")
        if said := document.reading.told:
            click.echo(f"    {'WARNING: ' if document.reading.is_partial else ''}{said}")


def show_reviews(reviews: Sequence[Review]) -> None:
    for each in reviews:
        click.echo(f"{each.created_at:%Y-%m-%d %H:%M}  {each.rating:<4}  {_short(each.question)}")
        if each.comment:
            click.echo(_quoted(each.comment))


def show_unanswered(questions: Sequence[Unanswered]) -> None:
    for each in questions:
        click.echo(f"{each.day:%Y-%m-%d}  {each.times:>3}  {_short(each.question)}")


def show_found(found: Found) -> None:
    """A line for each kind of difference, also those of which there was none."""
    said = {
        "orphans": "points that nothing led to, removed",
        "missing": "points that the vector database had lost, to be embedded again",
        "not_embedded": "documents found by their words only, given a job",
        "without_job": "documents that could not be found and had no job, given one",
        "abandoned": "jobs whose worker had died, to be done again",
        "retired": "indexes of former models, dropped",
    }
    for name, number in asdict(found).items():
        click.echo(f"{number:>7}  {said[name]}")


def show_keys(keys: Sequence[ApiKey]) -> None:
    for key in keys:
        used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else ",".join(sorted(key.scopes))
        click.echo(f"{key.id}  {key.prefix}…  {state:<18}  made {key.created_at:%Y-%m-%d}  {used:<21}  {key.name}")


def summary(outcomes: Sequence[Outcome], skipped: int, seconds: float) -> str:
    """E.g. "2 files: 2 new, 0 changed, 0 unchanged, 0 failed; 41 chunks (30 embedded); 9 pages in 4 s (2 pages/s)"."""
    states = Counter(outcome.state for outcome in outcomes)
    counts = ", ".join(f"{states[state]} {state}" for state in ("new", "changed", "unchanged", "failed"))
    chunks, new, pages = (sum(getattr(each, name) for each in outcomes) for name in ("chunks", "new_chunks", "pages"))
    parts = [f"{_files(len(outcomes))}: {counts}", f"{chunks} chunks" + (f" ({new} embedded)" if pages else "")]
    took = f"in {seconds:.0f} s"
    parts.append(f"{pages} pages {took} ({pages / seconds:.1f} pages/s)" if pages else took)
    return "; ".join(parts) + (f"; {_files(skipped)} skipped" if skipped else "")


def _place(title: str, where: Citation | Chunk) -> str:
    """The title, with the page where the format has pages and the heading where it has none."""
    place = f"page {where.page}" if where.page else where.heading
    return f"{title}, {place}" if place and place != title else title


def _quoted(text: str) -> str:
    return textwrap.fill(f"“{' '.join(text.split())}”", WIDTH, initial_indent="    ", subsequent_indent="    ")


def _short(text: str) -> str:
    return textwrap.shorten(text, WIDTH, placeholder="…")


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
