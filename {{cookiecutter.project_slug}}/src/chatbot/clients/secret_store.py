"""What every secrets backend shares: secret files, and asking a store for one document of secrets, in bounded time.

A store's adapter says how to fetch; here is what happens when that fails: one sentence, without any value.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsError

from chatbot import settings_files

DEADLINE = 3.0
"""Seconds for a store to answer: a process must start, or fail, soon."""
DOCKER = Path("/run/secrets")
"""Where Docker puts secrets."""

V = TypeVar("V", bound=BaseModel)


class SecretFiles(SecretsSettingsSource):
    """One file a secret, named as its variable in any case: in SECRETS_DIR, or else in the usual folders."""

    def __call__(self) -> dict[str, Any]:
        self.secrets_dir = folders = self._folders()
        for folder in folders:
            for path in settings_files.named(folder, self.settings_cls.model_fields):
                settings_files.check(path)
        return {name: value.removeprefix("\ufeff") for name, value in super().__call__().items()}

    def _folders(self) -> list[Path]:
        """The folder that was chosen, which must be there, or those of the usual ones that are."""
        chosen = self.current_state.get("secrets_dir")
        if chosen is None:
            default = self.settings_cls.model_fields["secrets_dir"].default
            return [folder for folder in (DOCKER, default) if folder.is_dir()]
        if not Path(chosen).is_dir():
            raise SettingsError(f"SECRETS_DIR: there is no folder {chosen}")
        return [Path(chosen)]


class NamedSecretFiles(SecretFiles):
    """The same, but only in a folder that SECRETS_DIR names: for a backend that keeps no secrets in files by itself."""

    def __call__(self) -> dict[str, Any]:
        return {} if self.current_state.get("secrets_dir") is None else super().__call__()


class Store(PydanticBaseSettingsSource, Generic[V]):
    """Settings out of a document that a store keeps: variable -> value.

    While the variable `address` is empty the store is not asked, and its SDK not imported. `prepare` gets the backend's
    own variables, as found by the sources before this one, and does what asks nobody: on a busy machine an SDK's
    imports and its client may take seconds, which are not the store's. What it returns asks, and has DEADLINE seconds
    to bring the document. It raises SettingsError for what it can name; any other error is told as its kind, since its
    text might hold a secret.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        name: str,
        variables: type[V],
        prepare: Callable[[V], Callable[[], Mapping[str, Any]]],
        address: str,
    ) -> None:
        super().__init__(settings_cls)
        self._name, self._variables, self._prepare, self._address = name, variables, prepare, address

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("a store answers for all fields at once")

    def __call__(self) -> dict[str, Any]:
        fields = self._variables.model_fields
        try:
            own = self._variables.model_validate({k: v for k, v in self.current_state.items() if k in fields})
        except ValidationError:
            return {}  # the settings have the same fields, and say what is wrong with them
        if not getattr(own, self._address):
            return {}
        document = {key.lower(): value for key, value in self._asked(own).items()}
        known = self.settings_cls.model_fields.keys() - fields.keys()
        return {name: document[name] for name in known & document.keys() if document[name] not in (None, "")}

    def _asked(self, own: V) -> Mapping[str, Any]:
        try:
            return self._bounded(self._prepare(own))
        except SettingsError:
            raise
        except Exception as error:
            raise SettingsError(f"{self._name} cannot be read: {type(error).__name__}") from None

    def _bounded(self, fetch: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """In a thread that is left behind at the deadline: SDKs try again for much longer."""
        outcome: Future[Mapping[str, Any]] = Future()

        def ask() -> None:
            try:
                outcome.set_result(fetch())
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=ask, daemon=True, name=f"secrets from {self._name}").start()
        if not wait([outcome], DEADLINE).done:
            raise SettingsError(f"{self._name} did not answer within {DEADLINE:g} seconds: check that it is reachable")
        return outcome.result()


def parsed(text: str, name: str) -> Mapping[str, Any]:
    """A secret that is a JSON object: variable -> value."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise SettingsError(f"{name} should hold a JSON object, one key a variable")
    return document
