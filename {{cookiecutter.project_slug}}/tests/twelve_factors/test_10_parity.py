"""X. Dev/prod parity: the same kinds and major versions of services on a laptop as in production."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

import psycopg

from chatbot.settings import home
from tests.twelve_factors.declared import compose_services

SERVICES = tomllib.loads((home() / "services" / "services.toml").read_text())
LOCAL = {service["variable"]: service for service in SERVICES.get("server", {}).values()}


def attached() -> dict[str, str]:
    """The URLs that compose gives the processes, by variable."""
    compose = (home() / "deploy" / "compose.yaml").read_text()
    return dict(re.findall(r"^    ((?:DATABASE|VECTOR_DB|QUEUE)_URL): (.*)", compose, re.M))


def test_compose_attaches_what_runs_on_a_laptop_or_env_has_to_name_it() -> None:
    example = (home() / ".env.example").read_text()
    required = {variable for variable in LOCAL if re.search(rf"^{variable}=$", example, re.M)}
    assert required == LOCAL.keys()
    assert {"DATABASE_URL"} <= attached().keys() <= {"DATABASE_URL", *LOCAL}


def test_compose_runs_a_server_for_each_address_it_attaches() -> None:
    """But for those of an optional profile, which no process is attached to."""
    services = compose_services().items()
    backing = {name for name, block in services if "*chatbot" not in block and "profiles:" not in block}
    hosts = {re.sub(r"^\w+://(.*@)?|[:/].*$", "", url) for url in attached().values()}
    assert backing == hosts - {""}


def test_compose_speaks_the_same_protocols() -> None:
    for variable, url in attached().items():
        if variable in LOCAL:
            assert url.partition("://")[0] == LOCAL[variable]["url"].partition("://")[0]


def test_postgresql_is_of_the_same_major_version(environ: Mapping[str, str]) -> None:
    image = re.search(r"image: \S+:(?:pg)?(\d+)", compose_services()["db"])
    assert image
    with psycopg.connect(environ["DATABASE_URL"]) as connection:
        assert connection.info.server_version // 10_000 == int(image[1])
