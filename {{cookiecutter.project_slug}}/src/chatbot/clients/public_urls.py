"""Which URLs and addresses are public: parsed strictly, so that no two programs read a different host out of one URL.

    parts, host, port = parsed("https://example.org/a.pdf")
    is_public(ip_address("10.0.0.1"))       False

Odd notations of an address are refused rather than understood.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from chatbot.domain import UnreadableDocument

LONGEST_URL = 2000
PORTS = {"http": 80, "https": 443}
AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@%]+))(?::([0-9]{1,5}))?", re.IGNORECASE)
"""An IPv6 address or a host, and a port; no user, no zone."""
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
RESERVED = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform, which is not announced as private
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, with Teredo, which carries an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",  # documentation
    )
]
MALFORMED = "The URL is malformed."


def is_public(address: IPAddress) -> bool:
    """Whether anybody on the internet could have sent the same request to this address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return False
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:  # how a network without IPv4 reaches it
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_IPV6:
            return False
    return address.is_global and not any(address in network for network in RESERVED)


def parsed(url: str) -> tuple[SplitResult, str, int]:
    """The URL's parts, its host as it is compared and resolved, its port."""
    url = url.strip()
    # Programs differ on what a backslash or a control character in a URL means: such a URL may mean two hosts.
    if not url or len(url) > LONGEST_URL or not url.isprintable() or any(mark in url for mark in ' \\<>"'):
        raise UnreadableDocument(MALFORMED)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UnreadableDocument(MALFORMED) from None
    if parts.scheme not in PORTS:
        raise UnreadableDocument("The URL should begin with https:// or http://.")
    if "@" in parts.netloc:
        raise UnreadableDocument("The URL should hold no user name and no password.")
    authority = AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise UnreadableDocument(MALFORMED)
    ipv6, host, port = authority.groups()
    return parts, _ipv6(ipv6) if ipv6 else _host(host), int(port or PORTS[parts.scheme])


def _ipv6(text: str) -> str:
    with suppress(ValueError):
        return str(ipaddress.IPv6Address(text))
    raise UnreadableDocument(MALFORMED)


def _host(name: str) -> str:
    """A name in lower-case ASCII without a final dot, or an IPv4 address in its usual form."""
    host = ""
    with suppress(UnicodeError):
        # Full-width digits and the dots of other scripts become plain ones here.
        host = name.encode("idna").decode("ascii").lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise UnreadableDocument("The URL names no proper host.")
    if not NUMBER.fullmatch(labels[-1]):
        return host
    with suppress(ValueError):
        return str(ipaddress.IPv4Address(host))
    # 2130706433, 0x7f.1, 0177.0.0.1: some programs take these for addresses.
    raise UnreadableDocument("The URL writes its address in an unusual way: four decimal numbers are taken.")


def literal(host: str) -> IPAddress | None:
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    return None
