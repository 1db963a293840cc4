"""Archives to harvest, on this machine: each speaks its protocol by small pages, and is as ill as it is told to be.

with serving(Hal()) as archive:
    archive.put(publication(1))
    archive.faults = ["429", "cut", "expired"]     # each is met once, in turn, by the next requests
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from chatbot.settings import home

A = TypeVar("A", bound="Archive")
Answer = tuple[int, bytes, dict[str, str]]
Query = dict[str, str]
CIRED = home().parent / "shared" / "data" / "hal" / "cired.json"
"""186 real records; where they are not, made ones of the same shape do."""


class Archive(ThreadingHTTPServer):
    rows = 3
    """A page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[str] = []
        self.files: dict[str, Answer] = {}
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def keep(self, path: str, content: bytes, status: int = 200, **headers: str) -> str:
        """A file, and its URL."""
        self.files[path] = status, content, {name.replace("_", "-"): value for name, value in headers.items()}
        return self.url + path

    def answer(self, path: str, query: Query, is_expired: bool) -> Answer:
        raise NotImplementedError


class Handler(BaseHTTPRequestHandler):
    server: Archive

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        at = urlsplit(self.path)
        if at.path in self.server.files:
            return self._say(*self.server.files[at.path])
        query = {key: values[0] for key, values in parse_qs(at.query).items()}
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"response"')
            return self.connection.close()
        if fault.isdigit():
            return self._say(int(fault), b"", {"Retry-After": "0"})
        self._say(*self.server.answer(at.path, query, fault == "expired"))

    def do_HEAD(self) -> None:
        self._say(404, b"", {})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Hal(Archive):
    """HAL's search API: Solr's answers, by cursors."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}

    def put(self, record: dict[str, Any]) -> None:
        self.records[record["halId_s"]] = record

    def answer(self, path: str, query: Query, is_expired: bool) -> Answer:
        if path != "/search/ROOF/":  # as HAL itself: an error inside a page of status 200
            return 200, b'{"error": {"code": 400, "msg": "unknown collection"}}', {}
        cursor = query["cursorMark"]
        if is_expired and cursor != "*":
            return 400, b"{}", {}
        since = query["fq"].partition("[")[2].partition(" ")[0] if "fq" in query else ""
        found = [each for _, each in sorted(self.records.items()) if each.get("modifiedDate_tdate", "") >= since]
        start = 0 if cursor == "*" else int(cursor)
        following = min(start + self.rows, len(found))
        names = query["fl"].split(",")
        docs = [{name: each[name] for name in names if name in each} for each in found[start:following]]
        return 200, dumps({"response": {"docs": docs}, "nextCursorMark": str(following)}).encode(), {}


class Oai(Archive):
    """An OAI-PMH repository: Dublin Core, by resumption tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, tuple[str, dict[str, list[str]] | None]] = {}
        """By identifier: when it was changed, and its elements; None once it was deleted."""

    def answer(self, path: str, query: Query, is_expired: bool) -> Answer:
        token = query.get("resumptionToken", "")
        start, _, since = token.partition("/") if token else ("0", "", query.get("from", ""))
        found = [(id, *each) for id, each in sorted(self.records.items()) if each[0] >= since]
        verb = query["verb"]
        if is_expired and token:
            said = '<error code="badResumptionToken">expired</error>'
        elif not found:
            said = '<error code="noRecordsMatch">none</error>'
        else:
            end = int(start) + self.rows
            more = f"{end}/{since}" if end < len(found) else ""
            items = "".join(self._item(verb, *each) for each in found[int(start) : end])
            said = f"<{verb}>{items}<resumptionToken>{more}</resumptionToken></{verb}>"
        return 200, f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{said}</OAI-PMH>'.encode(), {}

    def _item(self, verb: str, id: str, stamp: str, elements: dict[str, list[str]] | None) -> str:
        status = "" if elements else ' status="deleted"'
        header = f"<header{status}><identifier>{id}</identifier><datestamp>{stamp}</datestamp></header>"
        if verb == "ListIdentifiers":
            return header
        values = [(name, each) for name, every in (elements or {}).items() for each in every]
        said = "".join(f"<dc:{name}>{escape(each)}</dc:{name}>" for name, each in values)
        spaces = 'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:oai="http://www.openarchives.org/OAI/2.0/oai_dc/"'
        metadata = f"<metadata><oai:dc {spaces}>{said}</oai:dc></metadata>" if elements else ""
        return f"<record>{header}{metadata}</record>"


class S3(Archive):
    """One bucket, path-style; whoever signs a request is believed."""

    def __init__(self, bucket: str) -> None:
        super().__init__()
        self.bucket = bucket
        self.objects: dict[str, tuple[str, bytes]] = {}
        """By key: when it was changed, and its content."""

    def answer(self, path: str, query: Query, is_expired: bool) -> Answer:
        bucket, _, key = unquote(path).strip("/").partition("/")
        if bucket != self.bucket or (key and key not in self.objects):
            return 404, b"<Error><Code>NoSuchBucket</Code></Error>", {}
        if key:
            stamp, content = self.objects[key]
            return 200, content, {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "ETag": f'"{stamp}"'}
        found = sorted(key for key in self.objects if key.startswith(query.get("prefix", "")))
        start = int(query.get("continuation-token", 0))
        end = start + self.rows
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.objects[key][0]}</LastModified>"
            f"<ETag>e</ETag><Size>{len(self.objects[key][1])}</Size></Contents>"
            for key in found[start:end]
        )
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(found) else ""
        truncated = str(bool(token)).lower()
        body = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}{items}</ListBucketResult>"
        return 200, body.encode(), {}


def publication(number: int, **other: Any) -> dict[str, Any]:
    """As HAL has it; `other` fields replace its own."""
    title = f"A study of the slate roofs of village {number}"
    common = {"halId_s": f"hal-{number:04}", "uri_s": f"https://hal.example/hal-{number:04}", "docType_s": "ART"}
    about = {"title_s": [title], "abstract_s": f"Slate number {number} sheds water.", "authFullName_s": ["Ada Stone"]}
    return {**common, **about, "producedDateY_i": 2020, "modifiedDate_tdate": "2024-01-01T00:00:00Z", **other}


@contextmanager
def serving(archive: A) -> Iterator[A]:
    with archive:
        thread = threading.Thread(target=archive.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield archive
        finally:
            archive.shutdown()
            thread.join()
