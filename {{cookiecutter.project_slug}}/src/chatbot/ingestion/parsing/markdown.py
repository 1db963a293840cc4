"""Markdown: headings, paragraphs, lists, tables and code as text; a front matter of plain `key: value` as metadata."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatbot.domain import Metadata, ParsedDocument
from chatbot.ingestion.parsing import html
from chatbot.ingestion.parsing.outline import Outline, clean, code
from chatbot.ingestion.parsing.text import decode

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
PAIR = re.compile(r"^([A-Za-z][\w-]*):[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)


def read(content: bytes, name: str) -> ParsedDocument:
    text = clean(decode(content))
    metadata: dict[str, str | list[str]] = {}
    if front := FRONT_MATTER.match(text):
        metadata = {key.lower(): _value(value) for key, value in PAIR.findall(front[1])}
        text = text[front.end() :]
    outline = Outline()
    outline.title = str(metadata.pop("title", ""))
    _fill(outline, MarkdownIt("commonmark").enable("table").parse(text))
    return outline.document(name, _frozen(metadata))


def _frozen(metadata: dict[str, str | list[str]]) -> Metadata:
    return {**metadata}


def _value(text: str) -> str | list[str]:
    """A list in brackets, or a scalar as it is written, without its quotes."""
    if text.startswith("[") and text.endswith("]"):
        return [part.strip().strip("\"'") for part in text[1:-1].split(",") if part.strip()]
    return text.strip("\"'")


def _fill(outline: Outline, tokens: Sequence[Token]) -> None:
    bullet = ""
    hidden = ""
    row: list[str] | None = None
    for position, token in enumerate(tokens):
        match token.type:
            case "html_block":
                hidden = html.hidden_by(token.content, hidden)
                outline.add("" if hidden else html.text(token.content))
            case _ if hidden:
                continue
            case "list_item_open":
                bullet = "- " if token.markup in "-*+" else f"{token.info}{token.markup} "
            case "tr_open":
                row = []
            case "tr_close":
                outline.add(" | ".join(row or []))
                row = None
            case "fence" | "code_block":
                outline.add(code(token.content))
            case "inline" if row is not None:
                row.append(_plain(token))
            case "inline" if tokens[position - 1].type == "heading_open":
                outline.heading(int(tokens[position - 1].tag[1]), _plain(token))
            case "inline":
                outline.add(bullet + _plain(token))
                bullet = ""


def _plain(token: Token) -> str:
    """The words of a line of Markdown, without its marks, and without what HTML in it hides."""
    children = token.children or []
    is_html = any(child.type == "html_inline" for child in children)
    parts = []
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "html_inline" or not is_html:
            parts.append(child.content)
        else:
            parts.append(escape(child.content))
    return html.text("".join(parts)) if is_html else "".join(parts)
