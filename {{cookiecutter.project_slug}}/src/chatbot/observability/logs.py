"""Logs: one JSON object a line on stdout, from our own code and from every library (factor XI).

    configure_logging("INFO")
    logger.info("indexed", extra={"chunks": 3})
    {"time": "2026-11-03T09:30:00.123Z", "level": "INFO", "logger": "chatbot.jobs", "message": "indexed", "chunks": 3}

Questions, documents and secrets never reach a log: exceptions are written as their type and where they were raised,
without the message, which may quote the data at hand; and libraries stay at INFO, since DEBUG shows whole requests.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from chatbot.domain import ChatbotError

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The HTTP request at hand; each line logged meanwhile carries it."""

job_id: ContextVar[str | None] = ContextVar("job_id", default=None)
"""The job at hand, likewise."""


@contextmanager
def about_job(id: str, request: str | None) -> Iterator[None]:
    """Lines logged meanwhile carry the job, and the request that it was made for."""
    job, made_for = job_id.set(id), request_id.set(request)
    try:
        yield
    finally:
        job_id.reset(job)
        request_id.reset(made_for)


CHATTY = ("httpx", "httpx2")
"""Loggers that write the URL of every request at INFO; a URL may hold a key."""


def configure_logging(level: str) -> None:
    """Send everything to stdout as JSON, and nothing anywhere else. May be called again."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.INFO))
    logging.getLogger("chatbot").setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class _Formatter(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(reserved_attrs=[*RESERVED_ATTRS, "color_message"], rename_fields={"exc_info": "exception"})

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        moment = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)
        for name, variable in (("request_id", request_id), ("job_id", job_id)):
            if value := variable.get():
                log_data[name] = value

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Types and frames of the exception and its causes, the first cause first, without their messages."""
        return "\n".join(_lines(ei[1])) if ei[1] else ""


def _lines(error: BaseException) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier:
        yield from _lines(earlier)
    for part in getattr(error, "exceptions", ()):
        yield from _lines(part)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"
    yield _name(error)


def _name(error: BaseException) -> str:
    """The type; with the message only where that is a sentence of ours, meant to be shown."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}: {error}" if isinstance(error, ChatbotError) else name
