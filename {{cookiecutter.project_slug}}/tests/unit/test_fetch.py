"""Documents from the web: no way to a private address, nothing read past the limits, one sentence for each refusal.

The names are made up and resolved by a table; what answers is a real server on this machine. A connection to a public
address is noted, then made to that server in its place, so that what is checked is where the bot would have gone.
"""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import ssl
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatbot.clients.fetch import Fetcher
from chatbot.clients.public_urls import is_public
from chatbot.domain import ChatbotError, Unavailable, UnreadableDocument
from tests.programs import program

pytestmark = pytest.mark.slow

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
LIMIT = 200_000
Answer = Callable[[BaseHTTPRequestHandler], None]


def page(content: bytes = b"# Rain", status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Type": "text/markdown; charset=utf-8", **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def redirect(to: str, status: int = 302) -> Answer:
    return page(b"", status, Location=to)


class Server:
    """Answers each path as it is told, and keeps the headers it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.headers["Host"], self.path))
                try:
                    server.answers[self.path](self)
                except OSError:
                    self.close_connection = True  # the bot has seen enough

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


class Detour(httpx2.AsyncBaseTransport):
    """Notes the address and the TLS name of each connection, and connects to the test's server in its place."""

    def __init__(self, port: int, connections: list[tuple[str, str]]) -> None:
        self.port, self.connections = port, connections
        self.real = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.connections.append((request.url.host, request.extensions["sni_hostname"]))
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self.port)
        return await self.real.handle_async_request(request)

    async def aclose(self) -> None:
        await self.real.aclose()


