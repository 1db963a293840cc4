"""A tiny OpenAI-compatible server on the loopback, which says what a test tells it to."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeOpenAI:
    """Streams `pieces`, or what `write` makes of a request, `pause` seconds apart, the first after `delay`; requests
    are kept. `statuses` other than 200 are answered as errors, one a request, the last for ever. With `cut`, the
    connection breaks after so many pieces. `left` is set when a client closes its connection in the midst. Embeddings
    take `thinking` seconds."""

    def __init__(self) -> None:
        self.statuses, self.pieces, self.url = [200], ["In ", "1991 [1]."], ""
        self.write: Callable[[dict[str, Any]], list[str]] | None = None
        self.pause = self.delay = self.thinking = 0.0
        self.cut: int | None = None
        self.finish = "stop"
        self.usage = True
        self.left = threading.Event()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.pings = 0

    @property
    def status(self) -> int:
        return self.statuses[0]

    @status.setter
    def status(self, status: int) -> None:
        self.statuses = [status]

    def embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        data = [{"object": "embedding", "index": i, "embedding": [3.0, 4.0]} for i in range(len(body["input"]))]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}

    def chunks(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
        yield {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
        for piece in self.write(body) if self.write else self.pieces:
            yield {**chunk, "choices": [{"index": 0, "delta": {"content": piece}}]}
        yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": self.finish}]}
        if self.usage:
            usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
            yield {**chunk, "choices": [], "usage": usage}


@contextmanager
def running() -> Iterator[FakeOpenAI]:
    fake = FakeOpenAI()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """What it knows of a model; counted, not kept as a request."""
            fake.pings += 1
            model = {"id": self.path.rpartition("/")[2], "object": "model", "created": 0, "owned_by": "test"}
            self.reply(fake.status, json.dumps(model).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.requests.append(body)
            fake.keys.append(self.headers["Authorization"])
            status = fake.statuses.pop(0) if len(fake.statuses) > 1 else fake.status
            if status != 200:
                self.reply(status, b"{}")
            elif self.path.endswith("/embeddings"):
                time.sleep(fake.thinking)
                self.reply(status, json.dumps(fake.embeddings(body)).encode())
            else:
                self.stream(body)

        def reply(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            with suppress(ConnectionError):  # a client that was killed
                self.end_headers()
                self.wfile.write(content)

        def stream(self, body: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            if fake.cut is not None:
                self.send_header("Content-Length", "1000000")  # so that the end is known to come too early
            self.end_headers()
            with suppress(ConnectionError):
                self.pour(body)

        def pour(self, body: dict[str, Any]) -> None:
            for number, chunk in enumerate(fake.chunks(body)):
                if fake.cut is not None and number > fake.cut:
                    return
                if number and not self.still_there(fake.delay if number == 1 else fake.pause):
                    fake.left.set()
                    return
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def still_there(self, seconds: float) -> bool:
            """Wait, unless the client closes its end before."""
            until = time.monotonic() + seconds
            while (remaining := until - time.monotonic()) > 0:
                if select.select([self.connection], [], [], remaining)[0]:
                    return False
            return True

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
