"""From which network a request comes, as far as that can be believed. It is counted by, and never written down."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request

IPV6_PREFIX = 56
"""Bits of an IPv6 address that a household or an office shares; providers give a customer that much, or more."""
PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Headers that proxies add."""


def network(request: Request, proxies: int) -> str:
    """The client's IPv4 address or IPv6 network.

    Each of the `proxies` in front appends whom it heard from to X-Forwarded-For; what stands before that anybody could
    have written. Where the header has fewer entries, or nonsense, it is the peer's address that counts.
    """
    peer = request.client.host if request.client else ""
    entries = ",".join(request.headers.getlist("x-forwarded-for")).split(",") if proxies else []
    candidate = entries[-proxies] if 0 < proxies <= len(entries) else peer
    return _network(candidate) or _network(peer) or "unknown"


def named_locally(request: Request) -> bool:
    """Whether the client calls us by an address, or a name that no other site can own: one without a dot.

    Any site can let its own name lead to 127.0.0.1, and a browser then takes our answers for that site's.
    """
    name = re.sub(r":\d*$", "", request.headers.get("host", "")).strip("[]").lower().rstrip(".")
    return "." not in name or name.endswith(".localhost") or bool(_network(name))


def passed_on(request: Request) -> bool:
    """Whether a proxy sent it, for somebody elsewhere: by its headers, or by HTTP/1.0, which nginx speaks to what is
    behind it unless it is told otherwise, and no browser speaks any more."""
    return request.scope.get("http_version") == "1.0" or any(name in request.headers for name in PASSED_ON)


def by_tls(request: Request, proxies: int) -> bool:
    """Whether the client came by TLS, to us or, as it says, to the proxy in front of us."""
    forwarded = request.headers.get("x-forwarded-proto", "").split(",")[-1].strip()
    return request.scope.get("scheme") == "https" or (proxies > 0 and forwarded == "https")


def origin(request: Request, proxies: int) -> str:
    """What the client calls us by, e.g. https://bot.example.org: good for an answer to this very client only."""
    scheme = "https" if by_tls(request, proxies) else "http"
    return f"{scheme}://{request.headers.get('host', '')}"


def _network(text: str) -> str:
    """E.g. 192.0.2.7, or 2001:db8:0:100::/56; "" for what is no address. Some proxies add the port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX), strict=False)) if isinstance(address, IPv6Address) else str(address)
