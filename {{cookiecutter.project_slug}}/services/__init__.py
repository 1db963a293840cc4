"""Starts the real backing services on a laptop, without Docker, for `chatbot dev` and the tests. Not for production.

    with services.start(Path(".services"), os.environ) as urls:
        urls["DATABASE_URL"]        # also in .services/env, which the settings read

A service whose variable is set already is somebody else's: it is left alone. Several programs may share one folder:
the first starts the servers, the last to leave stops them, and what a killed program left behind is used again.
"""

from __future__ import annotations

import fcntl
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from services.postgres import Postgres
from services.process import Folder, NotInstalled, Process, ServiceError

__all__ = ["NotInstalled", "ServiceError", "start"]

DATABASE = "DATABASE_URL"
ADVICE = "work as that user, or remove the folder, which holds only what was indexed here."
Server = Postgres | Process | Folder


@contextmanager
def start(folder: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run what `environ` does not name, and yield the URLs by variable. ServiceError says what cannot start and why."""
    folder = folder.resolve()
    servers = _servers(folder, environ)
    with ExitStack() as files:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            users, starting = (files.enter_context((folder / name).open("w")) for name in ("users", "starting"))
            with _locked(starting):
                # Held as long as this program lives, however it ends: the kernel releases it.
                fcntl.flock(users, fcntl.LOCK_SH)
                urls = _start(folder, servers)
        except PermissionError as error:  # another user's folder, or root's after `sudo make demo`
            raise ServiceError(f"{folder} is another user's ({error}): {ADVICE}") from error
        except OSError as error:
            raise ServiceError(f"The services cannot be started: {error}") from error
        try:
            yield urls
        finally:
            with _locked(starting):
                if _alone(users):
                    _stop(folder, servers)


def _servers(folder: Path, environ: Mapping[str, str]) -> dict[str, Server]:
    """By variable, without those that `environ` names."""
    declared = tomllib.loads(Path(__file__).with_name("services.toml").read_text()).get("server", {})
    servers: dict[str, Server] = {} if environ.get(DATABASE) else {DATABASE: Postgres(folder / "postgres")}
    for name, service in declared.items():
        if not environ.get(service["variable"]):
            served = Process(folder / name, **service) if service["command"] else Folder(folder / name, service["url"])
            servers[service["variable"]] = served
    return servers


def _start(folder: Path, servers: Mapping[str, Server]) -> dict[str, str]:
    try:
        urls = {variable: server.start() for variable, server in servers.items()}
    except BaseException:
        _stop(folder, servers)
        raise
    (folder / "env").write_text("".join(f"{variable}={url}\n" for variable, url in urls.items()))
    return urls


def _stop(folder: Path, servers: Mapping[str, Server]) -> None:
    (folder / "env").unlink(missing_ok=True)
    for server in servers.values():
        server.stop()


def _alone(users: IO[str]) -> bool:
    """Give up this program's share; whether nobody else holds one."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
