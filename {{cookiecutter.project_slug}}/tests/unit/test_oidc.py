"""Tokens of an identity provider: a small one that the test runs itself, with keys that the test makes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chatbot.clients import oidc
from chatbot.clients.oidc import Granted
from chatbot.domain import InvalidToken, Unavailable
from tests.processes import python

pytestmark = pytest.mark.slow

RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ASK = frozenset({"ask"})


class Provider:
    """Publishes `keys`, and counts how often it was asked for them."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public(RSA_KEY, "one")]
        self.asked = 0
        self.down = False
        self.issuer_said: str | None = None
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/realm"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        documents = {
            "/realm/.well-known/openid-configuration": {
                "issuer": self.issuer_said or self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
            },
            "/realm/keys": {"keys": self.keys},
        }
        self.asked += handler.path == "/realm/keys"
        body = json.dumps(documents.get(handler.path, {})).encode()
        handler.send_response(500 if self.down else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def token(self, key: Any = RSA_KEY, id: str | None = "one", algorithm: str = "RS256", **claims: Any) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": "chatbot", "sub": "marie@example.org", "iat": now, "exp": now + 60}
        given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(given, key, algorithm, headers={"kid": id} if id else {})


def public(key: Any, id: str | None, **more: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), **({"kid": id} if id else {}), **more}


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, args=(0.02,))
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join()
    provider.server.server_close()


def issuer(provider: Provider, **granted: Any) -> oidc.Issuer:
    found = oidc.connect(
        provider.issuer, "chatbot", Granted(**{"claim": "scope", "prefix": "", "everyone": ASK, **granted})
    )
    assert found
    return found


async def test_a_good_token_is_a_caller_without_a_name(provider: Provider) -> None:
    caller = await issuer(provider).caller(provider.token())
    assert caller.id.startswith("user:")
    assert "marie" not in caller.id
    assert caller.scopes == ASK
    again = await issuer(provider).caller(provider.token())
    other = await issuer(provider).caller(provider.token(sub="paul"))
    assert again.id == caller.id != other.id


@pytest.mark.parametrize(
    ("granted", "claims", "scopes"),
    [
        ({}, {"scope": "openid ingest"}, {"ask", "ingest"}),
        ({"everyone": frozenset()}, {}, set()),
        ({"prefix": "bot:"}, {"scope": "bot:admin ingest"}, {"ask", "admin"}),
        ({"claim": "roles"}, {"roles": ["ingest", 7, None]}, {"ask", "ingest"}),
        ({"claim": "realm_access.roles"}, {"realm_access": {"roles": ["admin"]}}, {"ask", "admin"}),
        ({"claim": "https://example.org/scopes"}, {"https://example.org/scopes": ["admin"]}, {"ask", "admin"}),
        ({"claim": "realm_access.roles"}, {"realm_access": "admin"}, {"ask"}),
        ({}, {"scope": {"admin": True}}, {"ask"}),
    ],
)
async def test_scopes_come_from_the_claim(provider: Provider, granted: Any, claims: Any, scopes: set[str]) -> None:
    caller = await issuer(provider, **granted).caller(provider.token(**claims))
    assert caller.scopes == scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
async def test_a_claim_that_is_missing_or_wrong_refuses(provider: Provider, claims: Any) -> None:
    with pytest.raises(InvalidToken) as refused:
        await issuer(provider).caller(provider.token(**claims))
    assert "marie" not in str(refused.value)


def unsigned(provider: Provider) -> str:
    _, payload, _ = provider.token().split(".")
    return f"{encoded({'alg': 'none', 'kid': 'one'})}.{payload}."


def signed_with_the_public_key(provider: Provider) -> str:
    """HS256 with what everybody knows: the classic confusion."""
    payload = provider.token().split(".")[1]
    text = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{payload}"
    secret = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def changed(provider: Provider) -> str:
    header, payload, signature = provider.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{encoded({**claims, 'scope': 'admin'})}.{signature}"


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        signed_with_the_public_key,
        changed,
        lambda provider: provider.token(OTHER_KEY),
        lambda provider: provider.token(EC_KEY, algorithm="ES256"),
        lambda provider: provider.token(id="unknown"),
        lambda provider: "a.b.c",
        lambda provider: "",
        lambda provider: "é" * 100,
        lambda provider: encoded({"alg": "RS256", "kid": ["one"]}) + ".e30.AA",
    ],
)
async def test_a_forged_token_is_refused(provider: Provider, make: Any) -> None:
    with pytest.raises(InvalidToken):
        await issuer(provider).caller(make(provider))


