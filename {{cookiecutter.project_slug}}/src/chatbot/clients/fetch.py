"""Documents from the web, with no way to a private address: the only place that opens a URL which a user gave.

    fetcher = Fetcher(max_bytes=50_000_000, seconds=30)
    url = fetcher.check("HTTPS://Example.org:443/a.pdf#page=2")    # https://example.org/a.pdf; nothing is opened
    page = await fetcher.fetch(url)

Whoever lets users name URLs lets them ask from inside its network. So every address that a name leads to is looked at,
the connection goes to the very address that was looked at (a name may lead elsewhere a moment later), and a redirect is
a new URL, looked at again. Odd notations of an address are refused rather than understood.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from chatbot.domain import Unavailable, UnreadableDocument

if TYPE_CHECKING:
    import httpx2

MOST_REDIRECTS = 5
LONGEST_URL = 2000
CONNECT = 5.0
"""Seconds for one address to accept a connection."""
PORTS = {"http": 80, "https": 443}
REDIRECTS = {301, 302, 303, 307, 308}
BUSY = {408, 425, 429, 500, 502, 503, 504}
"""Answers after which another attempt may succeed."""
GZIP = 16 + zlib.MAX_WBITS
"""As zlib calls it."""

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

ODDLY_PACKED = "The URL's server packs the document in a way that is not read here."
MALFORMED = "The URL is malformed."
BLOCKED = "leads to a private or reserved address, which is not fetched (see FETCH_ALLOWED_HOSTS)"

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From a host's name and a port to its addresses. UnreadableDocument when there is no such host."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a URL gave."""

    content: bytes
    media_type: str
    """As the server has it, which need not be so; empty when it does not say."""


