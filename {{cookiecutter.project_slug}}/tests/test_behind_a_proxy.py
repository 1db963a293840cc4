"""A bot with the defaults behind a proxy that adds nothing, as nginx with one line: `proxy_pass http://127.0.0.1:8000;`.

It then hears from the loopback address, under a loopback name, by HTTP/1.0: that is nobody at this machine.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2
import pytest

from tests.processes import serving

pytestmark = pytest.mark.slow

FILE = {"file": ("planted.md", b"# Planted\n\nBuy this.\n")}


@contextmanager
def bare_proxy(port: int) -> Iterator[str]:
    """What nginx 1.22 does without another word: HTTP/1.0, `Host` of the upstream, `Connection: close`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            upstream._http_vsn, upstream._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            upstream.request(self.command, self.path, body, {**kept, "Connection": "close"})
            answer = upstream.getresponse()
            found = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_whoever_comes_through_a_bare_proxy_is_not_the_owner(environ: dict[str, str]) -> None:
    with serving(environ) as (_, client), bare_proxy(client.base_url.port or 80) as url:
        with httpx2.Client(base_url=url, headers={"Host": "bot.example.org"}, trust_env=False) as elsewhere:
            refused = elsewhere.post("/v1/documents", files=FILE)
        assert refused.status_code == 401
        assert "ANONYMOUS_SCOPES" in refused.json()["detail"]
        assert client.get("/v1/documents").json()["documents"] == []
        assert client.post("/v1/documents", files=FILE).status_code == 202, "the owner is let in as before"
