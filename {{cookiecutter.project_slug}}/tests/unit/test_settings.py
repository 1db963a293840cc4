"""The settings say all that is wrong with the environment at once, and never repeat a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot import settings
from chatbot.domain import InvalidConfiguration

DATABASE = "postgresql://someone:s3cret@db.example/chatbot"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in settings.variables():
        monkeypatch.delenv(name, raising=False)


def test_every_bad_variable_is_named_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"DATABASE_URL": "mysql://root:hunter2@db", "PORT": "eighty", "LOG_LEVEL": "loud", "LLM_URL": "not a url"}
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfiguration) as caught:
        settings.load()
    assert all(name in str(caught.value) for name in bad)
    assert not any(value in str(caught.value) for value in ("hunter2", "mysql", "eighty", "loud", "not a url"))


def test_the_database_is_all_that_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfiguration, match=r"DATABASE_URL: is not set \(PostgreSQL"):
        settings.load()
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    assert settings.load().port == 8000


def test_the_environment_wins_over_the_file_and_an_empty_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text(f"DATABASE_URL={DATABASE}\nPORT=9001\nPASSAGES=7\n")
    monkeypatch.setenv("PORT", "9002")
    monkeypatch.setenv("PASSAGES", "")
    loaded = settings.load()
    assert (loaded.port, loaded.passages) == (9002, 7)


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    monkeypatch.setenv("LLM_API_KEY", "sk-abcdef")
    shown = settings.masked(settings.load())
    assert list(shown) == settings.variables()
    assert "s3cret" not in str(shown)
    assert "sk-abcdef" not in str(shown)
    assert "s3cret" not in repr(settings.load())