class Web:
    """A fetcher for names of this table: what a name resolves to, a list for each time that it is asked."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.names: dict[str, list[list[str]]] = {"public.test": [[PUBLIC]]}
        self.connections: list[tuple[str, str]] = []
        detour = lambda: Detour(server.port, self.connections)  # noqa: E731
        self.fetcher = Fetcher(
            **{"max_bytes": LIMIT, "seconds": 10, "transport": detour, **options}, resolve=self.resolve
        )

    async def resolve(self, host: str, port: int) -> list[str]:
        answers = self.names.get(host, [[]])
        if not answers[0]:
            raise UnreadableDocument("The URL's host is not known.")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def web(server: Server) -> Web:
    return Web(server)


# No way to a private address ------------------------------------------------------------------------------------------

LITERALS = """
http://127.0.0.1/ http://127.1.2.3/ http://0.0.0.0/ http://10.0.0.8/ http://172.16.5.4/ http://192.168.1.1/
http://100.64.0.1/ http://100.100.100.200/ http://169.254.169.254/latest/meta-data/ http://168.63.129.16/
http://192.0.0.192/ http://198.18.0.1/ http://224.0.0.1/ http://240.0.0.1/ http://255.255.255.255/
http://[::]/ http://[::1]/ http://[fe80::1]/ http://[fc00::1]/ http://[fd00:ec2::254]/ http://[ff02::1]/
http://[::ffff:127.0.0.1]/ http://[::ffff:a9fe:a9fe]/ http://[::127.0.0.1]/ http://[64:ff9b::127.0.0.1]/
http://[64:ff9b::a9fe:a9fe]/ http://[64:ff9b:1::1]/ http://[2002:7f00:1::]/ http://[2002:a9fe:a9fe::1]/
http://[2001:0:7f00:1::]/ http://[2001:db8::1]/ http://[0:0:0:0:0:0:0:1]/ http://[fec0::1]/
http://127.0.0.1./ http://１２７.０.０.１/ http://127。0。0。1/ http://127.0.0.1:443/ https://10.0.0.1/#@public.test
HTTP://127.0.0.1/ http://169.254.169.254?@public.test/
"""
ODD = """
http://2130706433/ http://0x7f000001/ http://0x7f.0.0.1/ http://0177.0.0.1/ http://017700000001/ http://127.1/
http://127.0.1/ http://0/ http://127.0.0.01/ http://0x7f.1/ http://0xA9FEA9FE/ http://2852039166/ http://①②⑦.0.0.1/
http://127.0.0.256/ http://1.2.3.4.5/ http://8.8.8.010/
"""
TRICKS = [
    *("http://public.test@127.0.0.1/", "http://public.test:80@127.0.0.1/", "http://user:word@public.test/"),
    *(
        "http://127.0.0.1\\@public.test/",
        "http://public.test\\.127.0.0.1/",
        "http:\\\\127.0.0.1/",
        "http:/\\127.0.0.1/",
    ),
    *("http://127.0.0.1%2f@public.test/", "http://127%2e0.0.1/", "http://[::1]public.test/", "http://[::1%25lo]/"),
    *("http://[::1]:80:80/", "http://public.test:0x50/", "http://public.test: 80/", "http://public test/", "http://"),
    *("http://pub\tlic.test/", "http://public.test\r\nHost: 127.0.0.1/", "http://\x00127.0.0.1/", "http:///127.0.0.1/"),
    *("//127.0.0.1/", "127.0.0.1", "file:///etc/passwd", "ftp://public.test/", "gopher://127.0.0.1:6379/_INFO"),
    *("data:text/plain,hello", "javascript:alert(1)", "jar:http://127.0.0.1!/", "unix:///run/docker.sock", ""),
    *("http://public.test:22/", "http://public.test:6379/", "http://public.test:99999/", "http://public.test:8080/"),
    *("http://-public.test/", "http://pub..lic.test/", "http://.public.test/", "http://" + "a" * 64 + ".test/"),
    "http://public.test/" + "a" * 2000,
]
RESOLVED = """
127.0.0.1 10.1.2.3 172.31.255.255 192.168.0.10 169.254.169.254 100.64.0.1 0.0.0.0 168.63.129.16 192.0.2.1 ::1 ::
fe80::1 fe80::1%eth0 fd12:3456::1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:a00:1::1 2001:0:a00:1::1 ff05::1
"""


def refused(error: ChatbotError) -> str:
    """One clear sentence, without an address."""
    sentence = str(error)
    assert sentence.startswith("The URL")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not any(part in sentence for part in ("127.", "10.", "169.", "::", "public.test"))
    return sentence


@pytest.mark.parametrize("url", LITERALS.split())
async def test_a_private_address_is_refused_unasked(web: Web, url: str) -> None:
    with pytest.raises(UnreadableDocument) as checked:
        web.fetcher.check(url)
    with pytest.raises(UnreadableDocument) as fetched:
        await web.fetcher.fetch(url)
    assert "private or reserved address" in refused(checked.value)
    assert refused(fetched.value) == refused(checked.value)
    assert web.connections == []


@pytest.mark.parametrize("url", [*ODD.split(), *TRICKS])
async def test_an_odd_notation_is_refused_rather_than_understood(web: Web, url: str) -> None:
    with pytest.raises(UnreadableDocument) as error:
        await web.fetcher.fetch(url)
    refused(error.value)
    assert web.connections == []


@pytest.mark.parametrize("address", RESOLVED.split())
async def test_a_name_that_leads_to_a_private_address_is_refused(web: Web, address: str) -> None:
    web.names["inside.test"] = [[address]]
    web.names["both.test"] = [[PUBLIC, address]]
    for host in ("inside.test", "both.test"):
        with pytest.raises(UnreadableDocument, match="private or reserved address") as error:
            await web.fetcher.fetch(f"http://{host}/")
        refused(error.value)
    assert web.connections == []


@pytest.mark.parametrize("name", ["localhost", "localhost.", "LOCALHOST", "ip6-localhost"])
async def test_the_system_resolver_is_believed_no_more_than_a_name(name: str) -> None:
    with pytest.raises(UnreadableDocument, match=r"private or reserved address|not known"):
        await Fetcher(max_bytes=LIMIT, seconds=5).fetch(f"http://{name}/")


async def test_a_name_that_leads_elsewhere_a_moment_later_is_not_asked_again(web: Web, server: Server) -> None:
    """DNS rebinding: what was looked at is what is connected to."""
    server.answers["/a.md"] = page()
    web.names["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert (await web.fetcher.fetch("http://rebind.test/a.md")).content == b"# Rain"
    assert web.connections == [(PUBLIC, "rebind.test")]
    with pytest.raises(UnreadableDocument, match="private"):
        await web.fetcher.fetch("http://rebind.test/a.md")
    assert len(web.connections) == 1


async def test_a_name_that_leads_elsewhere_after_a_redirect_is_looked_at_again(web: Web, server: Server) -> None:
    server.answers["/a"] = redirect("/b")
    web.names["rebind.test"] = [[PUBLIC], ["169.254.169.254"]]
    with pytest.raises(UnreadableDocument, match=r"redirects.*private"):
        await web.fetcher.fetch("http://rebind.test/a")
    assert web.connections == [(PUBLIC, "rebind.test")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.1/", "//169.254.169.254/latest/", "http://[::1]/", "http://inside.test/", "http://0x7f.1/"),
        *(
            "http://public.test@127.0.0.1/",
            "file:///etc/passwd",
            "http://public.test:6379/",
            "http://127.0.0.1\\@x.test/",
        ),
        *("http://[::1", "//[127.0.0.1]/", "?" + "a" * 2000),
    ],
)
async def test_a_redirect_is_looked_at_like_any_url(web: Web, server: Server, target: str, status: int) -> None:
    server.answers["/a"] = redirect(target, status)
    web.names["inside.test"] = [["10.0.0.1"]]
    with pytest.raises(UnreadableDocument, match=r"^The URL redirects; the new one ") as error:
        await web.fetcher.fetch("http://public.test/a")
    refused(error.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "1.1.1.1", "64:ff9b::1.1.1.1", "::ffff:8.8.8.8", "2a00:1450::1"])
def test_what_is_public_is_not_refused(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


# What is fetched ------------------------------------------------------------------------------------------------------


async def test_the_name_goes_where_servers_look_and_the_address_where_the_connection_goes(
    web: Web, server: Server
) -> None:
    server.answers["/r%C3%A9sum%C3%A9.md?a=1&b=%20"] = page()
    found = await web.fetcher.fetch("https://Public.TEST.:443/résumé.md?a=1&b=%20#part")
    assert (found.content, found.media_type) == (b"# Rain", "text/markdown")
    assert web.connections == [(PUBLIC, "public.test")]
    assert server.asked == [("public.test", "/r%C3%A9sum%C3%A9.md?a=1&b=%20")]


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://Example.ORG:443", "https://example.org/"),
        (" http://example.org:80/a#b ", "http://example.org/a"),
        ("https://bücher.example/ü?q=é", "https://xn--bcher-kva.example/%C3%BC?q=%C3%A9"),
        ("http://[2606:2800:021F::1]:80/", "http://[2606:2800:21f::1]/"),
        ("http://93.184.215.14/a?b#c", "http://93.184.215.14/a?b"),
        ("http://example.org./a%20b", "http://example.org/a%20b"),
        ("https://example.org:80/", "https://example.org:80/"),
    ],
)
def test_a_url_has_one_form(web: Web, url: str, normal: str) -> None:
    assert web.fetcher.check(url) == normal
    assert web.fetcher.check(normal) == normal


async def test_every_address_of_a_host_is_tried(server: Server) -> None:
    server.answers["/"] = page()
    web = Web(server)

    class Unreachable(Detour):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.host == OTHER:
                self.connections.append((request.url.host, ""))
                raise httpx2.ConnectError("no route")
            return await super().handle_async_request(request)

    web.fetcher._transport = lambda: Unreachable(server.port, web.connections)
    web.names["two.test"] = [[OTHER, PUBLIC]]
    assert (await web.fetcher.fetch("http://two.test/")).content == b"# Rain"
    assert [address for address, _ in web.connections] == [OTHER, PUBLIC]
    web.names["two.test"] = [[OTHER]]
    with pytest.raises(Unavailable, match="takes no connection"):
        await web.fetcher.fetch("http://two.test/")


async def test_redirects_are_followed_five_times(web: Web, server: Server) -> None:
    for hop in range(7):
        server.answers[f"/{hop}"] = redirect(f"http://public.test/{hop + 1}")
    server.answers["/7"] = page()
    assert (await web.fetcher.fetch("http://public.test/2")).content == b"# Rain"
    with pytest.raises(UnreadableDocument, match="more than 5 times"):
        await web.fetcher.fetch("http://public.test/1")
    server.answers["/loop"] = redirect("/loop")
    with pytest.raises(UnreadableDocument, match="more than 5 times"):
        await web.fetcher.fetch("http://public.test/loop")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, UnreadableDocument), (401, UnreadableDocument), (204, UnreadableDocument), (503, Unavailable)],
)
async def test_an_error_says_whether_another_attempt_may_help(
    web: Web, server: Server, status: int, kind: type[ChatbotError]
) -> None:
    server.answers["/"] = page(b"", status)
    with pytest.raises(kind, match=f"HTTP {status}"):
        await web.fetcher.fetch("http://public.test/")


async def test_an_unknown_host_is_said(web: Web) -> None:
    with pytest.raises(UnreadableDocument, match="host is not known"):
        await web.fetcher.fetch("http://nowhere.test/")


# Limits ---------------------------------------------------------------------------------------------------------------


def endless(sent: list[int], head: bytes = b"", chunked: bool = False) -> Answer:
    """Goes on until nobody listens any more; how much was taken."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding" if chunked else "X-Nothing", "chunked")
        request.end_headers()
        for _ in range(2000):
            piece = b"x" * 65_536
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            sent.append(len(piece))

    return answer


