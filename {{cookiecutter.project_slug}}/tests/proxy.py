"""A TCP proxy between a process and a resource, so that a test can cut the one off from the other.

with Proxy(url) as proxy:
    proxy.url           in place of the resource's own
    proxy.refuse()      connections break, and new ones are refused: the server died
    proxy.silence()     connections stay, and nothing passes: the network or the server hangs
    proxy.restore()
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

PIECE = 65536


class Proxy:
    """The way to the server that `url` names."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._passing = threading.Event()
        self._sockets = set[socket.socket]()
        self._listener: socket.socket | None = None
        self._port = 0

    @property
    def url(self) -> str:
        user = self._url.netloc.rpartition("@")[0]
        at = f"{user}@127.0.0.1:{self._port}" if user else f"127.0.0.1:{self._port}"
        return self._url._replace(netloc=at, query="" if self._folder else self._url.query).geturl()

    def __enter__(self) -> Proxy:
        self.restore()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.refuse()

    def restore(self) -> None:
        self._passing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._port))
            self._port = self._listener.getsockname()[1]
            threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        listener, self._listener = self._listener, None
        for each in (listener, *self._sockets):
            if each is not None:
                _shut(each)
        if listener is not None:
            listener.close()
        self._sockets.clear()
        self._passing.set()

    def silence(self) -> None:
        self._passing.clear()

    @property
    def _folder(self) -> str:
        """Where the Unix socket is, for a PostgreSQL of services/."""
        return parse_qs(self._url.query).get("host", [""])[0]

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):  # closed
            while True:
                client = listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, self._connect() as server:
            both = {client, server}
            self._sockets |= both
            back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            back.start()
            self._pass(client, server)
            back.join()
            self._sockets -= both

    def _connect(self) -> socket.socket:
        if not self._folder:
            return socket.create_connection((self._url.hostname or "", self._url.port or 0))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._folder}/.s.PGSQL.{self._url.port or 5432}")
        return server

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        """Until one side ends; in a silence, later."""
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._passing.wait()
                target.sendall(piece)
        self._passing.wait()
        for each in (source, target):
            _shut(each)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
