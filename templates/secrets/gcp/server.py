"""A fake of Google Cloud Secret Manager on the wire, which the vendor's SDK talks to: for the tests of the secrets.

python -m services.gcp --port 8080 --data FOLDER

It answers one REST call, and only to tokens that are signed with the key of its service account.
"""

from __future__ import annotations

import argparse
import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMAND = "python -m services.gcp --port {port} --data {data}"
URL = "http://{host}:{port}"
READY = "/ready"
RESOURCE = "projects/lab/secrets/chatbot"
MISSING = {"GCP_SECRET": "projects/lab/secrets/nothing"}
ACCOUNT = "chatbot@lab.iam.gserviceaccount.com"


def prepare(url: str, folder: Path) -> list[dict[str, str]]:
    """The variables of the one way to log in: a service account's key, which default credentials find."""
    file, public = _account(folder / "account.json")
    _send(url, "/key", public)
    return [{"GCP_SECRET": RESOURCE, **at(url), "GOOGLE_APPLICATION_CREDENTIALS": str(file)}]


def put(url: str, values: dict[str, str]) -> None:
    _send(url, "/secret", json.dumps(values).encode())


def at(url: str) -> dict[str, str]:
    return {"GCP_ENDPOINT": url}


@contextmanager
def denied(url: str) -> Iterator[dict[str, str]]:
    """The key of an account that the fake does not know."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield {"GOOGLE_APPLICATION_CREDENTIALS": str(_account(Path(folder, "other.json"))[0])}


def _account(file: Path) -> tuple[Path, bytes]:
    """A service account's file, and the public half of its key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "lab", "client_email": ACCOUNT, "private_key_id": "1"}
    token_uri = "https://oauth2.googleapis.com/token"  # noqa: S105 - named by every such file, not used here
    file.write_text(json.dumps({**account, "private_key": private.decode(), "token_uri": token_uri}))
    return file, key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _send(url: str, path: str, body: bytes) -> None:
    request = urllib.request.Request(url + path, body, method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310


class Fake(BaseHTTPRequestHandler):
    kept: dict[str, bytes] = {}  # noqa: RUF012 - one store for all requests

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, {})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == READY:
            self._answer(200, {})
        elif not self._known():
            self._answer(403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "denied"}})
        elif path != f"/v1/{RESOURCE}/versions/latest:access":
            self._answer(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "not found"}})
        else:
            data = base64.b64encode(self.kept["/secret"]).decode()
            self._answer(200, {"name": f"{RESOURCE}/versions/1", "payload": {"data": data}})

    def _known(self) -> bool:
        from google.auth import jwt

        try:
            claims = jwt.decode(self.headers["Authorization"].removeprefix("Bearer "), certs=self.kept["/key"])
        except ValueError:
            return False
        return claims["iss"] == ACCOUNT

    def _answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *arguments: object) -> None: ...


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Fake).serve_forever()
