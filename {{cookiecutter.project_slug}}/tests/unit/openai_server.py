"""A tiny OpenAI-compatible server on the loopback, which says what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeOpenAI:
    """`status` other than 200 is answered as an error; `pieces` are streamed; requests are kept."""

    def __init__(self) -> None:
        self.status, self.pieces, self.url = 200, ["In ", "1991 [1]."], ""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []

    def reply(self, path: str, body: dict[str, Any]) -> tuple[str, bytes]:
        if path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": i, "embedding": [3.0, 4.0]} for i in range(len(body["input"]))]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            reply = {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}
            return "application/json", json.dumps(reply).encode()
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
        chunks = [{**chunk, "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in self.pieces]
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        chunks.append({**chunk, "choices": [], "usage": usage})
        lines = [f"data: {json.dumps(each)}\n\n" for each in chunks]
        return "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()


@contextmanager
def running() -> Iterator[FakeOpenAI]:
    fake = FakeOpenAI()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.requests.append(body)
            fake.keys.append(self.headers["Authorization"])
            kind, content = fake.reply(self.path, body) if fake.status == 200 else ("application/json", b"{}")
            self.send_response(fake.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-should-retry", "false")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
