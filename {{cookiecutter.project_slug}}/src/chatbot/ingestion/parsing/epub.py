"""EPUB: the chapters in the order of the book, each under its heading, or its name in the table of contents."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.parsing import html
from chatbot.ingestion.parsing.archive import Archive, Element, descendants, get, local
from chatbot.ingestion.parsing.description import description
from chatbot.ingestion.parsing.outline import Outline, one_line
from chatbot.ingestion.parsing.text import decode

HEADING = re.compile(r"<h[1-6]\b", re.IGNORECASE)
PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def read(content: bytes, name: str) -> ParsedDocument:
    archive = Archive(content, name, "EPUB book")
    container = archive.xml("META-INF/container.xml")
    package = (
        next((get(each, "full-path") or "" for each in descendants(container, "rootfile")), "")
        if container is not None
        else ""
    )
    root = archive.xml(package)
    if root is None:
        raise archive.damaged()
    folder = posixpath.dirname(package)
    items = {get(each, "id"): each for each in descendants(root, "item")}
    labels = _labels(archive, folder, items)
    outline = Outline(archive.most_text)
    described = {
        local(each): one_line(each.text or "") for each in descendants(root, "title", "date", "language", "identifier")
    }
    outline.title = described.get("title", "") or name
    everything: list[str] = []
    for reference in descendants(root, "itemref"):
        item = items.get(get(reference, "idref"))
        if item is None or get(item, "media-type") not in PAGES:
            continue
        part = _target(folder, get(item, "href") or "")
        markup, _ = decode(archive.bytes(part))
        if "nav" in (get(item, "properties") or "").split():
            outline.leave_out("table of contents", html.everything(markup))
        else:
            if (label := labels.get(part, "")) and not HEADING.search(markup):
                outline.heading(1, label)
            html.add(outline, markup)
        everything.append(html.everything(markup))
    if not "".join(everything).strip() and archive.bytes("META-INF/encryption.xml"):
        raise UnreadableDocument(f"{name} is protected against copying: it cannot be read.")
    authors = [one_line(each.text or "") for each in descendants(root, "creator")]
    return outline.document(name, description(authors, described.get("date", "")), everything="\n".join(everything))


def _labels(archive: Archive, folder: str, items: dict[str | None, Element]) -> dict[str, str]:
    """The name of each part in the table of contents, the outermost one."""
    labels: dict[str, str] = {}
    for item in items.values():
        kind, part = get(item, "media-type") or "", _target(folder, get(item, "href") or "")
        if kind == "application/x-dtbncx+xml" and (root := archive.xml(part)) is not None:
            for point in descendants(root, "navPoint"):
                text = next((one_line(each.text or "") for each in descendants(point, "text")), "")
                target = next((get(each, "src") or "" for each in descendants(point, "content")), "")
                labels.setdefault(_target(posixpath.dirname(part), target), text)
        elif "nav" in (get(item, "properties") or "").split():
            labels |= {
                _target(posixpath.dirname(part), target): text
                for target, text in reversed(html.links(decode(archive.bytes(part))[0]))
            }
    return labels


def _target(folder: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(reference.partition("#")[0])))
