"""Secrets in Azure Key Vault: one secret, a JSON object with one key a variable; its latest version counts.

Key Vault's names have no underscores, so that one secret a variable would need other names. Credentials are those of
DefaultAzureCredential. While AZURE_KEY_VAULT_URL is not set, the store is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from chatbot.clients.secret_store import DEADLINE, SecretFiles, Store, parsed


class Variables(BaseModel):
    """The variables of this backend, read from the environment, `.env` or secret files."""

    azure_key_vault_url: str = Field(default="", description="e.g. https://my-vault.vault.azure.net; empty: none")
    azure_secret_name: str = Field(default="chatbot", description="The secret's name in that vault")


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (
        SecretFiles(settings_cls),
        Store(settings_cls, "Azure Key Vault", Variables, prepare, "azure_key_vault_url"),
    )


def prepare(own: Variables) -> Callable[[], Mapping[str, Any]]:
    """https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret"""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
    from azure.identity import DefaultAzureCredential
    from azure.keyvault.secrets import SecretClient

    once = {"retry_total": 0, "connection_timeout": DEADLINE, "read_timeout": DEADLINE}

    def fetch() -> Mapping[str, Any]:
        try:
            with (
                DefaultAzureCredential(exclude_interactive_browser_credential=True, **once) as credential,
                SecretClient(
                    own.azure_key_vault_url,
                    credential,
                    **once,
                ) as client,
            ):
                secret = client.get_secret(own.azure_secret_name)
        except ResourceNotFoundError:
            raise SettingsError("Azure Key Vault has no such secret: check AZURE_SECRET_NAME") from None
        except ClientAuthenticationError:
            raise SettingsError("Azure Key Vault: no usable default credentials are found") from None
        except HttpResponseError as error:
            problem = f"answers {error.status_code}: check that the identity may get secrets (Key Vault Secrets User)"
            raise SettingsError(f"Azure Key Vault {problem}") from None
        except (AzureError, ValueError, OSError):
            raise SettingsError("Azure Key Vault does not answer: check AZURE_KEY_VAULT_URL") from None
        return parsed(secret.value or "", "AZURE_SECRET_NAME")

    return fetch
