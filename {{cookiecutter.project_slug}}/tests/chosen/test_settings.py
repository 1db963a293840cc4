"""The settings say all that is wrong with the environment at once, and never repeat a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_settings import SettingsError

from chatbot import settings, settings_files
from chatbot.clients.secret_store import SecretFiles
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
    assert {name.split(".")[1] for name in python(code).split()} == {
        *("domain", "schedules", "settings", "settings_files"),
    }


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


UNREADABLE = {
    "UTF-16, as PowerShell writes it": "PORT=9001\n".encode("utf-16"),
    "UTF-16 without its mark": "PORT=9001\n".encode("utf-16-le"),
    "Latin-1": "BOT_NAME=Pépé\n".encode("latin-1"),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_is_not_utf_8_is_named(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    attach(monkeypatch)
    Path(".env").write_bytes(content)
    with pytest.raises(InvalidConfiguration, match=r"\.env is not UTF-8 text: save it as UTF-8$"):
        settings.load()


def test_a_file_that_may_not_be_read_is_named() -> None:
    """Root may read everything, so the system says no in its place: a file's name is taken by a loop of links."""
    Path("loop").symlink_to("loop")
    with pytest.raises(SettingsError, match=r"^loop cannot be read by the user who runs this: "):
        settings_files.text(Path("loop"))


def test_the_mark_before_utf_8_is_no_part_of_the_first_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch)
    Path(".env").write_text("PORT=9001\n", "utf-8-sig")
    assert settings.load().port == 9001


def test_of_secret_files_the_unreadable_one_is_named_and_a_mark_is_no_part_of_a_secret() -> None:
    folder = Path("credentials")
    folder.mkdir()
    (folder / "llm_api_key").write_text("sk-abcdef\n", "utf-8-sig")
    assert SecretFiles(settings.Settings)() == {"llm_api_key": "sk-abcdef"}
    (folder / "DATABASE_URL").write_bytes("postgresql://pépé@db".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"^credentials/DATABASE_URL is not UTF-8 text: save it as UTF-8$"):
        SecretFiles(settings.Settings)()


def test_a_folder_of_secrets_that_is_named_is_read_whatever_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch)
    monkeypatch.setenv("SECRETS_DIR", "mounted")
    with pytest.raises(InvalidConfiguration, match="SECRETS_DIR: there is no folder mounted"):
        settings.load()
    Path("mounted").mkdir()
    Path("mounted", "llm_api_key").write_text("sk-abcdef\n")
    assert settings.load().llm_api_key.get_secret_value() == "sk-abcdef"


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
