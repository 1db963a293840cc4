"""A real OpenBao server, which speaks Vault's API, for the tests of the secrets: in memory, without seal."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import hvac

COMMAND = "bao server -dev -dev-root-token-id=root -dev-listen-address={host}:{port} -dev-no-store-token"
URL = "http://{host}:{port}"
READY = "/v1/sys/health"
UNUSED = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"
"""The certificate of an API server that is reached without TLS."""
POLICY = 'path "secret/data/chatbot" { capabilities = ["read"] }'


def prepare(url: str, folder: Path) -> list[dict[str, str]]:
    """Set up every way to log in; the variables of each, the first of them the usual one."""
    client = hvac.Client(url, token="root")  # noqa: S106
    client.sys.create_or_update_policy("chatbot", POLICY)
    token = client.auth.token.create(policies=["chatbot"])["auth"]["client_token"]
    client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle("chatbot", token_policies=["chatbot"])
    role = client.auth.approle.read_role_id("chatbot")["data"]["role_id"]
    secret = client.auth.approle.generate_secret_id("chatbot")["data"]["secret_id"]
    client.sys.enable_auth_method("kubernetes")
    client.auth.kubernetes.configure(
        _kubernetes(), kubernetes_ca_cert=UNUSED, token_reviewer_jwt=_jwt(), disable_local_ca_jwt=True
    )
    client.auth.kubernetes.create_role("chatbot", ["chatbot"], ["bots"], policies=["chatbot"])
    (folder / "token").write_text(_jwt())
    return [
        {"VAULT_ADDR": url, "VAULT_TOKEN": token},
        {"VAULT_ADDR": url, "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret},
        {"VAULT_ADDR": url, "VAULT_KUBERNETES_ROLE": "chatbot", "VAULT_KUBERNETES_TOKEN": str(folder / "token")},
    ]


def put(url: str, values: dict[str, str]) -> None:
    hvac.Client(url, token="root").secrets.kv.v2.create_or_update_secret("chatbot", values)  # noqa: S106


def at(url: str) -> dict[str, str]:
    return {"VAULT_ADDR": url}


MISSING = {"VAULT_MOUNT": "secret", "VAULT_PATH": "chatbot/nothing"}


@contextmanager
def denied(url: str) -> Iterator[dict[str, str]]:
    """A login that may not read the document."""
    created = hvac.Client(url, token="root").auth.token.create(policies=["default"])  # noqa: S106
    yield {"VAULT_TOKEN": created["auth"]["client_token"]}


def _kubernetes() -> str:
    """What OpenBao asks of a Kubernetes API server: whose token is this?"""

    class Reviewer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            user = {"username": "system:serviceaccount:bots:chatbot", "uid": "1", "groups": []}
            status = {"authenticated": True, "user": user}
            body = json.dumps({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status})
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Reviewer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _jwt() -> str:
    """A service account's token, as far as OpenBao itself looks at it."""
    account = {"namespace": "bots", "serviceaccount": {"name": "chatbot", "uid": "1"}}
    claims = {"iss": "kubernetes", "sub": "system:serviceaccount:bots:chatbot", "kubernetes.io": account}
    parts = [{"alg": "RS256", "typ": "JWT"}, {**claims, "exp": 4102444800, "iat": 1700000000, "nbf": 1700000000}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, base64.urlsafe_b64encode(b"signature" * 28).rstrip(b"=").decode()])
