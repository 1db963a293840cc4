"""HTML: the main text under its headings, without scripts, navigation and what a reader does not see."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from chatbot.domain import ParsedDocument
from chatbot.rag.formats.outline import Outline, code, one_line
from chatbot.rag.formats.text import decode

UNSEEN = ("script", "style", "noscript", "template", "nav", "footer", "svg", "iframe", "form", "button", "head")
INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
CELLS = ("td", "th")
INLINE_TAGS = """
a abbr b bdi bdo cite code data del dfn em font i img ins kbd label mark q s samp small span strong sub sup time tt u
var wbr
"""
INLINE = frozenset([*INLINE_TAGS.split(), *CELLS, "-text"])


def read(content: bytes, name: str) -> ParsedDocument:
    tree = LexborHTMLParser(decode(content))
    title = tree.css_first("title")
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    outline = Outline()
    if root is not None:
        _fill(outline, root)
    outline.title = outline.title or (one_line(title.text()) if title is not None else "")
    return outline.document(name)


def text(fragment: str) -> str:
    """The words of a fragment of HTML."""
    tree = LexborHTMLParser(fragment)
    tree.strip_tags([*UNSEEN])
    return one_line(tree.body.text(separator=" ")) if tree.body is not None else ""


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
        if _is_unseen(node):
            continue
        yield node, entering
        if entering and node.tag != "-text":
            stack.append((node, False))
            if node.tag != "pre":
                stack += [(child, True) for child in reversed([*node.iter(include_text=True)])]


def _is_unseen(node: LexborNode) -> bool:
    """What no reader sees may be there to instruct a model."""
    if node.tag == "-text":
        return False
    attributes = node.attributes
    return node.tag in UNSEEN or "hidden" in attributes or bool(INVISIBLE.search(attributes.get("style") or ""))