async def test_a_key_is_used_with_its_own_algorithm_only(provider: Provider) -> None:
    provider.keys = [public(RSA_KEY, "one", alg="RS256"), public(EC_KEY, "two"), {"kty": "strange", "kid": "three"}]
    found = issuer(provider)
    await found.caller(provider.token())
    await found.caller(provider.token(EC_KEY, "two", "ES256"))
    with pytest.raises(InvalidToken):
        await found.caller(provider.token(algorithm="RS512"))


async def test_a_secret_or_an_encryption_key_is_never_used(provider: Provider) -> None:
    secret = {"kty": "oct", "kid": "one", "k": encoded("secret" * 8), "alg": "HS256"}
    provider.keys = [secret, public(OTHER_KEY, "enc", use="enc"), public(EC_KEY, "two")]
    with pytest.raises(InvalidToken):
        await issuer(provider).caller(provider.token(b"secret" * 8, "one", "HS256"))
    with pytest.raises(InvalidToken):
        await issuer(provider).caller(provider.token(OTHER_KEY, "enc"))


async def test_the_keys_are_fetched_once_and_again_for_a_new_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = issuer(provider)
    await asyncio.gather(*[found.caller(provider.token()) for _ in range(10)])
    assert provider.asked == 1
    provider.keys = [public(OTHER_KEY, "next")]
    for _ in range(20):
        with pytest.raises(InvalidToken):
            await found.caller(provider.token(OTHER_KEY, "next"))
    assert provider.asked == 1  # not for each unknown id
    monkeypatch.setattr(oidc, "PAUSE", 0)
    await found.caller(provider.token(OTHER_KEY, "next"))
    with pytest.raises(InvalidToken):
        await found.caller(provider.token())
    assert provider.asked == 3


async def test_a_key_without_an_id(provider: Provider) -> None:
    provider.keys = [public(RSA_KEY, None)]
    await issuer(provider).caller(provider.token(id=None))


async def test_known_keys_outlast_an_outage(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    found = issuer(provider)
    await found.caller(provider.token())
    provider.down = True
    monkeypatch.setattr(oidc, "FRESH", 0)
    monkeypatch.setattr(oidc, "PAUSE", 0)
    await found.caller(provider.token())


async def test_who_has_a_known_key_does_not_wait_for_a_silent_provider(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, silent = issuer(provider), asyncio.Event()
    await found.caller(provider.token())

    async def look() -> None:
        await silent.wait()

    monkeypatch.setattr(oidc, "FRESH", 0)
    monkeypatch.setattr(oidc, "PAUSE", 0)
    monkeypatch.setattr(found, "_look", look)
    async with asyncio.timeout(10):
        for _ in range(3):
            await found.caller(provider.token())
    assert found._renewing is not None
    assert not found._renewing.done(), "new keys are looked for meanwhile"
    silent.set()
    await found._renewing


async def test_without_keys_it_is_an_outage_until_they_can_be_had(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = issuer(provider)
    provider.down = True
    with pytest.raises(Unavailable, match="OIDC_ISSUER"):
        await found.caller(provider.token())
    provider.down = False
    monkeypatch.setattr(oidc, "RETRY", 0)
    await found.caller(provider.token())


async def test_another_issuers_configuration_is_not_believed(provider: Provider) -> None:
    provider.issuer_said = "https://evil.example"
    with pytest.raises(Unavailable):
        await issuer(provider).caller(provider.token())


@pytest.mark.slow
def test_nothing_is_imported_without_a_provider() -> None:
    assert oidc.connect("", "", Granted("scope", "", ASK)) is None
    code = "import sys, chatbot.web.app; print({'jwt', 'cryptography'} & {*sys.modules})"
    assert python(code) == "set()"
