"""Whose request it is, behind proxies that are trusted and headers that are not."""

from __future__ import annotations

import pytest
from fastapi import Request

from chatbot.web.auth.network import named_locally, network, origin


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return Request({"type": "http", "client": (peer, 1) if peer else None, "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "expected"),
    [
        ("192.0.2.1", [], 0, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.5"], 0, "192.0.2.1"),  # anybody can write it
        ("10.0.0.1", ["203.0.113.5"], 1, "203.0.113.5"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.5"], 1, "203.0.113.5"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.5, 10.0.0.2"], 2, "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5"], 2, "10.0.0.1"),  # somebody got past a proxy
        ("10.0.0.1", ["unknown"], 1, "10.0.0.1"),
        ("10.0.0.1", [""], 1, "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5:4711"], 1, "203.0.113.5"),
        ("10.0.0.1", ["[2001:db8:1:2:3:4:5:6]:443"], 1, "2001:db8:1::/56"),
        ("2001:db8:1:2:ffff::1", [], 0, "2001:db8:1::/56"),
        ("fe80::1%eth0", [], 0, "fe80::/56"),
        ("::ffff:192.0.2.1", [], 0, "192.0.2.1"),
        (None, [], 0, "unknown"),
        (None, ["203.0.113.5"], 1, "203.0.113.5"),
    ],
)
def test_network(peer: str | None, forwarded: list[str], proxies: int, expected: str) -> None:
    assert network(request(peer, *forwarded), proxies) == expected


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("localhost", True),
        ("bot.localhost:8000", True),
        ("mymachine:8000", True),
        ("", True),
        ("evil.example:8000", False),
        ("evil.example.", False),
        ("127.0.0.1.evil.example", False),
        ("[evil.example", False),
        ("localhost.evil.example", False),
    ],
)
def test_named_locally(host: str, local: bool) -> None:
    asked = Request({"type": "http", "headers": [(b"host", host.encode())]})
    assert named_locally(asked) == local


@pytest.mark.parametrize(
    ("scheme", "forwarded", "proxies", "expected"),
    [
        ("http", "", 0, "http://bot.example.org:8000"),
        ("https", "", 0, "https://bot.example.org:8000"),
        ("http", "https", 1, "https://bot.example.org:8000"),
        ("http", "http, https", 1, "https://bot.example.org:8000"),
        ("http", "https", 0, "http://bot.example.org:8000"),  # anybody can write it
    ],
)
def test_what_the_client_calls_us_by(scheme: str, forwarded: str, proxies: int, expected: str) -> None:
    headers = [(b"host", b"bot.example.org:8000"), (b"x-forwarded-proto", forwarded.encode())]
    assert origin(Request({"type": "http", "scheme": scheme, "headers": headers}), proxies) == expected
