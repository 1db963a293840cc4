"""A fake of Azure Key Vault and of a managed identity on the wire, which the vendor's SDK talks to: for the tests.

python -m services.azure --port 8443 --data FOLDER

Key Vault speaks TLS, with a certificate made here, on `port`; the identity's endpoint is plain HTTP on the port after.
"""

from __future__ import annotations

import argparse
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

COMMAND = "python -m services.azure --port {port} --tls {spare} --data {data}"
URL = "http://{host}:{port}"
READY = "/ready"
MISSING = {"AZURE_SECRET_NAME": "nothing"}
HEADER = "identity-header"
TOKENS = {HEADER: "token-of-the-bot", "other": "token-of-another"}


def prepare(url: str, folder: Path) -> list[dict[str, str]]:
    """The variables of the one way to log in: the managed identity of an App Service, a link of the default chain."""
    found = json.loads(urllib.request.urlopen(f"{url}/about", timeout=5).read())  # noqa: S310
    identity = {"IDENTITY_ENDPOINT": f"{url}/msi/token", "IDENTITY_HEADER": HEADER}
    return [{"AZURE_KEY_VAULT_URL": found["vault"], "REQUESTS_CA_BUNDLE": found["certificate"], **identity}]


def put(url: str, values: dict[str, str]) -> None:
    request = urllib.request.Request(f"{url}/secret", json.dumps(values).encode(), method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310


def at(url: str) -> dict[str, str]:
    return {"AZURE_KEY_VAULT_URL": url.replace("http://", "https://")}


@contextmanager
def denied(url: str) -> Iterator[dict[str, str]]:
    """An identity that may not read secrets."""
    yield {"IDENTITY_HEADER": "other"}


class Fake(BaseHTTPRequestHandler):
    kept: dict[str, Any] = {}  # noqa: RUF012 - one store for all requests
    about: dict[str, str] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        self.kept["secret"] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(200, {})

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path in (READY, "/about"):
            self._answer(200, self.about)
        elif asked.path == "/msi/token":
            self._token(parse_qs(asked.query))
        else:
            self._secret(asked.path, parse_qs(asked.query))

    def _token(self, query: dict[str, list[str]]) -> None:
        assert query["api-version"] == ["2019-08-01"]
        token = TOKENS[self.headers["X-IDENTITY-HEADER"]]
        resource = query["resource"][0]
        expires = str(int(time.time()) + 3600)
        self._answer(200, {"access_token": token, "expires_on": expires, "resource": resource, "token_type": "Bearer"})

    def _secret(self, path: str, query: dict[str, list[str]]) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            # The SDK takes a challenge only if its resource is the vault's parent domain, here that of 127.0.0.1.
            resource = f"https://0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            challenge = f'Bearer authorization="https://login.microsoftonline.com/lab", resource="{resource}"'
            self._answer(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge})
        elif token != TOKENS[HEADER] or not query.get("api-version"):
            self._answer(403, {"error": {"code": "Forbidden", "message": "denied"}})
        elif path.rstrip("/") != "/secrets/chatbot":
            self._answer(404, {"error": {"code": "SecretNotFound", "message": "not found"}})
        else:
            self._answer(200, {"value": self.kept["secret"], "id": f"{self.about['vault']}/secrets/chatbot/1"})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *arguments: object) -> None: ...


def _certificate(file: Path) -> None:
    """A certificate for 127.0.0.1 and its key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    _certificate(options.data / "certificate.pem")
    Fake.about = {
        "vault": f"https://127.0.0.1:{options.tls}",
        "certificate": str((options.data / "certificate.pem").resolve()),
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.data / "certificate.pem")
    vault = ThreadingHTTPServer(("127.0.0.1", options.tls), Fake)
    vault.socket = context.wrap_socket(vault.socket, server_side=True)
    threading.Thread(target=vault.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", options.port), Fake).serve_forever()
