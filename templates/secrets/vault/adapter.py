"""Secrets in HashiCorp Vault or OpenBao: one document of the KV engine, version 2, with one key a variable.

Authentication is the first of these that is set: VAULT_TOKEN, VAULT_ROLE_ID with VAULT_SECRET_ID (AppRole), or
VAULT_KUBERNETES_ROLE with the pod's service account. While VAULT_ADDR is not set, the store is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from chatbot.clients.secret_store import DEADLINE, SecretFiles, Store


class Variables(BaseModel):
    """The variables of this backend, read from the environment, `.env` or secret files."""

    vault_addr: str = Field(default="", description="Vault or OpenBao, such as https://vault.example.org:8200")
    vault_namespace: str = Field(default="", description="The namespace, if there are any")
    vault_cacert: str = Field(default="", description="File of the certificate authority; empty: the system's")
    vault_token: SecretStr = Field(default=SecretStr(""), description="A token")
    vault_role_id: str = Field(default="", description="AppRole: the role's id")
    vault_secret_id: SecretStr = Field(default=SecretStr(""), description="AppRole: the secret id")
    vault_kubernetes_role: str = Field(default="", description="Kubernetes: the role of the service account")
    vault_kubernetes_token: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"), description="Kubernetes: the token's file"
    )
    vault_mount: str = Field(default="secret", description="Where the KV engine, version 2, is mounted")
    vault_path: str = Field(default="chatbot", description="The document, one key a variable")


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (
        SecretFiles(settings_cls),
        Store(settings_cls, "Vault", Variables, prepare, "vault_addr"),
    )


def prepare(own: Variables) -> Callable[[], Mapping[str, Any]]:
    """https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version"""
    import hvac
    import requests

    at = f"{own.vault_mount}/{own.vault_path}"
    client = hvac.Client(
        url=own.vault_addr, namespace=own.vault_namespace or None, verify=own.vault_cacert or True, timeout=DEADLINE
    )

    def fetch() -> Mapping[str, Any]:
        try:
            _log_in(client, own)
            answer = client.secrets.kv.v2.read_secret_version(
                path=own.vault_path, mount_point=own.vault_mount, raise_on_deleted_version=True
            )
        except hvac.exceptions.InvalidPath:
            raise SettingsError(f"Vault has no document {at}: check VAULT_MOUNT and VAULT_PATH") from None
        except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
            raise SettingsError(f"Vault denies reading {at}: check the token or role, and its policy") from None
        except hvac.exceptions.InvalidRequest:
            raise SettingsError(
                "Vault refuses the login: check the role, its secret id and the method's mount"
            ) from None
        except (requests.RequestException, OSError):
            raise SettingsError("Vault does not answer: check VAULT_ADDR, VAULT_CACERT and that it runs") from None
        except hvac.exceptions.VaultError:
            raise SettingsError("Vault cannot serve secrets now: it may be sealed or starting") from None
        return answer["data"]["data"]

    return fetch


def _log_in(client: Any, own: Variables) -> None:
    if own.vault_token.get_secret_value():
        client.token = own.vault_token.get_secret_value()
    elif own.vault_role_id:
        client.auth.approle.login(own.vault_role_id, own.vault_secret_id.get_secret_value())
    elif own.vault_kubernetes_role:
        if not own.vault_kubernetes_token.is_file():
            raise SettingsError(f"VAULT_KUBERNETES_TOKEN: there is no file {own.vault_kubernetes_token}")
        client.auth.kubernetes.login(own.vault_kubernetes_role, own.vault_kubernetes_token.read_text().strip())
    else:
        raise SettingsError("Vault wants a login: set VAULT_TOKEN, VAULT_ROLE_ID or VAULT_KUBERNETES_ROLE")
