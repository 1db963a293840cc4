"""Logs: every line JSON, with its context, without what must stay private."""

from __future__ import annotations

import json
import logging
import warnings
from typing import Any

import pytest

from chatbot.domain import Unavailable
from chatbot.observability.logs import configure_logging, job_id, request_id

pytestmark = pytest.mark.usefixtures("_logging_restored")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.err == ""
    return [json.loads(line) for line in captured.out.splitlines()]


def test_line_has_time_level_logger_message_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    logging.getLogger("chatbot.jobs.worker").info("indexed %s", "it", extra={"chunks": 12})
    [line] = lines(capsys)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "INFO", "logger": "chatbot.jobs.worker", "message": "indexed it", "chunks": 12}


def test_configuring_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    configure_logging("INFO")
    logging.getLogger("uvicorn.error").info("started", extra={"color_message": "\033[1mstarted"})
    [line] = lines(capsys)
    assert line["message"] == "started"
    assert "color_message" not in line


def test_context_is_added_while_it_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    request, job = request_id.set("r1"), job_id.set("j1")
    logging.info("within")
    request_id.reset(request)
    job_id.reset(job)
    logging.info("outside")
    within, outside = lines(capsys)
    assert (within["request_id"], within["job_id"]) == ("r1", "j1")
    assert not {"request_id", "job_id"} & outside.keys()


def test_exception_is_one_line_of_types_and_frames_without_messages(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    try:
        try:
            raise ExceptionGroup("of a private question", [KeyError("private word")])
        except ExceptionGroup as error:
            raise ValueError("a private question") from error
    except ValueError:
        logging.getLogger("chatbot").exception("failed")
    [line] = lines(capsys)
    assert "private" not in json.dumps(line)
    order = [line["exception"].index(name) for name in ("KeyError", "ExceptionGroup", "ValueError")]
    assert order == sorted(order)
    assert "test_telemetry.py:" in line["exception"]


def test_our_own_sentences_are_kept_in_exceptions(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    logging.error("failed", exc_info=Unavailable("PostgreSQL", "start it"))
    assert lines(capsys)[0]["exception"].endswith("Unavailable: PostgreSQL does not answer: start it")


def test_warnings_are_captured(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", UserWarning, stacklevel=1)
    [line] = lines(capsys)
    assert (line["level"], line["logger"]) == ("WARNING", "py.warnings")


def test_debug_is_for_our_code_not_for_libraries_that_write_requests(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    logging.getLogger("chatbot.rag").debug("ours")
    logging.getLogger("openai").debug("Request options: a private question")
    logging.getLogger("httpx2").info("HTTP Request: POST https://host/?key=secret")
    assert [line["message"] for line in lines(capsys)] == ["ours"]
