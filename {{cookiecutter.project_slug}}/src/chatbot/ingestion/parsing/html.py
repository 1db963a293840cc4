"""HTML: the text under its headings that a reader sees, without scripts, menus, form fields and cookie banners."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import accumulate

from selectolax.lexbor import LexborHTMLParser, LexborNode

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.html_css import Styles
from chatbot.ingestion.parsing.html_seen import Eye, Look
from chatbot.ingestion.parsing.outline import Outline, code, one_line
from chatbot.ingestion.parsing.text import decode

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
a abbr b bdi bdo big cite code data del dfn em font i img input ins kbd label mark nobr q s samp small span strike
strong sub sup time tt u var wbr
"""
INLINE = frozenset([*INLINE_TAGS.split(), *CELLS, "-text"])
SILENT_TAGS = """
script style noscript template svg iframe head object audio video canvas datalist
"""
SILENT = frozenset(SILENT_TAGS.split())
"""What is no text of the page, whatever it holds."""
FIELDS = ("select", "textarea", "option", "optgroup")
OTHER_TAGS = """
body br button caption col colgroup dd dt form html hr input legend li link meta p picture pre progress rp rt ruby
search source table tbody tfoot thead title tr track
"""
ELEMENTS = frozenset([*INLINE, *SILENT, *FIELDS, *HEADINGS, *BLOCK_TAGS.split(), *OTHER_TAGS.split()])
"""What a browser takes for markup."""
MENU_ROLES = ("navigation", "menu", "menubar", "search", "toolbar")
CONSENT = re.compile(
    r"cookie|consent|gdpr|rgpd|onetrust|didomi|tarteaucitron|axeptio|cybot|usercentrics", re.IGNORECASE
)
ASKS = re.compile(
    r"banner|consent|bar\b|notice|notif|popup|modal|overlay|accept|gdpr|rgpd|onetrust|didomi|tarteaucitron|axeptio|cybot|usercentrics",
    re.IGNORECASE,
)
TO_PRESS = "button, input, a, [role=button]"
MENU = re.compile(r"(?<![A-Za-z])(?:menu|nav|navbar|navigation|breadcrumbs?|topbar|sitemap)(?![A-Za-z])", re.IGNORECASE)
LINKS = 0.8
"""Share of a menu's letters that are links."""
LONGEST_BANNER = 150
"""Words; a page about cookies has more."""
SECTIONING = ("article", "section", "blockquote", "main", "figure")
SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
NOTE_MARK = re.compile(r"[\[(]?(?:\d{1,3}|[*†‡§]{1,3}|[a-z])[\])]?(?:[,;\s]+\d{1,3})*")
EXPONENT = re.compile(r"[-+−]?\d{1,2}")
UNIT = re.compile(r"(?:^|[\W\d_])[^\W\d_]{1,2}$|\d$")
"""A superscript after it is an exponent: 10³, 12 m², W·m⁻²."""
INLINE_MARKUP = re.compile(rf"</?(?:{'|'.join({*INLINE_TAGS.split()} - {'sup'})})\b[^<>]*>", re.IGNORECASE)
MARKUP = re.compile(r"<[^<>]*>")
CELL = re.compile(r"<t[dh]\b", re.IGNORECASE)
IS_XML = re.compile(r"<\?xml|<html[^<>]*\sxmlns\s*=", re.IGNORECASE)
SELF_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([A-Za-z][\w:-]*)((?:\s[^<>]*)?)/>",
    re.IGNORECASE,
)
"""In XHTML « <title/> » is an empty title; in HTML it opens one that has the rest of the page in it."""
OPENED = re.compile(r"<([A-Za-z][A-Za-z0-9]*)\s[^<>]*>")


def read(content: bytes, name: str) -> ParsedDocument:
    markup, encoding = decode(content)
    tree = _tree(markup)
    outline = Outline()
    outline.read_as(encoding)
    _fill(outline, tree)
    title = tree.css_first("title")
    outline.title = outline.title or _first_heading(tree) or (one_line(title.text()) if title is not None else "")
    return outline.document(name, everything=everything(markup))


