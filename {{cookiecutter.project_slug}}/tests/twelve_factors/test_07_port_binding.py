"""VII. Port binding: the process serves HTTP by itself, on the port it is told."""

from __future__ import annotations

from collections.abc import Mapping

from tests.processes import chatbot, serving, until


def test_two_processes_serve_on_two_ports(environ: Mapping[str, str]) -> None:
    with serving(environ) as (_, one), serving(environ) as (_, other):
        assert one.base_url != other.base_url
        for client in (one, other):  # an SDK that is slow to import may take more than the first look
            until(lambda client=client: client.get("/readyz").is_success)


def test_a_port_in_use_ends_the_process_with_an_error(environ: Mapping[str, str]) -> None:
    with serving(environ) as (_, client):
        taken = {"HOST": "127.0.0.1", "PORT": str(client.base_url.port)}
        with chatbot("web", environ={**environ, **taken}) as second:
            assert second.stop(0) != 0
