"""Markdown: headings, paragraphs, lists, tables and code as text; a front matter, in YAML or TOML, as metadata."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing import html
from chatbot.ingestion.parsing.description import description
from chatbot.ingestion.parsing.outline import Outline, clean, code, one_line
from chatbot.ingestion.parsing.text import decode

FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)\1[ \t]*(?:\n|\Z)", re.DOTALL)
"""YAML between dashes, TOML between plus signs."""
FOOTNOTE = re.compile(r"^\[\^([^\]\s]+)\]:[ \t]+", re.MULTILINE)
FOOTNOTE_MARK = re.compile(r"(?<=\S)\[\^[^\]\s]+\]")
HTML_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)")


def read(content: bytes, name: str) -> ParsedDocument:
    decoded, encoding = decode(content)
    text = clean(decoded)
    outline = Outline()
    outline.read_as(encoding)
    metadata: dict[str, str | list[str]] = {}
    if (front := FRONT_MATTER.match(text)) and (found := _front_matter(front[1], front[2])) is not None:
        metadata = {str(key).lower(): _value(value) for key, value in found.items() if value not in (None, "", [])}
        text = text[front.end() :]
    title = metadata.pop("title", "")
    outline.title = title if isinstance(title, str) else " ".join(title)
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(_footnotes_apart(text))
    _fill(outline, tokens)
    rendered = html.untagged(markdown.renderer.render(tokens, markdown.options, {}))
    return outline.document(name, {**metadata, **description(**_cited(metadata))}, everything=rendered)


def _footnotes_apart(text: str) -> str:
    """Footnotes as paragraphs of their own; their marks are no part of the word before."""
    return FOOTNOTE_MARK.sub("", FOOTNOTE.sub(r"\1. ", text))


def _cited(metadata: dict[str, str | list[str]]) -> dict[str, Any]:
    """What a reference is made of, under whichever of its usual names."""
    authors = metadata.get("authors", metadata.get("author", []))
    return {
        "authors": authors if isinstance(authors, list) else [authors],
        "date": str(metadata.get("year", metadata.get("date", ""))),
        "journal": str(metadata.get("journal", "")),
        "doi": str(metadata.get("doi", "")),
    }


def _front_matter(mark: str, text: str) -> dict[Any, Any] | None:
    """What it says; None when it is none, and so a part of the text."""
    try:
        if mark == "+++":
            return tomllib.loads(text)
        import yaml

        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 -- it knows strings, lists and mappings, and nothing else
    except Exception:  # PyYAML raises its own errors, and those of what it calls
        return None
    return found if isinstance(found, dict) else None


def _value(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [_scalar(each) for each in value]
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_scalar(each)}" for key, each in value.items())
    return one_line(str(value))


def _fill(outline: Outline, tokens: Sequence[Token]) -> None:
    bullet = ""
    hidden = ""
    table: list[list[str]] = []
    row: list[str] | None = None
    for position, token in enumerate(tokens):
        match token.type:
            case "html_block":
                hidden = html.hidden_by(token.content, hidden)
                seen = "" if hidden else html.text(token.content)
                outline.add(seen)
                outline.leave_out("hidden", html.untagged(token.content))
            case _ if hidden:
                outline.leave_out("hidden", token.content)
            case "list_item_open":
                bullet = "- " if token.markup in "-*+" else f"{token.info}{token.markup} "
            case "tr_open":
                row = []
            case "tr_close":
                table.append(row or [])
                row = None
            case "table_close":
                outline.table(table)
                table = []
            case "fence" | "code_block":
                outline.add(code(token.content))
            case "inline" if row is not None:
                row.append(_plain(outline, token))
            case "inline" if tokens[position - 1].type == "heading_open":
                outline.heading(int(tokens[position - 1].tag[1]), _plain(outline, token))
            case "inline":
                outline.add(bullet + _plain(outline, token))
                bullet = ""


def _plain(outline: Outline, line: Token) -> str:
    """The words of a line of Markdown, without its marks, and without what HTML in it hides."""
    children = line.children or []
    is_html = any(_is_html(child) for child in children)
    parts = []
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif not is_html or _is_html(child):
            parts.append(child.content)
        else:
            parts.append(escape(child.content))
    if not is_html:
        return "".join(parts)
    outline.leave_out("hidden", html.untagged("".join(parts)))
    return html.text("".join(parts))


def _is_html(token: Token) -> bool:
    """Markup that a browser would know, unlike the <Integer> of List<Integer>."""
    if token.type != "html_inline":
        return False
    name = HTML_TAG.match(token.content)
    return name is None or name[1] is None or name[1].lower() in html.ELEMENTS
