"""Every variable of the chatbot, typed, in one class (factor III).

Precedence, first wins: arguments, environment, `.env`, the files in SECRETS_DIR, the secrets backend, `defaults.toml`
(what was answered when this repository was generated), the defaults below. Importing this module reads nothing.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, cast, get_args
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from chatbot import schedules, settings_files
from chatbot.domain import InvalidConfiguration, Language, Scope

POSTGRESQL = ("postgresql", "postgres")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
NOBODY = "none"
"""In place of scopes: none of them. An empty variable counts as unset."""


class Settings(BaseSettings):
    """One field a variable, of the same name in capitals; `settings_class` adds those of the secrets backend."""

    # Attached resources (IV)
    database_url: SecretStr = Field(description="PostgreSQL, e.g. postgresql://user:password@host:5432/chatbot")
    vector_db_url: SecretStr = Field(default=SecretStr(""), description="The vector database; empty: DATABASE_URL")
    queue_url: SecretStr = Field(default=SecretStr(""), description="The queue's broker; empty: DATABASE_URL")
    database_pool_size: int = Field(
        default=10, ge=2, le=200, description="Connections to PostgreSQL that one process has at most"
    )
    llm_url: AnyHttpUrl | None = Field(default=None, description="An OpenAI-compatible API; empty: quote passages")
    llm_model: str = Field(default="", description="The model's name at LLM_URL")
    llm_api_key: SecretStr = Field(default=SecretStr(""), description="The key for LLM_URL, if it wants one")
    llm_timeout: float = Field(default=60, gt=0, le=600, description="Seconds the model may take for an answer")
    llm_first_token_timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for its first word")
    llm_max_tokens: int = Field(default=1000, ge=16, le=100_000, description="Tokens that an answer may have")
    llm_price_input: float = Field(default=0, ge=0, le=1e6, description="Price of a million tokens the model reads")
    llm_price_output: float = Field(default=0, ge=0, le=1e6, description="Price of a million tokens the model writes")
    embeddings_url: AnyHttpUrl | None = Field(default=None, description="An OpenAI-compatible API; empty: built in")
    embeddings_model: str = Field(
        default="multilingual-e5-small-int8-2", min_length=1, description="The embedding model"
    )
    embeddings_api_key: SecretStr = Field(default=SecretStr(""), description="The key for EMBEDDINGS_URL")
    hal_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://api.archives-ouvertes.fr/search/"), description="The HAL archive's search API"
    )
    s3_url: AnyHttpUrl | None = Field(
        default=None, description="The S3 endpoint of a bucket to harvest; empty: Amazon's own"
    )

    # Secrets (III)
    secrets_dir: Path = Field(default=Path("credentials"), description="One file a secret, named as its variable")
    secrets_refresh: float = Field(
        default=60, ge=0, le=86400, description="Seconds between two looks for secrets that changed; 0: never"
    )

    # Processes (VI, VII, VIII, IX)
    host: str = Field(default="127.0.0.1", description="Address the web process listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the web process listens on")
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port where a worker or scheduler shows its figures; 0: nowhere"
    )
    otel_exporter_otlp_endpoint: AnyHttpUrl | None = Field(
        default=None, description="An OpenTelemetry collector, e.g. http://collector:4318; empty: no traces"
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        default=SecretStr(""), description="What the collector wants, e.g. authorization=Bearer%20KEY"
    )
    shutdown_grace: float = Field(default=25, gt=0, le=3600, description="Seconds to finish work after SIGTERM")
    resume_grace: float = Field(
        default=0.5, ge=0, le=60, description="Seconds a stream's reader has to come back once its connection closed"
    )
    worker_concurrency: int = Field(default=2, ge=1, le=256, description="Jobs one worker runs at a time")
    job_lease: float = Field(default=60, ge=1, le=43200, description="Seconds until a dead worker's job is retried")
    job_outage_budget: float = Field(
        default=86400, ge=0, le=2592000, description="Seconds a job waits for what is down before it is set aside"
    )
    job_attempts: int = Field(default=8, ge=1, le=100, description="Attempts before a job is set aside as dead")

    # Pipelines
    prefect_api_url: AnyHttpUrl | None = Field(
        default=None, description="A Prefect server that runs the pipelines, e.g. http://prefect:4200/api; empty: none"
    )
    schedules: str = Field(
        default="",
        description="Without it: when the scheduler starts them, in UTC, e.g. harvest=0 3 * * *; report=0 6 * * 1",
    )
    full_text_licences: str = Field(
        default="creativecommons.org,publicdomain,etalab",
        description="Licences under which a harvest takes full texts: parts of their URLs; empty: never",
    )
    questions: str = Field(
        default="questions.yaml", min_length=1, description="The file that `run benchmark` asks from"
    )
    benchmark_thresholds: str = Field(
        default="", description="What fails a benchmark, e.g. nDCG@10>=0.6 seconds_p99<=5; empty: nothing"
    )

    # Access
    anonymous_scopes: str = Field(
        default="", description="What needs no key: none, or ask ingest admin; empty: all on loopback, else ask"
    )
    oidc_issuer: str = Field(default="", description="The identity provider's issuer URL; empty: API keys only")
    oidc_audience: str = Field(default="", description="Whom its tokens must be for; required with OIDC_ISSUER")
    oidc_scopes_claim: str = Field(
        default="scope", min_length=1, description="Where a token names scopes, e.g. scope or realm_access.roles"
    )
    oidc_scopes_prefix: str = Field(default="", description="What stands before ask, ingest, admin in that claim")
    oidc_default_scopes: str = Field(default="ask", description="What every user of the provider may do; or none")
    rate_limit_per_minute: int = Field(
        default=0, ge=0, le=6000, description="Requests that change or compute, for each caller; 0: no limit"
    )
    daily_tokens: int = Field(default=0, ge=0, description="The model's tokens a day, for each caller; 0: no limit")
    trusted_proxies: int = Field(
        default=0, ge=0, le=10, description="Reverse proxies in front, whose X-Forwarded-For is believed"
    )
    cors_origins: str = Field(default="", description="Other sites whose pages may use the API, or *; empty: none")
    embed_origins: str = Field(default="", description="Other sites that may show the chat in a frame; empty: none")

    # The bot
    bot_name: str = Field(default="Chatbot", min_length=1, max_length=80, description="The name users see")
    bot_language: Language = Field(default="en", description="The interface's language: en or fr")
    suggested_questions_en: str = Field(
        default="", description="First questions on the page, apart by |; empty: from the latest documents"
    )
    suggested_questions_fr: str = Field(default="", description="The same for the page in French")
    ai_notice_en: str = Field(
        default="A machine answers here: an AI system. Check what matters in the sources.",
        min_length=10,
        max_length=300,
        description="What the page says before the first question, as the EU's AI Act demands",
    )
    ai_notice_fr: str = Field(
        default="Ici répond une machine, un système d’IA. Vérifiez dans les sources ce qui compte.",
        min_length=10,
        max_length=300,
        description="The same for the page in French",
    )
    corpus: str = Field(default="docs", min_length=1, description="What it answers from: a folder, or hal:COLLECTION")
    max_document_mb: float = Field(default=50, gt=0, le=2000, description="The largest document taken, in MB")
    parse_memory_mb: int = Field(default=512, ge=64, le=65536, description="Memory to read one document, in MB")
    parse_seconds: int = Field(
        default=3, ge=1, le=600, description="Processor seconds to read one document, and one more for each MB of it"
    )
    parse_drawing_seconds: int = Field(
        default=120, ge=0, le=3600, description="Seconds more to draw pages: to see which text shows, and for OCR"
    )
    fetch_timeout: float = Field(default=30, gt=0, le=600, description="Seconds to get the document at a URL")
    fetch_ports: Annotated[str, Field(pattern="^[0-9]{1,5}(,[0-9]{1,5})*$")] = Field(
        default="80,443", description="Ports that URLs may name, with commas"
    )
    fetch_allowed_hosts: Annotated[str, Field(pattern="^[A-Za-z0-9.:_,-]*$")] = Field(
        default="", description="Hosts of URLs that may be private, with commas; empty: none"
    )
    chunk_chars: int = Field(default=1000, ge=200, le=8000, description="Target length of a chunk, in characters")
    chunk_overlap: int = Field(default=150, ge=0, le=2000, description="Characters a chunk repeats of the one before")
    passages: int = Field(default=6, ge=1, le=50, description="Passages an answer is written from")
    lexical_weight: float = Field(default=0.5, ge=0, le=1, description="BM25's share of the ranking; vectors: the rest")

    # Privacy
    conversation_retention_days: int = Field(
        default=365, ge=0, le=36500, description="Days until an idle conversation is deleted; 0: never"
    )
    record_retention_days: int = Field(
        default=90, ge=0, le=36500, description="Days until records of ended jobs and pipelines are deleted; 0: never"
    )
    backup_days: int = Field(
        default=30, ge=1, le=3650, description="Days that backups are kept, and so who was erased is remembered"
    )
    privacy_contact: str = Field(default="", max_length=200, description="Whom the privacy notice names")

    model_config = SettingsConfigDict(
        env_file=(".services/env", ".env"),
        env_file_encoding=settings_files.ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        toml_file=Path(__file__).with_name("defaults.toml"),
    )

    @field_validator("*", mode="before")
    @classmethod
    def _stripped(cls, value: Any) -> Any:
        """Files of secrets, and what a shell pipes into a secret, end with a newline."""
        return value.strip() if isinstance(value, str) else value

    @field_validator("database_url", "vector_db_url", "queue_url")
    @classmethod
    def _scheme(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        schemes = url_schemes()[str(info.field_name)]
        url = value.get_secret_value() or _revealed(info.data.get("database_url"))
        if url and urlsplit(url).scheme not in schemes:
            raise ValueError(f"should be a URL that starts with {' or '.join(s + '://' for s in schemes)}")
        if urlsplit(url).scheme in POSTGRESQL and (problem := _malformed(url)):
            raise ValueError(problem)
        return SecretStr(url)

    @field_validator("anonymous_scopes", "oidc_default_scopes")
    @classmethod
    def _known_scopes(cls, value: str) -> str:
        if value != NOBODY and not set(words(value)) <= {*get_args(Scope)}:
            raise ValueError(f"should be some of {', '.join(get_args(Scope))}, or {NOBODY}")
        return value

    @field_validator("schedules")
    @classmethod
    def _cron(cls, value: str) -> str:
        if value and (problem := schedules.problem(value)):
            raise ValueError(problem)
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        url = urlsplit(value)
        if value and not (url.hostname and (url.scheme == "https" or url.hostname in LOOPBACK)):
            raise ValueError("should be a URL that starts with https://")
        return value

    @field_validator("oidc_audience")
    @classmethod
    def _named(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_issuer") and not value:
            raise ValueError("is not set, though OIDC_ISSUER is")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        if not all(each == "*" or re.fullmatch(r"https?://[^/?#@*\s]+", each) for each in words(value)):
            raise ValueError("should be * or origins such as https://www.example.org, without a path")
        return value

    @field_validator("embed_origins")
    @classmethod
    def _named_origins(cls, value: str) -> str:
        if not all(re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", each) for each in words(value)):
            raise ValueError("should be origins such as https://www.example.org, without a path")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        from chatbot.chosen import secrets

        return (
            init_settings,
            env_settings,
            dotenv_settings,
            *secrets.sources(settings_cls),
            TomlConfigSettingsSource(settings_cls),
        )


@functools.cache
def settings_class() -> type[Settings]:
    """The settings with the variables of the chosen secrets backend, whose module is imported in functions only."""
    from chatbot.chosen import secrets

    class AllSettings(Settings, secrets.Variables):
        """Every variable of this chatbot."""

    return AllSettings


@functools.cache
def url_schemes() -> dict[str, list[str]]:
    """Field -> the schemes of the URLs that the attached service takes."""
    return tomllib.loads(Path(__file__).with_name("chosen").joinpath("schemes.toml").read_text("utf-8"))


def words(text: str) -> list[str]:
    """The values of a variable that holds several, apart by spaces or commas."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def scopes(text: str) -> frozenset[Scope]:
    """The scopes of a variable that was checked."""
    return frozenset() if text == NOBODY else frozenset(cast(list[Scope], words(text)))


