"""Secrets in Google Cloud Secret Manager: one secret, a JSON object with one key a variable; its latest version counts.

One secret is one call, one permission and one version to go back to. Credentials are Google's application default
ones. While GCP_SECRET is not set, the store is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from chatbot.clients.secret_store import DEADLINE, SecretFiles, Store, parsed


class Variables(BaseModel):
    """The variables of this backend, read from the environment, `.env` or secret files."""

    gcp_secret: str = Field(
        default="", description="Secret Manager, e.g. projects/my-project/secrets/chatbot; empty: none"
    )
    gcp_endpoint: str = Field(default="", description="Another endpoint, such as a regional one; empty: Google's")


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (
        SecretFiles(settings_cls),
        Store(settings_cls, "Google Cloud Secret Manager", Variables, prepare, "gcp_secret"),
    )


def prepare(own: Variables) -> Callable[[], Mapping[str, Any]]:
    """https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access"""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.secretmanager import SecretManagerServiceClient

    def fetch() -> Mapping[str, Any]:
        try:  # the client looks for credentials, perhaps at the machine's metadata server
            # REST: gRPC would take a second longer to import, and start threads of its own.
            client = SecretManagerServiceClient(
                transport="rest", client_options={"api_endpoint": own.gcp_endpoint} if own.gcp_endpoint else None
            )
            name = f"{own.gcp_secret}/versions/latest"
            secret = client.access_secret_version(name=name, retry=None, timeout=DEADLINE)
        except GoogleAuthError:
            raise SettingsError("Google Cloud Secret Manager: no usable default credentials are found") from None
        except exceptions.NotFound:
            raise SettingsError("Google Cloud Secret Manager has no such secret: check GCP_SECRET") from None
        except (exceptions.Forbidden, exceptions.Unauthorized):
            raise SettingsError(
                "Google Cloud Secret Manager denies access: grant Secret Manager Secret Accessor"
            ) from None
        except (exceptions.GoogleAPICallError, OSError):
            raise SettingsError(
                "Google Cloud Secret Manager does not answer: check GCP_ENDPOINT and the network"
            ) from None
        return parsed(secret.payload.data.decode(), "GCP_SECRET")

    return fetch
