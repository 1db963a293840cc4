"""Word (.docx): what a reader sees under its headings, with numbers, notes, text boxes, headers and tables.

Walked by local names, so that Strict Open XML and parts of any name are read too; what an element is not known for, its
children are looked at all the same. Why no converter does it: see docs/parsing.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing import chart
from chatbot.ingestion.parsing.archive import Archive, Element, child, descendants, get, has, local
from chatbot.ingestion.parsing.description import description, several
from chatbot.ingestion.parsing.docx_styles import Numbering, Styles
from chatbot.ingestion.parsing.outline import Outline, one_line

BLOCKS = ("p", "tbl")
DELETED = (
    "del",
    "moveFrom",
    "instrText",
    "delText",
    "delInstrText",
    "rPr",
    "pPr",
    "sectPr",
    "tblPr",
    "tcPr",
    "fldData",
)
CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t", "softHyphen": ""}
NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
SEPARATORS = ("separator", "continuationSeparator", "continuationNotice")


def read(content: bytes, name: str) -> ParsedDocument:
    archive = Archive(content, name, "Word document")
    main = archive.main_part()
    root = archive.xml(main)
    body = child(root, "body")
    if body is None:
        raise archive.damaged()
    outline = Outline(archive.most_text)
    reader = _Reader(archive, main, outline)
    headers, footers = reader.around("header"), reader.around("footer")
    for text in headers:
        outline.add(text)
    reader.blocks(body)
    for text in [*footers, *reader.diagrams()]:
        outline.add(text)
    chart.add(outline, archive, main)
    properties = archive.properties()
    outline.title = outline.title or properties.get("title", "")
    outline.leave_out("comments", archive.all_text("word/comments"))
    cited = description(several(properties.get("creator", "")))  # its dates are those of the file
    return outline.document(
        name, cited, everything=archive.all_text(main.rpartition("/")[0], r"/(?:glossary|theme|people)")
    )


class _Reader:
    def __init__(self, archive: Archive, main: str, outline: Outline) -> None:
        self._archive, self._main, self._outline = archive, main, outline
        self._styles = Styles(self._part("styles"))
        self._numbering = Numbering(self._part("numbering"), self._styles)
        self._notes = {kind: self._notes_of(kind) for kind in NOTES.values()}
        self._note_number = 0
        self._boxes: list[Element] = []
        self._footnotes: list[str] = []

    def _part(self, kind: str) -> Element | None:
        return self._archive.xml(next(iter(self._archive.related(self._main, kind)), ""))

    def _notes_of(self, kind: str) -> dict[str | None, Element]:
        root = self._part(kind)
        return {} if root is None else {get(note, "id"): note for note in root if get(note, "type") not in SEPARATORS}

    def around(self, kind: str) -> list[str]:
        """The texts of the page headers, or footers, each once."""
        texts = []
        for part in self._archive.related(self._main, kind):
            root = self._archive.xml(part)
            if root is not None:
                texts.append("\n\n".join(self._plain_blocks(root)))
        return [text for text in dict.fromkeys(texts) if text]

    def diagrams(self) -> Iterator[str]:
        """The words of SmartArt."""
        for part in self._archive.related(self._main, "diagramData"):
            root = self._archive.xml(part)
            for shape in descendants(root, "pt") if root is not None else ():
                yield one_line("".join(node.text or "" for node in descendants(shape, "t")))

    def blocks(self, parent: Element) -> None:
        for block in _blocks(parent):
            if local(block) == "p":
                self._paragraph(block)
            else:
                self._table(block)

    def _paragraph(self, paragraph: Element) -> None:
        text = one_line(self._text(paragraph))
        boxes, self._boxes = self._boxes, []
        footnotes, self._footnotes = self._footnotes, []
        level = self._styles.heading_level(paragraph)
        number = self._numbering.number(paragraph) if text else ""
        if level == 0:
            self._outline.heading(1, text)
        elif level is not None and text:
            self._outline.heading(level + (1 if self._outline.title else 0), f"{number} {text}".removeprefix("- "))
        else:
            self._outline.add(f"{number} {text}".strip())
        for box in boxes:
            self.blocks(box)
        for note in footnotes:
            self._outline.add(note)

    def _table(self, table: Element) -> None:
        rows = [[self._cell(cell) for cell in _within(row, "tc")] for row in _within(table, "tr")]
        if rows and max(map(len, rows)) == 1:  # a frame around text
            for row in _within(table, "tr"):
                for cell in _within(row, "tc"):
                    self.blocks(cell)
        else:
            self._outline.table(rows)
            self._footnotes, notes = [], self._footnotes
            for note in notes:
                self._outline.add(note)

    def _cell(self, cell: Element) -> str:
        return " ".join(self._plain_blocks(cell))

    def _plain_blocks(self, parent: Element) -> Iterator[str]:
        """The text of paragraphs, and of tables within, without headings."""
        for block in _blocks(parent):
            if local(block) == "p":
                text = one_line(self._text(block))
                number = self._numbering.number(block) if text else ""
                boxes, self._boxes = self._boxes, []
                yield from filter(None, [f"{number} {text}".strip()])
                for box in boxes:
                    yield from self._plain_blocks(box)
            else:
                for row in _within(block, "tr"):
                    cells = [self._cell(cell) for cell in _within(row, "tc")]
                    yield " | ".join(cell for cell in cells if cell)

    def _text(self, parent: Element) -> str:
        """The words of a paragraph that are seen; text boxes and notes found in it are put aside."""
        parts: list[str] = []
        for node in parent:
            name = local(node)
            if name == "t":
                parts.append(node.text or "")
            elif name in CHARACTERS:
                parts.append(CHARACTERS[name])
            elif name == "r" and self._styles.is_hidden(node):
                self._outline.leave_out("hidden", "".join(each.text or "" for each in descendants(node, "t")))
            elif name in NOTES:
                self._note(NOTES[name], get(node, "id"))
            elif name == "txbxContent":
                self._boxes.append(node)
            elif name == "AlternateContent":
                parts.append(self._text(_best_alternative(node)))
            elif name == "sym" and (code := get(node, "char")):
                parts.append(_symbol(code))
            elif name == "rt":  # how to pronounce it
                parts.append(f" ({self._text(node)}) ")
            elif name in ("del", "moveFrom"):
                self._outline.leave_out(
                    "deleted", "".join(each.text or "" for each in descendants(node, "t", "delText"))
                )
            elif name not in DELETED:
                parts.append(self._text(node))
        return "".join(parts)

    def _note(self, kind: str, id: str | None) -> None:
        note = self._notes[kind].get(id)
        if note is None:
            return
        self._note_number += 1
        text = " ".join(self._plain_blocks(note))
        if text:
            self._footnotes.append(f"Note {self._note_number}: {text}")


def _blocks(parent: Element) -> Iterator[Element]:
    """Paragraphs and tables, also those in content controls, insertions and the like, but not those in others."""
    for node in parent:
        name = local(node)
        if name in BLOCKS:
            yield node
        elif name == "AlternateContent":
            yield from _blocks(_best_alternative(node))
        elif name not in DELETED:
            yield from _blocks(node)


def _within(parent: Element, name: str) -> Iterator[Element]:
    """A table's rows or a row's cells, not those of a table within."""
    for node in parent:
        if local(node) == name:
            yield node
        elif local(node) not in (*DELETED, *BLOCKS, "tc"):
            yield from _within(node, name)


def _best_alternative(node: Element) -> Element:
    """The version for newer programs, unless only the other has text."""
    choices = [each for each in node if local(each) in ("Choice", "Fallback")]
    return next((each for each in choices if has(each, "t")), choices[0] if choices else node)


def _symbol(code: str) -> str:
    """A character of a symbol font; what has no meaning of its own is a blank."""
    value = int(code, 16) if code.isalnum() and len(code) <= 6 else 0
    return " " if not value or 0xE000 <= value <= 0xF8FF else chr(value)
