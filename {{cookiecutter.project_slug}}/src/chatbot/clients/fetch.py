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

from chatbot.clients.public_urls import PORTS, is_public, literal, parsed
from chatbot.clients.retry_after import retry_after
from chatbot.domain import Unavailable, UnreadableDocument

if TYPE_CHECKING:
    import httpx2

MOST_REDIRECTS = 5
CONNECT = 5.0
"""Seconds for one address to accept a connection."""
REDIRECTS = {301, 302, 303, 307, 308}
BUSY = {408, 425, 429, 500, 502, 503, 504}
"""Answers after which another attempt may succeed."""
CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
GZIP = 16 + zlib.MAX_WBITS
"""As zlib calls it."""
ODDLY_PACKED = "The URL's server packs the document in a way that is not read here."
BLOCKED = "leads to a private or reserved address, which is not fetched (see FETCH_ALLOWED_HOSTS)"
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From a host's name and a port to its addresses. UnreadableDocument when there is no such host."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a URL gave."""

    content: bytes
    media_type: str
    """As the server has it, which need not be so; empty when it does not say."""
    charset: str = ""
    """Likewise."""


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
        parts, host, port = parsed(url)
        if port not in self._ports:
            raise UnreadableDocument("The URL names a port that is not fetched from (see FETCH_PORTS).")
        address = literal(host)
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
            late = f"it did not give its document within {self._seconds:g} seconds (FETCH_TIMEOUT)."
            raise Unavailable("The URL's server", late) from None

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
        address = literal(host)
        addresses = [str(address)] if address is not None else await self._resolve(host, port)
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
            raise Unavailable("The URL's server", f"HTTP {status}.", retry_after(headers))
        if status != 200:
            raise UnreadableDocument(f"The URL gives no document: its server answers HTTP {status}.")
        declared = headers.get("Content-Length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()
        content = await self._body(response, headers.get("Content-Encoding", "").strip().lower())
        media_type, _, parameters = headers.get("Content-Type", "").partition(";")
        charset = CHARSET.search(parameters)
        return Page(content, media_type.strip().lower(), charset[1] if charset else ""), ""

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