async def test_a_declared_length_over_the_limit_is_not_read(web: Web, server: Server) -> None:
    server.answers["/"] = page(b"", Content_Length=str(LIMIT + 1))
    with pytest.raises(UnreadableDocument, match=r"larger than 0\.2 MB"):
        await web.fetcher.fetch("http://public.test/")


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_endless_body_is_read_no_further_than_the_limit(web: Web, server: Server, chunked: bool) -> None:
    sent: list[int] = []
    server.answers["/"] = endless(sent, chunked=chunked)
    with pytest.raises(UnreadableDocument, match="larger than"):
        await web.fetcher.fetch("http://public.test/")
    assert sum(sent) < 30_000_000  # what the system's buffers take


async def test_a_packed_bomb_is_unpacked_no_further_than_the_limit(
    web: Web, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[int] = []
    original = zlib.decompressobj

    def counting(*arguments: Any) -> Any:
        real = original(*arguments)

        class Counting:
            eof, unused_data = True, b""

            def decompress(self, data: bytes, most: int = 0) -> bytes:
                found = real.decompress(data, most)
                unpacked.append(len(found))
                return found

        return Counting()

    monkeypatch.setattr("chatbot.clients.fetch.zlib.decompressobj", counting)
    server.answers["/"] = page(gzip.compress(bytes(100_000_000)), Content_Encoding="gzip")
    with pytest.raises(UnreadableDocument, match="larger than"):
        await web.fetcher.fetch("http://public.test/")
    assert sum(unpacked) == LIMIT + 1


async def test_packed_content_is_unpacked(web: Web, server: Server) -> None:
    packed = gzip.compress(b"# Rain" * 1000)
    server.answers["/"] = page(packed, Content_Encoding="gzip")
    assert (await web.fetcher.fetch("http://public.test/")).content == b"# Rain" * 1000
    server.answers["/"] = page(packed[:-20], Content_Encoding="gzip")
    with pytest.raises(Unavailable, match="broke off"):
        await web.fetcher.fetch("http://public.test/")
    for content, encoding in ((b"no gzip", "gzip"), (packed + packed, "gzip"), (b"x", "br"), (b"x", "gzip, gzip")):
        server.answers["/"] = page(content, Content_Encoding=encoding)
        with pytest.raises(UnreadableDocument):
            await web.fetcher.fetch("http://public.test/")


async def test_a_body_that_breaks_off_is_no_document(web: Web, server: Server) -> None:
    server.answers["/"] = page(b"half", Content_Length="100")
    with pytest.raises(Unavailable, match="broke off"):
        await web.fetcher.fetch("http://public.test/")


async def test_all_of_it_has_to_come_in_time(server: Server) -> None:
    stop = threading.Event()

    def dripping(request: BaseHTTPRequestHandler) -> None:
        page(b"")(request)
        while not stop.wait(0.1):
            request.wfile.write(b"x")

    server.answers["/"] = dripping
    try:
        with pytest.raises(Unavailable, match=r"within 0\.5 seconds"):  # another attempt may succeed
            await Web(server, seconds=0.5).fetcher.fetch("http://public.test/")
    finally:
        stop.set()


# An intranet, and TLS, on the real transport --------------------------------------------------------------------------


def direct(server: Server, **options: Any) -> Fetcher:
    """What production has, but for the table of names."""
    web = Web(server)
    web.names["wiki.test"] = web.names["other.test"] = [["127.0.0.1"]]
    return Fetcher(max_bytes=LIMIT, seconds=10, ports=[80, 443, server.port], resolve=web.resolve, **options)


async def test_a_host_that_is_allowed_may_be_private_and_no_other(server: Server) -> None:
    server.answers["/a.md"] = page()
    server.answers["/away"] = redirect(f"http://other.test:{server.port}/a.md")
    fetcher = direct(server, allowed_hosts=["Wiki.test", "127.0.0.1"])
    assert (await fetcher.fetch(f"http://wiki.test:{server.port}/a.md")).content == b"# Rain"
    assert server.asked == [(f"wiki.test:{server.port}", "/a.md")]
    assert (await fetcher.fetch(f"http://127.0.0.1:{server.port}/a.md")).content == b"# Rain"
    for path in ("other.test:{}/a.md", "wiki.test:{}/away", "sub.wiki.test:{}/a.md", "[::ffff:127.0.0.1]:{}/a.md"):
        with pytest.raises(UnreadableDocument):
            await fetcher.fetch("http://" + path.format(server.port))
    with pytest.raises(UnreadableDocument, match="private"):
        await direct(server).fetch(f"http://wiki.test:{server.port}/a.md")


async def test_a_proxy_of_the_environment_is_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve the name once more."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.answers["/a.md"] = page()
    fetcher = direct(server, allowed_hosts=["wiki.test"])
    assert (await fetcher.fetch(f"http://wiki.test:{server.port}/a.md")).content == b"# Rain"


async def test_a_certificate_has_to_be_for_the_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subject = ["-subj", "/CN=wiki.test", "-addext", "subjectAltName=DNS:wiki.test"]
    openssl = program("openssl", package="openssl")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key]
    making = [*command, "-out", certificate, *subject]
    await asyncio.to_thread(subprocess.run, making, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda socket, name, context: names.append(name)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.answers["/a.md"] = page()
    fetcher = direct(server, allowed_hosts=["wiki.test", "other.test"])

    with pytest.raises(UnreadableDocument, match="no valid certificate"):
        await fetcher.fetch(f"https://wiki.test:{server.port}/a.md")
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    assert (await fetcher.fetch(f"https://wiki.test:{server.port}/a.md")).content == b"# Rain"
    with pytest.raises(UnreadableDocument, match="no valid certificate"):
        await fetcher.fetch(f"https://other.test:{server.port}/a.md")
    assert names == ["wiki.test", "wiki.test", "other.test"]
