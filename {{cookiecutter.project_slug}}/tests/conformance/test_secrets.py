"""Secrets reach the settings from wherever the chosen backend keeps them, and no value reaches a message.

Where the backend is a store, `services/` has its server, or a fake of one that the vendor's own SDK talks to.
"""

from __future__ import annotations

import gc
import importlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from chatbot import settings
from chatbot.chosen import secrets
from chatbot.clients import secret_store
from chatbot.domain import InvalidConfiguration
from services.process import Process, running
from tests.conftest import SERVICES
from tests.processes import chatbot, environment, serving, until
from tests.unit import openai_server

BACKEND = SERVICES["choices"]["secrets_backend"]
SERVER: Any = importlib.import_module(f"services.{BACKEND}") if find_spec(f"services.{BACKEND}") else None
READS_FILES = hasattr(secrets, "SecretFiles")
DATABASE = "postgresql://user:secret@db/chatbot"
SCHEMES = settings.url_schemes()
URLS = {
    "VECTOR_DB_URL": f"{SCHEMES['vector_db_url'][0]}://vectors",
    "QUEUE_URL": f"{SCHEMES['queue_url'][0]}://broker",
    "DATABASE_URL": DATABASE,
}
CANARY = "canary-4f1d"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty environment and an empty working directory."""
    for variable in settings.variables():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def refused(**arguments: Any) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        settings.load(**arguments)
    return str(caught.value)


def test_the_environment_comes_before_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "credentials", database_url="postgresql://from-a-file/chatbot")
    for variable, url in URLS.items():
        monkeypatch.setenv(variable, url)
    assert settings.load().database_url.get_secret_value() == DATABASE
    assert settings.load(database_url="postgresql://argument/x").database_url.get_secret_value().endswith("argument/x")


def test_a_missing_secret_is_named_and_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_URL", f"wrong://user:{CANARY}@broker")
    said = refused()
    assert "DATABASE_URL: is not set" in said
    assert "QUEUE_URL" in said
    assert CANARY not in said


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, url in URLS.items():
        monkeypatch.setenv(variable, url)
    for name in settings.secret_names():
        if name.upper() not in URLS:
            monkeypatch.setenv(name.upper(), CANARY)
    loaded = settings.load()
    assert CANARY not in repr(loaded) + str(settings.masked(loaded))
    assert "secret@" not in repr(loaded)


def test_an_sdk_is_not_imported_before_its_store_is_named() -> None:
    code = "import sys; from chatbot import settings; settings.load(database_url='postgresql://db/x', "
    code += f"vector_db_url={URLS['VECTOR_DB_URL']!r}, queue_url={URLS['QUEUE_URL']!r}); "
    code += "print([name for name in ('hvac', 'boto3', 'google.cloud', 'azure.identity') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


if READS_FILES:

    def test_files_named_as_variables_in_any_case(tmp_path: Path) -> None:
        write(tmp_path / "credentials", **{name.lower(): f"{url}\n" for name, url in URLS.items()})
        write(tmp_path / "credentials", LLM_API_KEY="key\r\n")
        loaded = settings.load()
        assert loaded.database_url.get_secret_value() == DATABASE
        assert loaded.llm_api_key.get_secret_value() == "key"

    @pytest.mark.parametrize("where", ["environment", ".env"])
    def test_secrets_dir_is_another_folder(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        write(tmp_path / "credentials", DATABASE_URL="postgresql://not-this-one/chatbot")
        folder = write(tmp_path / "mounted", **URLS)
        if where == "environment":
            monkeypatch.setenv("SECRETS_DIR", str(folder))
        else:
            (tmp_path / ".env").write_text(f"SECRETS_DIR={folder}\n")
        assert settings.load().database_url.get_secret_value() == DATABASE

    def test_kubernetes_mounts_are_links(tmp_path: Path) -> None:
        folder = write(tmp_path / "credentials")
        write(folder / "..2026_01_01", **URLS)
        (folder / "..data").symlink_to("..2026_01_01")
        for name in URLS:
            (folder / name).symlink_to(Path("..data") / name)
        assert settings.load().database_url.get_secret_value() == DATABASE

    def test_dockers_folder_is_read_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(secret_store, "DOCKER", write(tmp_path / "run", **URLS))
        assert settings.load().database_url.get_secret_value() == DATABASE

    def test_a_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRETS_DIR", "nowhere")
        assert "SECRETS_DIR: there is no folder nowhere" in refused()

    def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
        write(tmp_path / "credentials", **URLS)
        (tmp_path / "credentials" / "LLM_API_KEY").write_bytes(b"\xff\xfe\xff")
        assert "credentials/LLM_API_KEY is not UTF-8 text" in refused()


class Files:
    """The backend `files`, put to the test as the stores are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.logins = [{"SECRETS_DIR": str(folder)}]

    def put(self, values: Mapping[str, str]) -> None:
        write(self._folder, **values)

    def fail(self) -> None:
        self._folder.rename(self._folder.with_name("gone"))

    def recover(self) -> None:
        self._folder.with_name("gone").rename(self._folder)


