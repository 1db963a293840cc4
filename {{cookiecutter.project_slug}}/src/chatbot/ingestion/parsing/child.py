"""Reads one file for sandbox.py, as a process of its own, within the limits that it is given.

On stdin comes a line of JSON (name, memory, seconds, drawing_seconds, and draw where a page is to be drawn), then the
file. On stdout goes an empty line as soon as the limits are set, then a line of JSON: the parsed document or the
picture, or why there is none. Data only: what is not JSON is never executed.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

from chatbot.domain import NotFound, UnreadableDocument
from chatbot.ingestion.parsing import drawing_time, ocr, pdf_page
from chatbot.ingestion.parsing.confine import confine
from chatbot.ingestion.parsing.parse import parse, prepare

TOO_DEEP = "nested too deeply"
TOO_LARGE = "out of memory"


def main() -> None:
    answers = _own_stdout()
    order = json.loads(sys.stdin.buffer.readline())
    _limit(order["memory"], order["seconds"], order["drawing_seconds"])
    drawing_time.allow(order["drawing_seconds"])
    prepare(order["name"])
    program = ocr.is_installed()
    confine(sys.path, [program] if program else [])
    answers.write(b"\n")
    answers.flush()
    answer = _answer(sys.stdin.buffer.read(), order["name"], order.get("draw"))
    answers.write(json.dumps(answer, ensure_ascii=False).encode(errors="replace"))
    answers.close()


def _own_stdout() -> BinaryIO:
    """The pipe to the parent, kept from whatever a library may print."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _limit(memory: int, seconds: int, drawing_seconds: int) -> None:
    """Memory in bytes and processor time in seconds, with more for drawing (see drawing_time.py); no core file, no file
    written. Windows knows none of these."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_AS: (memory, memory),
        resource.RLIMIT_CPU: (seconds, seconds + drawing_seconds + 1),  # SIGXCPU, which tells the parent what it was
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
    }
    for limit, values in wanted.items():
        with suppress(ValueError, OSError):  # the platform has a lower one, or knows none
            resource.setrlimit(limit, values)


def _answer(content: bytes, name: str, page: dict[str, Any] | None) -> dict[str, Any]:
    """`page`: which one to draw, by its number and the quote to mark; None: read the file."""
    try:
        if page:
            return {"picture": b64encode(pdf_page.draw(content, name, **page)).decode()}
        return {"parsed": asdict(parse(content, name))}
    except UnreadableDocument as error:
        return {"refused": str(error)}
    except NotFound as error:
        return {"absent": str(error)}
    except MemoryError:
        return {"failed": TOO_LARGE}
    except RecursionError:
        return {"failed": TOO_DEEP}
    except Exception as error:
        return {"failed": type(error).__name__}


if __name__ == "__main__":
    main()
