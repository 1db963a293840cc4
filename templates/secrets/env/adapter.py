"""Secrets come as environment variables, as the platform injects them, and in files where SECRETS_DIR is set."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from chatbot.clients.secret_store import NamedSecretFiles


class Variables(BaseModel):
    """This backend needs no variable of its own."""


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (NamedSecretFiles(settings_cls),)