def add(outline: Outline, markup: str) -> str:
    """Add a page to an outline that has others; all text of it."""
    _fill(outline, _tree(markup))
    return everything(markup)


def _fill(outline: Outline, tree: LexborHTMLParser) -> None:
    if tree.body is None:
        return
    reader, roots = _Reader(outline, tree), _roots(tree)
    for root in roots:
        reader.read(root)
    if roots[0].tag != "body":
        outline.leave_out("outside the main part", _around_main(tree))


def _around_main(tree: LexborHTMLParser) -> str:
    """The text of menus, headers and the like around the main parts."""
    copy = LexborHTMLParser(tree.html or "")
    for node in [*_roots(copy), *copy.css(", ".join(SILENT))]:
        node.decompose()
    return copy.body.text(separator=" ") if copy.body is not None else ""


def links(markup: str) -> list[tuple[str, str]]:
    """Target and text of each link."""
    found = ((each.attributes.get("href") or "", one_line(each.text())) for each in _tree(markup).css("a[href]"))
    return [(target, words) for target, words in found if words]


def text(fragment: str) -> str:
    """The words of a fragment of HTML."""
    tree = _tree(fragment)
    outline = Outline()
    if tree.body is not None:
        _Reader(outline, tree).read(tree.body)
    parsed = outline.document("fragment")
    return one_line(" ".join(section.text for section in parsed.sections)) or one_line(outline.title)


def hidden_by(fragment: str, hidden: str = "") -> str:
    """The name of an element that hides what follows the fragment; "" for none. `hidden`: what already hides it."""
    if hidden:
        return "" if f"</{hidden}" in fragment.lower() else hidden
    for opened in OPENED.finditer(fragment):
        tree, name = LexborHTMLParser(opened[0]), opened[1].lower()
        node = tree.css_first(f"body > {opened[1]}")
        if node is None or f"</{name}" in fragment[opened.end() :].lower():
            continue
        if not Eye(Styles(tree), False).enter(node, Look()).is_seen:
            return name
    return ""


def _tree(markup: str) -> LexborHTMLParser:
    """RecursionError for what is nested too deeply."""
    steps = (-1 if block[1] else 1 for block in BLOCK.finditer(markup)) if markup.count("<") > DEEPEST else ()
    if max(accumulate(steps, lambda depth, step: max(depth + step, 0)), default=0) > DEEPEST:
        raise RecursionError
    return LexborHTMLParser(SELF_CLOSED.sub(r"<\1\2></\1>", markup) if IS_XML.search(markup[:2000]) else markup)


def _roots(tree: LexborHTMLParser) -> list[LexborNode]:
    """The main parts, where the page says which they are; else all of its body."""
    mains = [each for each in tree.css("main, [role=main]") if one_line(each.text())]
    outermost = [each for each in mains if not _has_ancestor(each, mains)]
    return outermost or ([tree.body] if tree.body is not None else [])


def _has_ancestor(node: LexborNode, among: list[LexborNode]) -> bool:
    ids = {each.mem_id for each in among}
    above = node.parent
    while above is not None:
        if above.mem_id in ids:
            return True
        above = above.parent
    return False


def _first_heading(tree: LexborHTMLParser) -> str:
    heading = tree.css_first("h1")
    return one_line(heading.text()) if heading is not None else ""


def everything(markup: str) -> str:
    """All text of the page, by its tags alone."""
    tree = _tree(markup)
    for node in tree.css(", ".join(SILENT)):
        node.decompose()
    for link in tree.css("a"):
        if _refers_to_note(link):
            link.insert_before(" ")
    return untagged((tree.body.html if tree.body is not None else "") or "")


def untagged(markup: str) -> str:
    """Markup without its tags and comments; what stands in a word is no end of it."""
    first, *others = markup.split("<!--")
    text = "".join([first, *(other.partition("-->")[2] for other in others)])
    return unescape(MARKUP.sub(" ", INLINE_MARKUP.sub("", CELL.sub(" <td", text))))


