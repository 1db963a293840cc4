"""Secrets reach the settings from wherever the chosen backend keeps them, and no value reaches a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot import settings
from chatbot.adapters import queue, secrets, vector_store
from chatbot.domain import InvalidConfiguration

DATABASE = "postgresql://user:secret@db/chatbot"
FILES = hasattr(secrets, "SecretFiles")
URLS = {
    "VECTOR_DB_URL": f"{vector_store.SCHEMES[0]}://vectors",
    "QUEUE_URL": f"{queue.SCHEMES[0]}://broker",
    "DATABASE_URL": DATABASE,
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty environment and an empty working directory."""
    for variable in settings.variables():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "database_url").write_text("postgresql://from-a-file/chatbot")
    for variable, url in URLS.items():
        monkeypatch.setenv(variable, url)
    assert settings.load().database_url.get_secret_value() == DATABASE


def test_a_missing_secret_is_named_and_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_URL", "wrong://user:hunter2@broker")
    with pytest.raises(InvalidConfiguration, match="DATABASE_URL: is not set") as caught:
        settings.load()
    assert "hunter2" not in str(caught.value)
    assert "QUEUE_URL" in str(caught.value)


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, url in URLS.items():
        monkeypatch.setenv(variable, url)
    monkeypatch.setenv("LLM_API_KEY", "hunter2")
    loaded = settings.load()
    assert "hunter2" not in repr(loaded)
    assert "secret@" not in repr(loaded)


if FILES:

    def _write(folder: Path, **files: str) -> Path:
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
        return folder

    def test_files_named_as_variables_in_any_case(tmp_path: Path) -> None:
        _write(tmp_path / "credentials", **{name.lower(): f"{url}\n" for name, url in URLS.items()})
        _write(tmp_path / "credentials", LLM_API_KEY="key\r\n")
        loaded = settings.load()
        assert loaded.database_url.get_secret_value() == DATABASE
        assert loaded.llm_api_key.get_secret_value() == "key"

    @pytest.mark.parametrize("where", ["environment", ".env"])
    def test_secrets_dir_is_another_folder(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        _write(tmp_path / "credentials", DATABASE_URL="postgresql://not-this-one/chatbot")
        folder = _write(tmp_path / "mounted", **URLS)
        if where == "environment":
            monkeypatch.setenv("SECRETS_DIR", str(folder))
        else:
            (tmp_path / ".env").write_text(f"SECRETS_DIR={folder}\n")
        assert settings.load().database_url.get_secret_value() == DATABASE

    def test_kubernetes_mounts_are_links(tmp_path: Path) -> None:
        folder = _write(tmp_path / "credentials")
        _write(folder / "..2026_01_01", **URLS)
        (folder / "..data").symlink_to("..2026_01_01")
        for name in URLS:
            (folder / name).symlink_to(Path("..data") / name)
        assert settings.load().database_url.get_secret_value() == DATABASE

    def test_dockers_folder_is_read_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(secrets, "DOCKER", _write(tmp_path / "run", **URLS))
        assert settings.load().database_url.get_secret_value() == DATABASE

    def test_a_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRETS_DIR", "nowhere")
        with pytest.raises(InvalidConfiguration, match="SECRETS_DIR: there is no folder nowhere"):
            settings.load()

    def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
        _write(tmp_path / "credentials", **URLS)
        (tmp_path / "credentials" / "LLM_API_KEY").write_bytes(b"\xff\xfe\xff")
        with pytest.raises(InvalidConfiguration, match="llm_api_key"):
            settings.load()
