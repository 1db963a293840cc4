"""Secrets are files, one each, named as their variable in any case: Docker and Kubernetes mounts, or credentials/.

They are read from SECRETS_DIR; while that is not set, from its default and from /run/secrets, where Docker puts them.
An environment variable of the same name wins.
"""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from chatbot.clients.secret_store import SecretFiles


class Variables(BaseModel):
    """This backend needs no variable of its own: SECRETS_DIR is every backend's."""


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (SecretFiles(settings_cls),)
