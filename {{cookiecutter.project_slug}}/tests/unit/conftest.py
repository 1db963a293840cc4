"""What tests of the HTTP service and of the logs share: the application on services in memory, and logging put back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from chatbot.bootstrap import Services
from tests.unit.fakes import client_of, fake_services


@pytest.fixture
def services() -> Services:
    return fake_services()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(services) as client:
        yield client


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("chatbot").setLevel(logging.NOTSET)
    logging.captureWarnings(False)
