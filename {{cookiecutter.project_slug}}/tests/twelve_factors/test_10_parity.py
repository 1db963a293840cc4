"""X. Dev/prod parity: the same kinds and major versions of services on a laptop as in production."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

import psycopg

from chatbot.settings import home
from tests.twelve_factors.declared import compose_services

SERVICES = tomllib.loads((home() / "services" / "services.toml").read_text())
LOCAL = {service["variable"]: service for service in SERVICES.values()}


def test_compose_attaches_what_runs_on_a_laptop() -> None:
    compose = (home() / "deploy" / "compose.yaml").read_text()
    attached = set(re.findall(r"^    ((?:DATABASE|VECTOR_DB|QUEUE)_URL):", compose, re.M))
    assert attached == {"DATABASE_URL", *LOCAL}
    backing = {name for name, block in compose_services().items() if "*chatbot" not in block}
    assert len(backing) == len(attached)


def test_compose_speaks_the_same_protocols() -> None:
    compose = (home() / "deploy" / "compose.yaml").read_text()
    for variable, service in LOCAL.items():
        found = re.search(rf"^    {variable}: (\w+)://", compose, re.M)
        assert found
        assert found[1] == service["url"].partition("://")[0]


def test_postgresql_is_of_the_same_major_version(environ: Mapping[str, str]) -> None:
    image = re.search(r"image: \S+:(?:pg)?(\d+)", compose_services()["db"])
    assert image
    with psycopg.connect(environ["DATABASE_URL"]) as connection:
        assert connection.info.server_version // 10_000 == int(image[1])
