"""VII. Port binding: the process serves HTTP by itself, on the port it is told."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Mapping

import pytest

from chatbot.settings import home
from tests.processes import chatbot, environment, free_port, serving, until


@pytest.mark.slow
def test_two_processes_serve_on_two_ports(environ: Mapping[str, str]) -> None:
    with serving(environ) as (_, one), serving(environ) as (_, other):
        assert one.base_url != other.base_url
        for client in (one, other):  # an SDK that is slow to import may take more than the first look
            until(lambda client=client: client.get("/readyz").is_success)


@pytest.mark.slow
def test_a_port_in_use_ends_the_process_with_an_error(environ: Mapping[str, str]) -> None:
    with serving(environ) as (_, client):
        taken = {"HOST": "127.0.0.1", "PORT": str(client.base_url.port)}
        with chatbot("web", environ={**environ, **taken}) as second:
            assert second.stop(0) != 0


HEALTHCHECK = r'HEALTHCHECK .*?"-c", "(.*?)"\]'


def healthy(**environ: str) -> subprocess.CompletedProcess[str]:
    """What the image's health check says in that environment."""
    (found,) = re.findall(HEALTHCHECK, (home() / "deploy" / "Dockerfile").read_text("utf-8"), re.S)
    code = found.replace("\\\n", "")
    return subprocess.run([sys.executable, "-c", code], env=environment(**environ), capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6: enable it, or leave HOST alone")
def test_all_addresses_are_those_of_ipv4_too_and_the_health_check_finds_them(environ: Mapping[str, str]) -> None:
    everywhere = {"HOST": "::", "PORT": str(free_port())}
    with chatbot("web", environ={**environ, **everywhere}) as web:
        until(lambda: web.code is not None or healthy(**everywhere).returncode == 0)
        assert web.code is None, web.errors()
        with chatbot("web", environ={**environ, **everywhere}) as second:
            assert second.stop(0) != 0
            assert f"PORT {everywhere['PORT']} cannot be listened on" in second.errors()


def test_the_health_check_takes_an_empty_port_for_the_default_as_the_bot_does() -> None:
    assert "ValueError" not in healthy(HOST="", PORT="").stderr
