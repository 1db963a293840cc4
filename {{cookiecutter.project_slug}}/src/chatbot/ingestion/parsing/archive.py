"""Files that are ZIP archives of XML: Word, PowerPoint and Excel, OpenDocument, EPUB."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

from lxml import etree

from chatbot.domain import UnreadableDocument
from chatbot.ingestion.parsing.limits import most_text
from chatbot.ingestion.parsing.outline import one_line

LARGEST = 200_000_000
"""Bytes a file may unpack to: a few kilobytes can claim to be gigabytes."""
MOST_PARTS = 20_000
TEXT_NODE = re.compile(
    r"<(?:\w+:)?(?:t|delText)(?:\s[^<>]*)?>([^<]*)</|</(?:\w+:)?(?:p|tc|tr)>|<(?:\w+:)?(?:tab|br|cr|noBreakHyphen)\b"
)
FALLBACK = re.compile(r"<mc:Fallback\b.*?</mc:Fallback>", re.DOTALL)

Element = Any
"""lxml's elements are of a compiled class."""


class Archive:
    """UnreadableDocument, naming the `kind` of file, for what is damaged."""

    def __init__(self, content: bytes, name: str, kind: str) -> None:
        self._name, self._kind = name, kind
        try:
            self._zip = ZipFile(BytesIO(content))
            parts = self._zip.infolist()
        except (BadZipFile, ValueError, NotImplementedError):
            raise self.damaged() from None
        if len(parts) > MOST_PARTS:
            raise self.damaged()
        if sum(part.file_size for part in parts) > LARGEST:
            raise UnreadableDocument(f"{name} unpacks to more than {LARGEST // 1_000_000} MB.")
        self.names = [part.filename for part in parts]
        self.most_text = most_text(content)

    def damaged(self) -> UnreadableDocument:
        return UnreadableDocument(f"{self._name} is not a complete {self._kind}: it is damaged or was cut short.")

    def bytes(self, part: str) -> bytes:
        """Empty when there is none."""
        try:
            return self._zip.read(part.lstrip("/"))
        except KeyError:
            return b""
        except MemoryError:
            raise
        except RuntimeError:
            raise UnreadableDocument(f"{self._name} is protected by a password: save a copy without one.") from None
        except Exception:  # zipfile, zlib and lzma have errors of many kinds for what is damaged
            raise self.damaged() from None

    def xml(self, part: str) -> Element | None:
        """The root of a part; None when there is no such part. No entity is resolved, nothing is fetched."""
        content = self.bytes(part)
        if not content:
            return None
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
            return etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            if not error.lineno:  # all that libxml2 says when there is no memory left
                raise MemoryError from None
            if "depth" in str(error):
                raise RecursionError from None
            raise self.damaged() from None

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Of an Office part (of the whole file: ""): kind and target of each relation, by its id."""
        folder, file = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{file}.rels"))
        found = {}
        for each in root if root is not None else ():
            if each.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, unquote(each.get("Target", ""))))
                found[each.get("Id", "")] = (each.get("Type", "").rpartition("/")[2], target.lstrip("/"))
        return found

    def main_part(self) -> str:
        """The part that an Office file begins with, whatever its name."""
        for kind, target in self.relations("").values():
            if kind == "officeDocument":
                return target
        raise self.damaged()

    def related(self, part: str, kind: str) -> list[str]:
        return [target for each, target in self.relations(part).values() if each == kind]

    def properties(self) -> dict[str, str]:
        """Title, creator, created… of an Office file."""
        root = self.xml(next(iter(self.related("", "core-properties")), "docProps/core.xml"))
        return {} if root is None else {local(each): one_line(each.text or "") for each in root}

    def all_text(self, folder: str, without: str = "") -> str:
        """Every text node of an Office file's parts in a folder, as they come: what no rule of ours has touched."""
        pieces: list[str] = []
        for name in self.names:
            if name.startswith(folder) and name.endswith(".xml") and not (without and re.search(without, name)):
                markup = FALLBACK.sub("", self.bytes(name).decode("utf-8", errors="replace"))
                pieces += (node[1] if node[1] is not None else "\n" for node in TEXT_NODE.finditer(markup))
                pieces.append("\n")
        return unescape("".join(pieces))


def local(node: Element) -> str:
    """The name without its namespace: Strict Open XML has others than most files."""
    tag = node.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def get(node: Element | None, name: str) -> str | None:
    """An attribute by its name without namespace."""
    if node is None:
        return None
    if (plain := node.get(name)) is not None:
        return str(plain)
    return next((value for key, value in node.attrib.items() if key.rpartition("}")[2] == name), None)


def child(node: Element | None, *path: str) -> Element | None:
    """The first descendant along these names."""
    for name in path:
        if node is None:
            return None
        node = next((each for each in node if local(each) == name), None)
    return node


def descendants(node: Element, *names: str) -> Iterator[Element]:
    return (each for each in node.iter() if local(each) in names)


def has(node: Element, name: str) -> bool:
    return next(descendants(node, name), None) is not None
