"""What was chosen fits what it is plugged into: names, addresses, a quick start, and the example of the variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chatbot.chosen import queue, secrets, vector_store
from chatbot.domain import InvalidConfiguration
from chatbot.settings import home, load, url_schemes, variables
from tests.processes import NOWHERE
from tests.twelve_factors.test_04_backing_services import chosen_sdks

EXAMPLE = (home() / ".env.example").read_text()
URLS = ("VECTOR_DB_URL", "QUEUE_URL")


@pytest.fixture(autouse=True)
def attach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """An empty folder, and of the environment only the addresses of NOWHERE; a test may set another."""
    monkeypatch.chdir(tmp_path)
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    for name, url in NOWHERE.items():
        monkeypatch.setenv(name, url)
    return monkeypatch.setenv


@pytest.mark.parametrize(("module", "variable"), [(vector_store, "vector_db_url"), (queue, "queue_url")])
def test_an_adapter_exports_what_is_imported_from_it(module: ModuleType, variable: str) -> None:
    assert callable(module.connect)
    assert all(re.fullmatch("[a-z][a-z0-9+]*", scheme) for scheme in url_schemes()[variable])


def test_the_secrets_backend_adds_variables_of_its_own_to_the_settings() -> None:
    own = [name.upper() for name in secrets.Variables.model_fields]
    assert [name for name in own if name not in variables()] == []
    assert [name for name in own if not re.search(rf"^# {name}=", EXAMPLE, re.M)] == []


@pytest.mark.parametrize("variable", URLS)
def test_the_address_of_the_example_is_taken_and_another_one_refused(
    variable: str, attach: Callable[[str, str], None]
) -> None:
    for url in re.findall(rf", e\.g\. (\S+)\n(?:# )?{variable}=", EXAMPLE):
        attach(variable, url)
        assert getattr(load(), variable.lower()).get_secret_value() == url
    attach(variable, "gopher://user:hunter2@old.example.org")
    with pytest.raises(InvalidConfiguration, match=f"{variable}: .*{url_schemes()[variable.lower()][0]}://") as refused:
        load()
    assert "hunter2" not in str(refused.value)


def test_the_example_is_an_environment_in_which_the_bot_starts() -> None:
    """With each line of it taken in, and the defaults it states are the real ones."""
    Path("credentials").mkdir()  # SECRETS_DIR: who names a folder means one that is there
    before = load()
    required = "".join(f"{name}={url}\n" for name, url in NOWHERE.items())
    stated = re.sub(r"^# (?=[A-Z][A-Z0-9_]*=)", "", EXAMPLE, flags=re.M)
    Path(".env").write_text(re.sub(r"^(DATABASE|VECTOR_DB|QUEUE)_URL=.*\n", "", stated, flags=re.M) + required)
    assert load() == before


@pytest.mark.parametrize("module", [vector_store, queue, secrets], ids=lambda module: module.__name__)
def test_no_sdk_is_imported_before_it_is_needed(module: Any) -> None:
    """Some take seconds, and every command would wait for them."""
    at_the_top = ast.parse(Path(module.__file__).read_text()).body
    names = [alias.name for node in at_the_top if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in at_the_top if isinstance(node, ast.ImportFrom) and node.module]
    assert chosen_sdks().isdisjoint(name.partition(".")[0] for name in names)