class _Reader:
    """Fills an outline from a part of the page, element by element."""

    def __init__(self, outline: Outline, tree: LexborHTMLParser) -> None:
        self._outline = outline
        self._eye = Eye(Styles(tree), bool(tree.css("link[rel~=stylesheet]")))
        self._words: list[str] = []
        self._bullet = ""
        self._heading = ""
        self._rows: list[list[str]] | None = None
        self._data_tables = _data_tables(tree)

    def read(self, root: LexborNode) -> None:
        for node, entering, look in self._walk(root):
            if node.tag == "-text":
                self._text(node, look)
            elif entering:
                self._enter(node)
            else:
                self._leave(node)
        self._flush()

    def _walk(self, root: LexborNode) -> Iterator[tuple[LexborNode, bool, Look]]:
        """Every node as it is entered and left, however deep the nesting, with how its text looks."""
        stack = [(root, True, self._look_around(root))]
        while stack:
            node, entering, around = stack.pop()
            if node.tag == "-text" or not entering:
                yield node, entering, around
                continue
            if node.tag in SILENT or self._is_left_out(node):
                continue
            look = self._eye.enter(node, around)
            if not look.shown:
                self._outline.leave_out("hidden", node.text(separator=" "))
                continue
            yield node, True, look
            stack.append((node, False, around))
            stack += [(child, True, look) for child in reversed([*node.iter(include_text=True)])]

    def _look_around(self, root: LexborNode) -> Look:
        """How text looks in what holds the root."""
        above: list[LexborNode] = []
        node = root.parent
        while node is not None and node.tag not in ("-undef", "-document"):
            above.append(node)
            node = node.parent
        look = Look()
        for each in reversed(above):
            look = self._eye.enter(each, look)
        return look if look.shown else Look()

    def _is_left_out(self, node: LexborNode) -> bool:
        reason = _reason(node) if not self._heading else ""
        if reason:
            self._outline.leave_out(reason, node.text(separator=" "))
        return bool(reason)

    def _text(self, node: LexborNode, look: Look) -> None:
        words = node.text_content or ""
        if look.is_seen:
            self._words.append(words)
        else:
            self._outline.leave_out("hidden", words)

    def _enter(self, node: LexborNode) -> None:
        tag = str(node.tag)
        if tag == "sup" and (node.parent is None or node.parent.tag != "sup"):
            self._superscript(node)
        elif tag == "a" and _refers_to_note(node):
            self._outline.leave_out("marks of notes", node.text())
            for part in [*node.iter(include_text=True)]:
                part.decompose()
        elif tag in CELLS and self._rows is not None:
            self._words.clear()
        elif tag in CELLS:
            self._words.append(" | " if self._words else "")
        elif tag in INLINE:
            return
        elif tag == "table" and node.mem_id in self._data_tables:
            self._flush()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif self._rows is not None:
            self._words.append(" ")
        elif tag in HEADINGS:
            self._flush()
            self._heading = self._heading or tag
        elif not self._heading:
            self._flush()
            self._bullet = "- " if tag == "li" else ""
        else:
            self._words.append(" ")

    def _leave(self, node: LexborNode) -> None:
        tag = str(node.tag)
        if tag in CELLS and self._rows is not None:
            self._rows[-1:] = [[*(self._rows[-1] if self._rows else []), one_line("".join(self._words))]]
            self._words.clear()
        elif tag in INLINE:
            return
        elif tag == "caption" and self._rows is not None:
            self._flush()
        elif tag == "table" and self._rows is not None:
            self._outline.table(self._rows)
            self._rows = None
        elif self._rows is not None:
            self._words.append(" ")
        elif tag == self._heading:
            self._outline.heading(HEADINGS[tag], "".join(self._words))
            self._words.clear()
            self._heading = ""
        elif self._heading:
            self._words.append(" ")
        elif tag == "pre":
            self._outline.add(code("".join(self._words)))
            self._words.clear()
        else:
            self._flush()

    def _superscript(self, node: LexborNode) -> None:
        """An exponent as one; the mark of a note is no part of the word before it."""
        words = one_line(node.text())
        before = "".join(self._words[-3:])[-20:]
        if EXPONENT.fullmatch(words) and UNIT.search(before) and node.css_first("a") is None:
            child = words.replace("−", "-").translate(SUPERSCRIPT)
        elif NOTE_MARK.fullmatch(words) and (words[0] in "[(*†‡§0123456789"):
            is_link = node.css_first("a") is not None or (node.parent is not None and node.parent.tag == "a")
            self._outline.leave_out("marks of notes", words if is_link else "")
            child = "" if is_link else f" {words.translate(SUPERSCRIPT)}"
        else:
            return
        self._words.append(child)
        for part in [*node.iter(include_text=True)]:
            part.decompose()

    def _flush(self) -> None:
        paragraph = one_line("".join(self._words))
        self._words.clear()
        if paragraph:
            self._outline.add(self._bullet + paragraph)
            self._bullet = ""


