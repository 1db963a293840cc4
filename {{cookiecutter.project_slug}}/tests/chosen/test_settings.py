"""The settings say all that is wrong with the environment at once, and never repeat a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot import settings
from chatbot.domain import InvalidConfiguration
from tests.processes import NOWHERE, python


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in settings.variables():
        monkeypatch.delenv(name, raising=False)


def attach(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in NOWHERE.items():
        monkeypatch.setenv(name, url)


def test_every_bad_variable_is_named_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"DATABASE_URL": "mysql://root:hunter2@db", "PORT": "eighty", "LOG_LEVEL": "loud", "LLM_URL": "not a url"}
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfiguration) as caught:
        settings.load()
    assert all(name in str(caught.value) for name in bad)
    assert not any(value in str(caught.value) for value in ("hunter2", "mysql", "eighty", "loud", "not a url"))


def test_they_import_no_adapter_and_no_logic() -> None:
    code = "import sys, chatbot.settings; print(*(name for name in sys.modules if name.startswith('chatbot.')))"
    assert {name.split(".")[1] for name in python(code).split()} == {"domain", "settings"}


def test_nothing_but_attached_resources_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfiguration, match=r"DATABASE_URL: is not set \(PostgreSQL"):
        settings.load()
    attach(monkeypatch)
    assert settings.load().port == 8000


def test_the_environment_wins_over_the_file_and_an_empty_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attach(monkeypatch)
    Path(".env").write_text("PORT=9001\nPASSAGES=7\n")
    monkeypatch.setenv("PORT", "9002")
    monkeypatch.setenv("PASSAGES", "")
    loaded = settings.load()
    assert (loaded.port, loaded.passages) == (9002, 7)


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch)
    monkeypatch.setenv("LLM_API_KEY", "sk-abcdef")
    shown = settings.masked(settings.load())
    assert list(shown) == settings.variables()
    assert "s3cret" not in str(shown)
    assert "sk-abcdef" not in str(shown)
    assert "s3cret" not in repr(settings.load())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANONYMOUS_SCOPES", "ask everything"),
        ("ANONYMOUS_SCOPES", "none, ask"),
        ("OIDC_DEFAULT_SCOPES", "reader"),
        ("OIDC_ISSUER", "http://login.example.org"),
        ("OIDC_ISSUER", "login.example.org"),
        ("CORS_ORIGINS", "https://www.example.org/page"),
        ("CORS_ORIGINS", "www.example.org"),
        ("CORS_ORIGINS", "https://*.example.org"),
        ("EMBED_ORIGINS", "*"),
        ("EMBED_ORIGINS", "https://www.example.org; script-src *"),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
    ],
)
def test_access_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    attach(monkeypatch)
    monkeypatch.setenv("OIDC_AUDIENCE", "chatbot")
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfiguration, match=f"{name}: "):
        settings.load()


def test_a_provider_needs_an_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch)
    monkeypatch.setenv("OIDC_ISSUER", "https://login.example.org/realms/lab")
    with pytest.raises(InvalidConfiguration, match="OIDC_AUDIENCE: is not set, though OIDC_ISSUER is"):
        settings.load()
    monkeypatch.setenv("OIDC_AUDIENCE", "chatbot")
    assert settings.load().oidc_issuer == "https://login.example.org/realms/lab"


def test_several_values_are_apart_by_spaces_or_commas() -> None:
    assert settings.words(" a, b  c,") == ["a", "b", "c"]
    assert settings.scopes("none") == frozenset()
    assert settings.scopes("ask,ingest") == {"ask", "ingest"}