def _malformed(url: str) -> str | None:
    """What PostgreSQL's own parser cannot read; imported here, since the settings are imported before the driver."""
    from chatbot.storage.postgres_errors import malformed

    return malformed(url)


def _revealed(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def load(**arguments: Any) -> Settings:
    """Read the settings; InvalidConfiguration names every bad variable at once, and shows no value."""
    try:
        for file in arguments.get("_env_file", Settings.model_config["env_file"]) or ():
            settings_files.check(Path(file))
        return settings_class()(**arguments)
    except ValidationError as error:
        lines = [f"  {problem}" for problem in _problems(error)]
    except SettingsError as error:
        lines = [f"  {error}"]
    raise InvalidConfiguration("The configuration is not usable:\n" + "\n".join(lines)) from None


def _problems(error: ValidationError) -> list[str]:
    """One line a variable: its name, what is wrong, and what it is for."""
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(item["loc"][0])
        about = settings_class().model_fields[name].description
        message = "is not set" if item["type"] == "missing" else item["msg"].removeprefix("Value error, ")
        problems.append(f"{name.upper()}: {message} ({about})")
    return problems


def variables() -> list[str]:
    """The names of all variables, in the order of the class."""
    return [name.upper() for name in settings_class().model_fields]


def secret_names() -> list[str]:
    """The fields that hold secrets."""
    return [name for name, field in settings_class().model_fields.items() if field.annotation is SecretStr]


def masked(settings: Settings) -> dict[str, str]:
    """Every variable with its value, secrets as stars: for `chatbot config show`."""
    values = {name.upper(): getattr(settings, name) for name in type(settings).model_fields}
    return {name: "" if value is None else str(value) for name, value in values.items()}


def home() -> Path:
    """The folder with `docs/` and `migrations/`: the checkout, or the image's /app."""
    return Path(__file__).parents[2]


@functools.cache
def release() -> str:
    """The version that pyproject.toml gives, in the checkout and in the image alike."""
    project: dict[str, Any] = tomllib.loads((home() / "pyproject.toml").read_text("utf-8"))["project"]
    return project["version"]
