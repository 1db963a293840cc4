"""Secrets are files, one each, named as their variable in any case: Docker and Kubernetes mounts, or credentials/.

They are read from SECRETS_DIR; while that is not set, from its default and from /run/secrets, where Docker puts them.
An environment variable of the same name wins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsError

DOCKER = Path("/run/secrets")


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (SecretFiles(settings_cls),)


class SecretFiles(SecretsSettingsSource):
    def __call__(self) -> dict[str, Any]:
        self.secrets_dir = self._folders()
        return super().__call__()

    def _folders(self) -> list[Path]:
        """The folder that was chosen, which must be there, or those of the usual ones that are."""
        chosen = self.current_state.get("secrets_dir")
        if chosen is None:
            default = self.settings_cls.model_fields["secrets_dir"].default
            return [folder for folder in (DOCKER, default) if folder.is_dir()]
        if not Path(chosen).is_dir():
            raise SettingsError(f"SECRETS_DIR: there is no folder {chosen}")
        return [Path(chosen)]
