"""The client of an OpenAI-compatible API, and its errors in the words of the domain. The only importer of its SDK."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatbot.clients import http
from chatbot.domain import InvalidConfiguration, Unavailable

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

RETRIES = 1
CONNECT = 5.0
"""Seconds to reach the server."""


def load() -> None:
    """Import the SDK, which takes a second or two: for a thread, before the first call of `client`."""
    importlib.import_module("openai")


def client(url: str, api_key: str, timeout: float, retries: int = RETRIES) -> AsyncOpenAI:
    """Opens nothing; `timeout` in seconds. A server that wants no key is given a placeholder. InvalidConfiguration."""
    import httpx2
    from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI

    limits = httpx2.Timeout(timeout, connect=min(CONNECT, timeout))
    # The SDK's own client would leave a half-made one behind where a variable of the machine cannot be used.
    connections = http.client(timeout=limits, limits=DEFAULT_CONNECTION_LIMITS, follow_redirects=True)
    key = api_key or "none"
    return AsyncOpenAI(base_url=url, api_key=key, timeout=limits, max_retries=retries, http_client=connections)


async def chunks(client: AsyncOpenAI, body: dict[str, Any]) -> AsyncStream[Any]:
    """A chat completion as it comes, in plain dictionaries: to make the SDK's objects of them would take longer than
    all else that is done with them."""
    from openai import AsyncStream

    stream = AsyncStream[Any]
    return await client.post("/chat/completions", cast_to=object, body=body, stream=True, stream_cls=stream)


@contextmanager
def unavailable(resource: str, variable: str) -> Iterator[None]:
    """Turn the SDK's errors into Unavailable, with what to look at: `variable` is LLM or EMBEDDINGS."""
    try:
        yield
    except Exception as error:
        if found := failure(error, variable):
            raise Unavailable(resource, found.advice) from None
        raise


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed: what to look at; whether it may pass by itself; whether asking again at once may help; and
    whether the server merely does not know what was asked for."""

    advice: str
    passing: bool = True
    again: bool = False
    unknown: bool = False


def failure(error: Exception, variable: str) -> Failure | None:
    """What the SDK's error means; None for any other exception."""
    import httpx2
    import openai

    match error:
        case openai.APIStatusError(status_code=status):
            passing = status in (408, 409, 429) or status >= 500
            return Failure(_advice(status, variable), passing, again=passing, unknown=status in (404, 405, 501))
        case openai.APITimeoutError() | httpx2.TimeoutException() | TimeoutError():
            return Failure("it took too long")
        case InvalidConfiguration():
            return Failure(str(error).removesuffix("."), passing=False)
        case openai.APIConnectionError() | httpx2.HTTPError() if http.refused_certificate(error):
            return Failure(f"the certificate at {variable}_URL is not trusted: see SSL_CERT_FILE", passing=False)
        case openai.APIConnectionError() | httpx2.HTTPError():
            return Failure(f"nothing answers at {variable}_URL", again=True)
        case openai.OpenAIError() | ValueError():
            return Failure("its answer is not that of an OpenAI-compatible API", passing=False)
    return None


def _advice(status: int, variable: str) -> str:
    match status:
        case 401 | 403:
            return f"it refuses {variable}_API_KEY"
        case 404:
            return f"it does not know {variable}_MODEL, or {variable}_URL is not its address"
        case 429:
            return "it is overloaded or the quota is used up"
        case _:
            return f"HTTP {status}"