class Store:
    """A server of a store, and what a test does to it."""

    def __init__(self, folder: Path) -> None:
        self._process = Process(folder, "SECRETS", SERVER.COMMAND, SERVER.URL, SERVER.READY)
        self.url = self._process.start()
        self._pid = folder / "pid"
        self.logins: list[dict[str, str]] = SERVER.prepare(self.url, folder)

    def put(self, values: Mapping[str, str]) -> None:
        SERVER.put(self.url, dict(values))

    def fail(self) -> None:
        """It takes connections and answers nothing, as an overloaded one does."""
        self._signal(signal.SIGSTOP)

    def recover(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        self.recover()
        self._process.stop()

    def _signal(self, number: int) -> None:
        server = running(self._pid)
        assert server
        server.send_signal(number)


if SERVER or READS_FILES:

    @pytest.fixture
    def store(tmp_path: Path) -> Iterator[Store | Files]:
        if not SERVER:
            yield Files(write(tmp_path / "secrets"))
            return
        kept = Store(write(tmp_path / "store"))
        try:
            yield kept
        finally:
            kept.stop()

    @pytest.fixture
    def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        def configured(*variables: Mapping[str, str]) -> None:
            for each in variables:
                for name, value in each.items():
                    monkeypatch.setenv(name, value)

        return configured

    def test_every_setting_may_come_from_the_store_by_every_login(store: Any, configure: Any, monkeypatch: Any) -> None:
        store.put({**URLS, "LLM_API_KEY": CANARY, "PASSAGES": "7"})
        for login in store.logins:
            with monkeypatch.context():
                configure(login)
                loaded = settings.load()
                assert loaded.database_url.get_secret_value() == DATABASE
                assert loaded.llm_api_key.get_secret_value() == CANARY
                assert loaded.passages == 7
                assert CANARY not in repr(loaded) + str(settings.masked(loaded))
            for name in login:
                monkeypatch.delenv(name)

    def test_precedence(store: Any, configure: Any, tmp_path: Path) -> None:
        """Arguments, environment, .env, secret files, the store, defaults."""
        store.put({**URLS, "LLM_MODEL": "store", "LLM_API_KEY": "store", "BOT_NAME": "store", "CORPUS": "store"})
        configure(store.logins[0], {"CORPUS": "environment", "BOT_NAME": "environment"})
        (tmp_path / ".env").write_text("BOT_NAME=dotenv\nLLM_API_KEY=dotenv\n")
        loaded = settings.load(corpus="argument")
        assert (loaded.corpus, loaded.bot_name) == ("argument", "environment")
        assert (loaded.llm_api_key.get_secret_value(), loaded.llm_model) == ("dotenv", "store")
        assert loaded.passages == loaded.__class__.model_fields["passages"].default
        if SERVER:
            configure({"SECRETS_DIR": str(write(tmp_path / "files", LLM_MODEL="file", LLM_API_KEY="file"))})
            loaded = settings.load()
            assert (loaded.llm_api_key.get_secret_value(), loaded.llm_model) == ("dotenv", "file")

    def test_what_the_processes_say_holds_no_secret(store: Any, urls: dict[str, str], database: Any) -> None:
        """Every process boots with nothing but the way to the store, and a canary in every secret is never seen."""
        canaries = {name.upper(): CANARY for name in settings.secret_names() if name.endswith("_key")}
        with openai_server.running() as server:
            store.put({**urls, **canaries, "LLM_URL": server.url, "LLM_MODEL": "m", "LOG_LEVEL": "DEBUG"})
            server.status = 500
            environ = store.logins[0]
            with (
                serving(environ) as (web, client),
                chatbot("worker", environ=environ) as worker,
                chatbot("scheduler", environ=environ) as scheduler,
            ):
                file = {"file": ("canary.md", b"# Canary\n\nA yellow bird sings.\n")}
                job = client.post("/v1/documents", files=file).json()["job"]["id"]
                until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] in ("succeeded", "failed"))
                said = [
                    client.post("/v1/chat", json={"question": "What sings?"}).text,
                    client.get("/metrics").text,
                    client.get(f"/v1/jobs/{job}").text,
                    client.get("/readyz").text,
                ]
                assert [process.stop() for process in (web, worker, scheduler)] == [0, 0, 0]
                said += [text for p in (web, worker, scheduler) for text in (*p.output(), p.errors())]
        for command in (("config", "show"), ("config", "show", "--json"), ("config", "check"), ("jobs", "list")):
            with chatbot(*command, environ=environ) as process:
                assert process.stop(0) == 0, process.errors()
                said += [*process.output(), process.errors()]
        assert len(said) > 10
        assert CANARY not in "\n".join(said)
        logins = [value for name, value in environ.items() if name.lower() in settings.secret_names()]
        assert not [login for login in logins if login in "\n".join(said)]

    def test_a_rotated_secret_is_used_without_a_restart(store: Any, urls: dict[str, str], database: Any) -> None:
        """And the last good one is kept while the store is down."""
        with openai_server.running() as server:
            document = {**urls, "LLM_URL": server.url, "LLM_MODEL": "m", "SECRETS_REFRESH": "0.5"}
            store.put({**document, "LLM_API_KEY": "first"})
            with serving(store.logins[0]) as (web, client), chatbot("worker", environ=store.logins[0]) as worker:
                file = {"file": ("rotated.md", b"# Rotation\n\nThe moon turns around the earth.\n")}
                job = client.post("/v1/documents", files=file).json()["job"]["id"]
                until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded")

                def key() -> str:
                    client.post("/v1/chat", json={"question": "What turns around the earth?"})
                    return server.keys[-1].removeprefix("Bearer ") if server.keys else ""

                until(lambda: key() == "first")
                store.put({**document, "LLM_API_KEY": "second"})
                until(lambda: key() == "second")
                until(lambda: [line for line in worker.logs() if line["message"] == "secrets changed"])
                store.fail()
                until(lambda: [line for line in web.logs() if line["message"] == "secrets not renewed"])
                assert key() == "second"
                store.recover()
                store.put({**document, "LLM_API_KEY": "third"})
                until(lambda: key() == "third")
                assert [web.stop(), worker.stop()] == [0, 0]
                assert not {"first", "second", "third"} & {str(v) for line in web.logs() for v in line.values()}