def _refers_to_note(link: LexborNode) -> bool:
    """A number that is a link to somewhere on the same page, in no brackets of the text: the mark of a note."""
    attributes = link.attributes
    kinds = f"{attributes.get('epub:type') or ''} {attributes.get('role') or ''}"
    target = attributes.get("href") or ""
    is_note = "noteref" in kinds or re.search(r"#(?:_?(?:fn|foot|end|note|ftn|edn))", target, re.IGNORECASE) is not None
    return is_note and NOTE_MARK.fullmatch(one_line(link.text())) is not None


def _data_tables(tree: LexborHTMLParser) -> set[int]:
    """Tables with column names and no table or listing in them, unlike those that only lay out the page."""
    named = {table.mem_id for cell in tree.css("th") if (table := _table_around(cell)) is not None}
    within = {table.mem_id for each in tree.css("table, pre") if (table := _table_around(each)) is not None}
    return named - within


def _table_around(node: LexborNode) -> LexborNode | None:
    above = node.parent
    while above is not None and above.tag != "table":
        above = above.parent
    return above


def _reason(node: LexborNode) -> str:
    """Why the text of an element that is seen is not that of the page; "" if it is."""
    tag, attributes = str(node.tag), node.attributes
    if tag == "nav" or attributes.get("role") in MENU_ROLES:
        return "menus"
    if tag == "footer" and not _is_within(node, SECTIONING):
        return "page footer"
    if tag in FIELDS:
        return "form fields"
    if tag == "button":
        return "" if _opens_something(node) else "buttons"
    names = " ".join(filter(None, (attributes.get(key) for key in ("id", "class", "aria-label", "data-nosnippet"))))
    if tag in ("body", "html", "main", "article", *HEADINGS, *INLINE):
        return ""
    is_dialog = attributes.get("role") in ("dialog", "alertdialog") or attributes.get("aria-modal") == "true"
    if CONSENT.search(names) and not ASKS.search(names) and not is_dialog and node.css_first(TO_PRESS) is None:
        return ""  # a text about cookies
    if (CONSENT.search(names) or (is_dialog and CONSENT.search(node.text()[:2000]))) and _is_banner(node):
        return "cookie banner"
    return "menus" if MENU.search(names) and _is_all_links(node) else ""


def _opens_something(button: LexborNode) -> bool:
    """A button that is the heading of what it opens, as in a list of questions."""
    words = one_line(button.text())
    attributes = button.attributes
    opens = (
        "aria-expanded" in attributes or "aria-controls" in attributes or "accordion" in (attributes.get("class") or "")
    )
    return _is_within(button, (*HEADINGS, "summary", "dt")) or words.endswith("?") or (opens and len(words.split()) > 2)


def _is_all_links(node: LexborNode) -> bool:
    links = node.css("a")
    letters = len("".join(node.text().split()))
    return len(links) > 2 and sum(len("".join(link.text().split())) for link in links) >= LINKS * letters


def _is_banner(node: LexborNode) -> bool:
    return len(node.text(separator=" ").split()) <= LONGEST_BANNER and node.css_first("h1, main, article") is None


def _is_within(node: LexborNode, tags: tuple[str, ...]) -> bool:
    above = node.parent
    while above is not None:
        if above.tag in tags:
            return True
        above = above.parent
    return False
