"""The client of an OpenAI-compatible API, and its errors in the words of the domain. The only importer of its SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chatbot.domain import Unavailable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

RETRIES = 1


def client(url: str, api_key: str, timeout: float) -> AsyncOpenAI:
    """Opens nothing; `timeout` in seconds. A server that wants no key is given a placeholder."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=url, api_key=api_key or "none", timeout=timeout, max_retries=RETRIES)


@contextmanager
def unavailable(resource: str, variable: str) -> Iterator[None]:
    """Turn the SDK's errors into Unavailable, with what to look at: `variable` is LLM or EMBEDDINGS."""
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise Unavailable(resource, _advice(error.status_code, variable)) from None
    except (openai.APITimeoutError, httpx2.TimeoutException):
        raise Unavailable(resource, "it took too long") from None
    except (openai.APIConnectionError, httpx2.HTTPError):
        raise Unavailable(resource, f"nothing answers at {variable}_URL") from None
    except openai.OpenAIError:
        raise Unavailable(resource, "its answer is not that of an OpenAI-compatible API") from None


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
