"""Secrets come as environment variables, as the platform injects them: nothing to add to the settings' own sources."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource


class Variables(BaseModel):
    """This backend needs no variable of its own."""


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return ()
