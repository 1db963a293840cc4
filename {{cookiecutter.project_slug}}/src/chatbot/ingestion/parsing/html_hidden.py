"""Which elements of an HTML page nobody sees: by attribute, by style, or by a rule of the page's own style sheets.

What is hidden that way may be there to instruct a model. Style sheets are read one rule at a time, without their media
queries and without scripts: this is no browser, and what a page's own script would show stays unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from selectolax.lexbor import LexborHTMLParser, LexborNode

UNSEEN = ("script", "style", "noscript", "template", "nav", "footer", "svg", "iframe", "form", "button", "head")
INVISIBLE = re.compile(
    r"""display\s*:\s*none | visibility\s*:\s*(?:hidden|collapse) | content-visibility\s*:\s*hidden
    | opacity\s*:\s*0?(?:\.0\d*|\.)?\s*(?:;|!|$) | (?<!-)color\s*:\s*transparent | transform\s*:[^;]*scale\(\s*0\s*\)
    | font-size\s*:\s*(?:0?\.\d+|0|1)\s*(?:px|pt|r?em|%|ex|vw|vh)?\s*(?:;|!|$)
    | text-indent\s*:\s*-\d{3,} | (?:left|right|top|bottom|margin-left|margin-top)\s*:\s*-\d{3,}
    | clip\s*:\s*rect\(\s*[01](?:px)?[\s,]+[01](?:px)?[\s,]+[01](?:px)?[\s,]+[01](?:px)?\s*\)
    | clip-path\s*:\s*inset\(\s*(?:50|100)%""",
    re.IGNORECASE | re.VERBOSE,
)
RELATIVE = re.compile(r"font-size\s*:\s*(?:1|0?\.[2-9]\d*)\s*(?:r?em)", re.IGNORECASE)
"""A size that is small only as a number."""
FLAT = re.compile(r"(?:max-)?(?:height|width)\s*:\s*[01](?:px)?\s*(?:;|!|$)", re.IGNORECASE)
CROPPED = re.compile(r"overflow\s*:\s*(?:hidden|clip)", re.IGNORECASE)
COLOUR = re.compile(r"(?<![-\w])color\s*:\s*([^;!]+)", re.IGNORECASE)
BACKGROUND = re.compile(r"background(-color|-image)?\s*:\s*([^;!]+)", re.IGNORECASE)
WHITE = re.compile(
    r"(?:white|\#f[c-f]?f[c-f]?f[c-f]?|rgba?\(\s*25[0-5][\s,]+25[0-5][\s,]+25[0-5].*|hsl\(.*\b(?:99|100)%\s*\))",
    re.IGNORECASE,
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
AT_RULE = re.compile(r"@[^{};]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")


def remove(tree: LexborHTMLParser) -> None:
    """Take out of the tree what its style sheets hide, and white on white. The rest `is_unseen` tells, node by node."""
    sheets = [AT_RULE.sub("", COMMENT.sub("", sheet.text())) for sheet in tree.css("style")]
    for selector, style in RULE.findall("".join(sheets)):
        if hides(style):
            for node in _selected(tree, selector.strip()):
                node.decompose()
    is_styled = bool(tree.css("link[rel=stylesheet]")) or any("background" in sheet for sheet in sheets)
    for node in tree.css("[style*=color], font[color]"):
        if _is_white_on_white(node, is_styled):
            node.decompose()


def is_unseen(node: LexborNode) -> bool:
    if node.tag == "-text":
        return False
    return node.tag in UNSEEN or is_hidden(node)


def is_hidden(node: LexborNode) -> bool:
    """By its own attributes."""
    attributes = node.attributes
    return "hidden" in attributes or hides(attributes.get("style") or "")


def hides(style: str) -> bool:
    """Whether these declarations make text invisible, whatever stands behind it."""
    return bool(
        INVISIBLE.search(RELATIVE.sub("", style))
        or (FLAT.search(style) and CROPPED.search(style))
        or _is_camouflaged(style)
    )


def _is_camouflaged(style: str) -> bool:
    """Whether the style gives the text and what is behind it one colour."""
    colour, background = COLOUR.search(style), BACKGROUND.search(style)
    return bool(colour and background and colour[1].strip().lower() == background[2].strip().lower())


def _is_white_on_white(node: LexborNode, is_styled: bool) -> bool:
    """White, where nothing around it says that the background is anything else."""
    colour = COLOUR.search(node.attributes.get("style") or f"color: {node.attributes.get('color')}")
    if not colour or not WHITE.fullmatch(colour[1].strip()):
        return False
    around: LexborNode | None = node
    while around is not None:
        attributes = around.attributes
        if attributes.get("bgcolor") or (is_styled and (attributes.get("class") or attributes.get("id"))):
            return False
        if background := BACKGROUND.search(attributes.get("style") or ""):
            return bool(WHITE.fullmatch(background[2].strip()))
        around = around.parent
    return not is_styled


def _selected(tree: LexborHTMLParser, selector: str) -> Iterable[LexborNode]:
    """The elements, but for the whole page; none for a selector that is not understood."""
    try:
        return [node for node in tree.css(selector) if node.tag not in ("html", "body", "main", "article")]
    except Exception:  # selectolax raises ValueError, or others, for what it cannot parse
        return []
