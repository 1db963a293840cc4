"""A test is skipped for a program that is missing, and for nothing else; under CI it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import services
from tests.conftest import started
from tests.programs import program

HOW = "chromium is not installed: install it (Debian, Ubuntu: apt install chromium)."


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The one folder where programs are looked for, on a laptop."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def failing(monkeypatch: pytest.MonkeyPatch, error: services.ServiceError) -> None:
    def start(*_: Any) -> None:
        raise error

    monkeypatch.setattr(services, "start", start)


def test_the_first_program_that_is_there_is_taken(path: Path) -> None:
    (path / "google-chrome").touch(mode=0o755)
    assert program("chromium", "google-chrome", package="chromium") == str(path / "google-chrome")


def test_a_missing_program_skips_with_a_sentence_and_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception) as skipped:
        program("chromium", "google-chrome", package="chromium")
    assert str(skipped.value) == HOW
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception) as failed:
        program("chromium", "google-chrome", package="chromium")
    assert str(failed.value) == HOW


def test_a_service_that_is_not_installed_skips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(monkeypatch, services.NotInstalled("redis-server is not installed: install it."))
    with pytest.raises(pytest.skip.Exception, match="redis-server is not installed"), started(tmp_path):
        pass


def test_a_service_that_does_not_start_is_no_reason_to_skip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(monkeypatch, services.ServiceError("PostgreSQL did not start."))
    with pytest.raises(services.ServiceError, match="did not start"), started(tmp_path):
        pass
