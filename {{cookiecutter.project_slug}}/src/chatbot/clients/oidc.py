"""Bearer tokens of an OpenID Connect provider: signed JWTs, checked with the keys that the provider publishes.

    issuer = connect("https://login.example.org", "chatbot", Granted("scope", "", frozenset({"ask"})))
    caller = await issuer.caller(token)        # raises InvalidToken, or Unavailable when the keys cannot be had

PyJWT checks them: the most used library for it, well kept, with one dependency; its own key client is left out, since
it blocks, and asks the provider for every unknown key id. Only signatures with the provider's private key count: no
`none`, and no HS*, for which the published key would do. Who it is becomes a hash: no name and no address is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from chatbot.clients import http
from chatbot.domain import Caller, InvalidConfiguration, InvalidToken, Scope, Unavailable

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
REQUIRED = ["exp", "iss", "aud", "sub"]
LEEWAY = 30
"""Seconds by which clocks may differ."""
TIMEOUT = 5
"""Seconds for the provider to answer."""
FRESH = 3600.0
"""Seconds for which published keys are used without a look for new ones."""
PAUSE = 30.0
"""Seconds between two looks at least, whatever key ids tokens name."""
RETRY = 2.0
"""The same while there are no keys at all."""

Keys = dict[str | None, tuple[Any, list[str]]]
"""Key id -> public key, and the algorithms it may be used with."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token allows: the scopes in its claim, each after a prefix, and those that every user has."""

    claim: str
    """A name, or names with dots between for a claim within claims."""
    prefix: str
    everyone: frozenset[Scope]

    def to(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        value: Any = claims.get(self.claim)
        if value is None:
            value = claims
            for name in self.claim.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
        listed = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        known = {f"{self.prefix}{scope}": scope for scope in get_args(Scope)}
        return self.everyone | {cast(Scope, known[each]) for each in listed if isinstance(each, str) and each in known}


def connect(issuer: str, audience: str, granted: Granted) -> Issuer | None:
    """Opens nothing: the first token does. None without an issuer."""
    return Issuer(issuer, audience, granted) if issuer else None


class Issuer:
    def __init__(self, issuer: str, audience: str, granted: Granted) -> None:
        self._issuer, self._audience, self._granted = issuer, audience, granted
        self._keys: Keys = {}
        self._looked = self._found = -math.inf
        """When the provider was asked, and when it last answered."""
        self._looking = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    async def caller(self, token: str) -> Caller:
        """Whose token it is."""
        import jwt  # some 0.1 s once, and only where there is a provider

        try:
            header = jwt.get_unverified_header(token)
            key, algorithms = await self._key(header.get("kid"))
            claims = jwt.decode(
                token,
                key=key,
                algorithms=algorithms,
                options={"require": REQUIRED},
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
            )
            if not claims["sub"]:
                raise ValueError("whose token is it?")
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            logger.info("token refused", extra={"reason": type(error).__name__})
            raise InvalidToken("The token is not one that the identity provider made for this bot.") from None
        # Not the subject itself, which may be a name; the issuer is in it, since subjects are unique only there.
        subject = hashlib.sha256(f"{self._issuer}\n{claims['sub']}".encode()).hexdigest()
        return Caller(f"user:{subject[:32]}", self._granted.to(claims))

    async def _key(self, id: str | None) -> tuple[Any, list[str]]:
        """The published key of that id; a token without an id means the only one."""
        if id not in self._keys:
            await self._renew(lambda: id not in self._keys)
        elif self._stale():
            self._renew_later()
        if not self._keys:
            raise _down()
        key = next(iter(self._keys.values())) if id is None and len(self._keys) == 1 else self._keys.get(id)
        if key is None:
            raise InvalidToken("The token is signed with a key that the identity provider does not publish.")
        return key

    def _stale(self) -> bool:
        return time.monotonic() - self._found > FRESH

    async def _renew(self, needed: Callable[[], bool]) -> None:
        """Ask the provider, unless somebody did a moment ago."""
        async with self._looking:  # or wait for whoever looks already
            pause = PAUSE if self._keys else RETRY
            if needed() and time.monotonic() - self._looked > pause:
                await self._look()

    def _renew_later(self) -> None:
        """In the background: who has a token with a key that is known does not wait for a provider that is silent."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(self._stale))

    async def _look(self) -> None:
        """Take over the keys that are published now; when they cannot be had the former ones stay."""
        import httpx2

        self._looked = time.monotonic()
        try:
            async with http.client(timeout=TIMEOUT) as client:
                configuration = await _json(client, f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                address = str(configuration["jwks_uri"])
                if configuration["issuer"] != self._issuer or _scheme(address) != _scheme(self._issuer):
                    raise ValueError("another issuer's configuration")
                published = await _json(client, address)
            self._keys = await asyncio.to_thread(_usable, published)
            self._found = time.monotonic()
        except (InvalidConfiguration, httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError) as error:
            logger.warning("no keys from the identity provider", extra={"reason": type(error).__name__})


async def _json(client: Any, url: str) -> dict[str, Any]:
    response = await client.get(url)
    found = response.raise_for_status().json()
    if not isinstance(found, dict):
        raise TypeError
    return found


def _usable(published: Mapping[str, Any]) -> Keys:
    """The keys to check signatures with, by their id. In a thread, since numbers as long take their time."""
    import jwt

    keys: Keys = {}
    for each in published["keys"]:
        try:
            algorithms = [each["alg"]] if "alg" in each else ALGORITHMS
            if each.get("use", "sig") == "sig" and each["kty"] != "oct" and {*algorithms} <= {*ALGORITHMS}:
                keys[each.get("kid")] = jwt.PyJWK(each).key, algorithms
        except (jwt.PyJWTError, AttributeError, KeyError, ValueError, TypeError):
            continue  # a kind of key that is not known here
    if not keys:
        raise ValueError("no key")
    return keys


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _down() -> Unavailable:
    return Unavailable("The identity provider", "check OIDC_ISSUER and that it can be reached from here.")