class Fetcher:
    def __init__(
        self,
        max_bytes: int,
        seconds: float,
        allowed_hosts: Collection[str] = (),
        ports: Collection[int] = tuple(PORTS.values()),
        resolve: Resolve | None = None,
        transport: Callable[[], httpx2.AsyncBaseTransport] | None = None,
    ) -> None:
        """`allowed_hosts` may be private; `seconds` are for everything together, redirects too."""
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._allowed = {host.strip().lower().rstrip(".") for host in allowed_hosts}
        self._ports = frozenset(ports)
        self._resolve = resolve or _resolve
        self._transport = transport or _transport

    def check(self, url: str) -> str:
        """The URL in its one normal form, without a fragment. UnreadableDocument says why it would not be fetched."""
        parts, host, port = _parsed(url)
        if port not in self._ports:
            raise UnreadableDocument("The URL names a port that is not fetched from (see FETCH_PORTS).")
        address = _literal(host)
        if address is not None and host not in self._allowed and not is_public(address):
            raise UnreadableDocument(f"The URL {BLOCKED}.")
        shown = f"[{host}]" if ":" in host else host
        location = shown if port == PORTS[parts.scheme] else f"{shown}:{port}"
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]") if parts.query else ""
        return f"{parts.scheme}://{location}{path}{query}"

    async def fetch(self, url: str) -> Page:
        """What is there now. UnreadableDocument, or Unavailable when another attempt may succeed."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url)
        except TimeoutError:
            raise UnreadableDocument(
                f"The URL did not give its document within {self._seconds:g} seconds (FETCH_TIMEOUT)."
            ) from None

    async def _follow(self, url: str) -> Page:
        for hop in range(MOST_REDIRECTS + 1):
            try:
                url = self.check(url)
                page, location = await self._get(url)
            except UnreadableDocument as error:
                raise error if hop == 0 else UnreadableDocument(_redirected(str(error))) from None
            if page is not None:
                return page
            with suppress(ValueError):
                location = urljoin(url, location)
            url = location
        raise UnreadableDocument(f"The URL redirects more than {MOST_REDIRECTS} times.")

    async def _get(self, url: str) -> tuple[Page | None, str]:
        """The page, or where it redirects to; from the first of the host's addresses that takes a connection."""
        import httpx2

        parts = urlsplit(url)
        refused = None
        for address in await self._addresses(parts.hostname or "", parts.port or PORTS[parts.scheme]):
            try:
                return await self._ask(parts, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refused = error
            except httpx2.HTTPError:
                raise Unavailable("The URL's server", "it broke off.") from None
        if _is_certificate(refused):
            raise UnreadableDocument("The URL's server has no valid certificate for its name.")
        raise Unavailable("The URL's server", "it takes no connection.")

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to. One private address among them, and the host is refused."""
        literal = _literal(host)
        addresses = [str(literal)] if literal is not None else await self._resolve(host, port)
        if host not in self._allowed and not all(is_public(ipaddress.ip_address(each)) for each in addresses):
            raise UnreadableDocument(f"The URL {BLOCKED}.")
        return addresses

    async def _ask(self, parts: SplitResult, address: str) -> tuple[Page | None, str]:
        import httpx2

        # The address stands in the URL, so that nothing resolves the name again; the name goes where servers look.
        location = f"[{address}]" if ":" in address else address
        url = parts._replace(netloc=f"{location}:{parts.port or PORTS[parts.scheme]}").geturl()
        headers = {"Host": parts.netloc, "Accept-Encoding": "gzip", "User-Agent": "chatbot", "Accept": "*/*"}
        timeout = httpx2.Timeout(self._seconds, connect=CONNECT)
        transport = await asyncio.to_thread(self._transport)  # reads the certificates that are trusted
        # A client of its own: no connection, cookie or proxy from elsewhere.
        async with httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
            tls = {"sni_hostname": parts.hostname}
            request = client.build_request("GET", url, headers=headers, extensions=tls)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                return await self._answer(response)
            finally:
                await response.aclose()

    async def _answer(self, response: httpx2.Response) -> tuple[Page | None, str]:
        status, headers = response.status_code, response.headers
        if status in REDIRECTS and headers.get("Location"):
            return None, headers["Location"]
        if status in BUSY:
            raise Unavailable("The URL's server", f"HTTP {status}.")
        if status != 200:
            raise UnreadableDocument(f"The URL gives no document: its server answers HTTP {status}.")
        declared = headers.get("Content-Length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()
        content = await self._body(response, headers.get("Content-Encoding", "").strip().lower())
        return Page(content, headers.get("Content-Type", "").partition(";")[0].strip().lower()), ""

    async def _body(self, response: httpx2.Response, encoding: str) -> bytes:
        """Read and unpacked piece by piece, never more than the limit."""
        if encoding not in ("", "identity", "gzip"):
            raise UnreadableDocument(ODDLY_PACKED)
        unpack = zlib.decompressobj(GZIP) if encoding == "gzip" else None
        content, taken = bytearray(), 0
        async for piece in response.aiter_raw():
            taken += len(piece)
            try:
                content += unpack.decompress(piece, self._max_bytes + 1 - len(content)) if unpack else piece
            except zlib.error:
                raise UnreadableDocument("What the URL gives is damaged.") from None
            if max(taken, len(content)) > self._max_bytes:
                raise self._too_large()
        if unpack and not unpack.eof:
            raise Unavailable("The URL's server", "it broke off.")
        if unpack and unpack.unused_data:
            raise UnreadableDocument(ODDLY_PACKED)
        return bytes(content)

    def _too_large(self) -> UnreadableDocument:
        return UnreadableDocument(f"The URL's document is larger than {self._max_bytes / 1e6:g} MB (MAX_DOCUMENT_MB).")


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


def _parsed(url: str) -> tuple[SplitResult, str, int]:
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


def _literal(host: str) -> IPAddress | None:
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    return None


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Unavailable("The name server", "try again later.") from None
        raise UnreadableDocument("The URL's host is not known.") from None
    except UnicodeError:
        raise UnreadableDocument("The URL names no proper host.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _transport() -> httpx2.AsyncBaseTransport:
    import httpx2

    return httpx2.AsyncHTTPTransport()


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _redirected(sentence: str) -> str:
    return sentence.replace("The URL", "The URL redirects; the new one", 1)
