"""VI. Processes: what one knows, all know; nothing is kept in memory or on the disk of the project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chatbot.settings import home
from tests.processes import chatbot, serving, until

OTHERS = {".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".services", ".venv", "__pycache__"}


def snapshot() -> dict[Path, int]:
    """The files of the project and when they were written, without those of tools and of the services."""
    files = (path for path in home().rglob("*") if not OTHERS & set(path.parts) and path.is_file())
    return {path: path.stat().st_mtime_ns for path in files}


def test_what_one_process_took_another_one_serves_and_nothing_is_written(environ: Mapping[str, str]) -> None:
    before = snapshot()
    with (
        chatbot("worker", environ=environ) as worker,
        serving(environ) as (web, first),
        serving(environ) as (_, second),
    ):
        file = {"file": ("sixth.md", b"# Sixth\n\nA kestrel hovers above the meadow.\n")}
        id = first.post("/v1/documents", files=file).json()["document"]["id"]
        until(lambda: second.get(f"/v1/documents/{id}").json()["chunks"])
        assert second.post("/v1/chat", json={"question": "What hovers above the meadow?"}).json()["grounded"]
        assert [*worker.cwd.iterdir(), *web.cwd.iterdir()] == []
    assert snapshot() == before
