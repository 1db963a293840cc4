"""OpenDocument text (.odt): headings, paragraphs, lists, tables, notes, text boxes; tracked deletions are left out."""

from __future__ import annotations

from collections.abc import Iterator

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.archive import Archive, Element, child, descendants, get, local
from chatbot.ingestion.parsing.description import description
from chatbot.ingestion.parsing.outline import Outline, one_line

LEFT_OUT = {"tracked-changes": "deleted", "annotation": "comments", "annotation-end": "comments"}
FURNITURE = ("table-of-content", "alphabetical-index", "forms", "sequence-decls", "bookmark-ref-start", "ruby-text")
SPACES = {"s": " ", "tab": " ", "line-break": " ", "soft-page-break": ""}


def read(content: bytes, name: str) -> ParsedDocument:
    archive = Archive(content, name, "OpenDocument text")
    root = archive.xml("content.xml")
    body = child(root, "body", "text")
    if body is None:
        raise archive.damaged()
    outline = Outline(archive.most_text)
    reader = _Reader(outline, _hidden_styles(root, archive.xml("styles.xml")), _titles(root))
    for header in reader.around(archive.xml("styles.xml")):
        outline.add(header)
    reader.blocks(body)
    meta = archive.xml("meta.xml")
    found = descendants(meta, "title", "initial-creator") if meta is not None else ()
    properties = {local(each): one_line(each.text or "") for each in found}
    outline.title = outline.title or properties.get("title", "")
    everything = "\n".join(_all_text(part) for part in [body, *reader.furniture])
    return outline.document(name, description([properties.get("initial-creator", "")]), everything=everything)


class _Reader:
    def __init__(self, outline: Outline, hidden: set[str], titles: set[str]) -> None:
        self._outline, self._hidden, self._titles = outline, hidden, titles
        self._notes: list[str] = []
        self._boxes: list[Element] = []
        self.furniture: list[Element] = []

    def around(self, styles: Element | None) -> list[str]:
        """The headers and footers of pages, each once."""
        self.furniture = [*descendants(styles, "header", "footer")] if styles is not None else []
        texts = (
            one_line(" ".join(self._text(each) for each in descendants(part, "p", "h"))) for part in self.furniture
        )
        return [text for text in dict.fromkeys(texts) if text]

    def blocks(self, parent: Element, bullet: str = "") -> None:
        for node in parent:
            name = local(node)
            if name == "h":
                level = get(node, "outline-level") or "1"
                self._outline.heading(int(level) + (1 if self._outline.title else 0), self._text(node))
                self._add_notes()
            elif name == "p":
                self._paragraph(node, bullet)
                bullet = ""
            elif name == "list":
                self._list(node)
            elif name == "table":
                self._outline.table([[self._cell(cell) for cell in _within(row)] for row in _rows(node)])
                self._add_notes()
            elif name in LEFT_OUT:
                self._outline.leave_out(LEFT_OUT[name], _all_text(node))
            elif name in FURNITURE:
                self._outline.leave_out("tables of contents", _all_text(node))
            elif get(node, "display") in ("none", "false"):
                self._outline.leave_out("hidden", _all_text(node))
            else:
                self.blocks(node, bullet)

    def _list(self, node: Element) -> None:
        number = 0
        for item in node:
            if local(item) not in ("list-item", "list-header"):
                continue
            number += 1
            self.blocks(item, "- " if local(item) == "list-item" else "")

    def _paragraph(self, node: Element, bullet: str) -> None:
        text = one_line(self._text(node))
        if get(node, "style-name") in self._titles:
            self._outline.heading(1, text)
        elif text:
            self._outline.add(bullet + text)
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self.blocks(box)
        self._add_notes()

    def _add_notes(self) -> None:
        notes, self._notes = self._notes, []
        for note in notes:
            self._outline.add(note)

    def _cell(self, cell: Element) -> str:
        return one_line(" ".join(self._text(each) for each in descendants(cell, "p", "h")))

    def _text(self, node: Element) -> str:
        """The words of a paragraph that are seen; notes and text boxes are put aside."""
        if get(node, "style-name") in self._hidden or (local(node) == "hidden-text"):
            self._outline.leave_out("hidden", _all_text(node))
            return ""
        parts = [node.text or ""]
        for each in node:
            name = local(each)
            if name == "note":
                mark = _all_text(child(each, "note-citation"))
                body = child(each, "note-body")
                words = " ".join(self._text(part) for part in (descendants(body, "p") if body is not None else ()))
                self._notes.append(f"Note {one_line(mark)}: {one_line(words)}")
            elif name == "text-box":
                self._boxes.append(each)
            elif name in LEFT_OUT:
                self._outline.leave_out(LEFT_OUT[name], _all_text(each))
            elif name in SPACES:
                parts.append(SPACES[name])
            elif name not in FURNITURE:
                parts.append(self._text(each))
            parts.append(each.tail or "")
        return "".join(parts)


def _rows(table: Element) -> Iterator[Element]:
    for node in table:
        if local(node) == "table-row":
            yield node
        elif local(node) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(node)


def _within(row: Element) -> Iterator[Element]:
    return (cell for cell in row if local(cell) in ("table-cell", "covered-table-cell"))


def _hidden_styles(*roots: Element | None) -> set[str]:
    """The names of styles whose text is not shown."""
    styles = (style for root in roots if root is not None for style in descendants(root, "style"))
    return {get(style, "name") or "" for style in styles if get(child(style, "text-properties"), "display") == "none"}


def _titles(root: Element) -> set[str]:
    """The names of styles of the document's title."""
    based = {
        get(style, "name") or "" for style in descendants(root, "style") if get(style, "parent-style-name") == "Title"
    }
    return {"Title", *based}


def _all_text(node: Element | None) -> str:
    """Every text node, paragraphs apart."""
    if node is None:
        return ""
    parts = []
    for event in node.iter():
        if local(event) in ("p", "h", "s", "tab", "line-break", "note-citation"):
            parts.append("\n" if local(event) in ("p", "h") else " ")
        parts.append(event.text or "")
        if event is not node and event.tail:
            parts.append(event.tail)
    return "".join(parts)