if SERVER:

    def test_what_is_wrong_is_told_in_one_sentence(store: Store, configure: Any) -> None:
        store.put({**URLS, "LLM_API_KEY": CANARY})
        configure(store.logins[0])
        with pytest.MonkeyPatch.context() as changed, SERVER.denied(store.url) as login:
            for name, value in login.items():
                changed.setenv(name, value)
            denied = refused()
        with pytest.MonkeyPatch.context() as changed:
            for name, value in SERVER.MISSING.items():
                changed.setenv(name, value)
            missing = refused()
        with pytest.MonkeyPatch.context() as changed:
            for name, value in SERVER.at("http://127.0.0.1:1").items():
                changed.setenv(name, value)
            unreachable = refused()
        for said in (denied, missing, unreachable):
            (sentence,) = said.splitlines()[1:]
            assert CANARY not in said
            assert ":" in sentence
        assert len({denied, missing, unreachable}) == 3

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_store_that_hangs_is_given_up_after_three_seconds(store: Store, configure: Any) -> None:
        configure(store.logins[0])
        store.put(URLS)
        settings.load()
        store.fail()
        assert "did not answer within 3 seconds" in (said := refused()) or "does not answer" in said
        assert len(said.splitlines()) == 2
        store.recover()
        for thread in threading.enumerate():  # what was left behind ends; an SDK may leave its connection unclosed
            if thread.name.startswith("secrets from"):
                thread.join(10)
        gc.collect()

    def test_config_check_says_so_and_fails(store: Store) -> None:
        store.put(URLS)
        with chatbot("config", "check", environ=store.logins[0]) as process:
            assert process.stop(0) == 0, process.errors()
        with chatbot("config", "check", environ=store.logins[0] | SERVER.at("http://127.0.0.1:1")) as process:
            assert process.stop(0) == 1
            assert "Traceback" not in process.errors()
            assert len(process.errors().splitlines()) == 2

    def test_a_store_that_is_not_named_is_not_asked(configure: Any) -> None:
        configure(URLS)
        assert settings.load().database_url.get_secret_value() == DATABASE
