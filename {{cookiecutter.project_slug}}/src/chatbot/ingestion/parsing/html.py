"""HTML: the main text under its headings, without scripts, navigation and what a reader does not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from selectolax.lexbor import LexborHTMLParser, LexborNode

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing import html_hidden
from chatbot.ingestion.parsing.outline import Outline, code, one_line
from chatbot.ingestion.parsing.text import decode

OPENED = re.compile(r"<([A-Za-z][A-Za-z0-9]*)\s[^<>]*>")
BLOCK_TAGS = """
address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header hgroup main
menu nav ol section summary ul
"""
BLOCK = re.compile(rf"<(/?)(?:{'|'.join(BLOCK_TAGS.split())})\b", re.IGNORECASE)
DEEPEST = 10_000
"""Blocks within blocks. The time to read them grows with the square of it, and no page comes near."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
CELLS = ("td", "th")
INLINE_TAGS = """
a abbr b bdi bdo cite code data del dfn em font i img ins kbd label mark q s samp small span strong sub sup time tt u
var wbr
"""
INLINE = frozenset([*INLINE_TAGS.split(), *CELLS, "-text"])


def read(content: bytes, name: str) -> ParsedDocument:
    tree = _tree(decode(content))
    html_hidden.remove(tree)
    title = tree.css_first("title")
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    outline = Outline()
    if root is not None:
        _fill(outline, root)
    outline.title = outline.title or (one_line(title.text()) if title is not None else "")
    return outline.document(name)


def text(fragment: str) -> str:
    """The words of a fragment of HTML."""
    tree = _tree(fragment)
    html_hidden.remove(tree)
    body = tree.body
    parts = []
    for node, entering in _walk(body) if body is not None else ():
        is_text = node.tag == "-text"
        parts.append((node.text_content or "") if is_text and entering else "" if node.tag in INLINE else " ")
    return one_line("".join(parts))


def hidden_by(fragment: str, hidden: str = "") -> str:
    """The name of an element that hides what follows the fragment; "" for none. `hidden`: what already hides it."""
    if hidden:
        return "" if f"</{hidden}" in fragment.lower() else hidden
    for opened in OPENED.finditer(fragment):
        node, name = LexborHTMLParser(opened[0]).css_first(f"body > {opened[1]}"), opened[1].lower()
        if node is not None and html_hidden.is_hidden(node) and f"</{name}" not in fragment[opened.end() :].lower():
            return name
    return ""


def _tree(markup: str) -> LexborHTMLParser:
    """RecursionError for what is nested too deeply."""
    steps = (-1 if block[1] else 1 for block in BLOCK.finditer(markup)) if markup.count("<") > DEEPEST else ()
    if max(accumulate(steps, lambda depth, step: max(depth + step, 0)), default=0) > DEEPEST:
        raise RecursionError
    return LexborHTMLParser(markup)


def _fill(outline: Outline, root: LexborNode) -> None:
    words: list[str] = []

    def flush(prefix: str = "") -> None:
        paragraph = one_line("".join(words))
        words.clear()
        if paragraph:
            outline.add(prefix + paragraph)

    bullet = ""
    for node, entering in _walk(root):
        tag = str(node.tag)
        if tag == "-text":
            words.append(node.text_content or "")
        elif tag in CELLS and entering:
            words.append(" | " if words else "")
        elif tag == "pre" and entering:
            flush(bullet)
            for part in [each for each in node.css("*") if html_hidden.is_hidden(each)]:
                part.decompose()
            outline.add(code(node.text()))
        elif tag in HEADINGS and not entering:
            outline.heading(HEADINGS[tag], "".join(words))
            words.clear()
        elif tag not in INLINE:
            flush(bullet)
            bullet = "- " if tag == "li" and entering else ""
    flush()


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node as it is entered and left, however deep the nesting; what is inside `pre` is its own affair."""
    stack = [(root, True)]
    while stack:
        node, entering = stack.pop()
        if html_hidden.is_unseen(node):
            continue
        yield node, entering
        if entering and node.tag != "-text":
            stack.append((node, False))
            if node.tag != "pre":
                stack += [(child, True) for child in reversed([*node.iter(include_text=True)])]
