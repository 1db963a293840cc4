"""Runs a pipeline's flow in this process, under the Prefect server of PREFECT_API_URL, which then shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from chatbot.domain import InvalidConfiguration, Unavailable


def run(url: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The flow's figures. Raises what its steps raise; Unavailable when the server does not answer."""
    try:
        from chatbot.pipelines import flows
    except ModuleNotFoundError as error:
        raise InvalidConfiguration(
            f"PREFECT_API_URL is set, but {error.name} is not installed: use the image's target `pipelines`, "
            "or install requirements-prefect.lock."
        ) from None
    import httpx
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_ENABLED, temporary_settings

    given = {key: value for key, value in options.items() if value not in (None, [], ())}
    with temporary_settings({PREFECT_API_URL: url, PREFECT_SERVER_EPHEMERAL_ENABLED: False}):
        try:
            figures: dict[str, Any] = asyncio.run(getattr(flows, name)(**given))
        except (httpx.HTTPError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "Failed to reach API" not in str(error):
                raise
            raise Unavailable("The Prefect server", "check PREFECT_API_URL, or unset it to run without.") from None
    return figures
