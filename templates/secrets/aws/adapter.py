"""Secrets in AWS Secrets Manager: one secret, a JSON object with one key a variable.

Credentials are found by the SDK's own chain: environment, shared files, the role of the container. While AWS_SECRET_ID
is not set, the store is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from chatbot.clients.secret_store import DEADLINE, SecretFiles, Store, parsed


class Variables(BaseModel):
    """The variables of this backend, read from the environment, `.env` or secret files."""

    aws_secret_id: str = Field(default="", description="Secrets Manager: the secret's name or ARN; empty: none")
    aws_region: str = Field(default="", description="The region; empty: what the SDK finds")
    aws_endpoint_url: str = Field(
        default="", description="Another endpoint, such as a private one; empty: the region's"
    )


def sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """Where the settings look after the environment, in order."""
    return (
        SecretFiles(settings_cls),
        Store(settings_cls, "AWS Secrets Manager", Variables, prepare, "aws_secret_id"),
    )


def prepare(own: Variables) -> Callable[[], Mapping[str, Any]]:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html"""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    once = Config(connect_timeout=DEADLINE, read_timeout=DEADLINE, retries={"total_max_attempts": 1})
    try:
        client = boto3.session.Session().client(
            "secretsmanager",
            region_name=own.aws_region or None,
            endpoint_url=own.aws_endpoint_url or None,
            config=once,
        )
    except NoRegionError:
        raise SettingsError("AWS Secrets Manager: set AWS_REGION") from None

    def fetch() -> Mapping[str, Any]:
        try:
            secret = client.get_secret_value(SecretId=own.aws_secret_id)
        except NoCredentialsError:
            raise SettingsError("AWS Secrets Manager: the SDK finds no credentials") from None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ResourceNotFoundException":
                problem = "has no such secret: check AWS_SECRET_ID and AWS_REGION"
            else:
                problem = f"refuses with {code}: check the credentials and that they may call GetSecretValue"
            raise SettingsError(f"AWS Secrets Manager {problem}") from None
        except BotoCoreError:
            raise SettingsError("AWS Secrets Manager does not answer: check AWS_REGION and AWS_ENDPOINT_URL") from None
        return parsed(secret.get("SecretString", ""), "AWS_SECRET_ID")

    return fetch
