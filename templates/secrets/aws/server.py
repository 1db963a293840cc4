"""The emulator moto, for the tests of the secrets in AWS Secrets Manager."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = "moto_server --host 127.0.0.1 --port {port}"
URL = "http://{host}:{port}"
READY = "/moto-api/"
REGION = "eu-west-3"
OPEN, CLOSED = "1000000000", "0"
"""Calls that moto lets through before it looks at credentials."""
MISSING = {"AWS_SECRET_ID": "nothing"}


def prepare(url: str, folder: Path) -> list[dict[str, str]]:
    """The variables of the one way to log in: the SDK's own."""
    _check_after(url, OPEN)
    credentials = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    return [{"AWS_SECRET_ID": "chatbot", "AWS_REGION": REGION, **at(url), **credentials}]


def put(url: str, values: dict[str, str]) -> None:
    client = _client(url)
    if not client.list_secrets()["SecretList"]:
        client.create_secret(Name="chatbot")
    client.put_secret_value(SecretId="chatbot", SecretString=json.dumps(values))


def at(url: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": url}


@contextmanager
def denied(url: str) -> Iterator[dict[str, str]]:
    """Credentials that nobody gave out."""
    _check_after(url, CLOSED)
    try:
        yield {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}
    finally:
        _check_after(url, OPEN)


def _client(url: str) -> Any:
    import boto3

    return boto3.session.Session("test", "test", region_name=REGION).client("secretsmanager", endpoint_url=url)


def _check_after(url: str, calls: str) -> None:
    plain = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", calls.encode(), plain, method="POST")  # noqa: S310
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
