"""The style sheets that an HTML page carries in itself: which declarations apply to which element.

The cascade of CSS (importance, specificity, order) over nested rules, @layer, @supports and the @media of an ordinary
screen: 1,280 by 800, light, with a mouse. Linked style sheets are not fetched, scripts are not run, and a rule for a
state (:hover) or for generated text (::after) applies to nothing. tinycss2 parses, lexbor finds the elements.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import tinycss2
from selectolax.lexbor import LexborHTMLParser, LexborNode

Declarations = Mapping[str, str]
"""Values in lower case, by property."""
Weight = tuple[bool, bool, int, int, int, int]
"""What decides between two declarations: important, in no layer, ids, classes, elements, order."""

WIDTH, HEIGHT, EM = 1280, 800, 16
"""Pixels."""
GROUPS = ("supports", "container", "scope", "starting-style", "document", "-moz-document")
FEATURE = re.compile(r"\(\s*(min|max)-(?:device-)?(width|height)\s*:\s*([\d.]+)(px|r?em)\s*\)")
PREFERENCES = ("prefers-color-scheme: dark", "prefers-reduced-motion: reduce", "orientation: portrait", "hover: none",
               "pointer: coarse", "scripting: none", "forced-colors: active", "prefers-contrast: more")  # fmt: skip
STATES = re.compile(r"::|:(?:hover|active|focus|visited|target|before|after|checked|invalid|disabled|placeholder)")
IDS, CLASSES = re.compile(r"#[\w-]+"), re.compile(r"\.[\w-]+|\[[^\]]*\]|(?<!:):(?!not|is|where|has)[\w-]+")
ELEMENTS = re.compile(r"(?<![\w.#:\[-])[a-z][a-z0-9]*")
VARIABLE = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,([^()]*))?\)")
MOST_RULES = 20_000
"""Rules of a page that are looked at: it takes time for each, and no page comes near."""


class Styles:
    """`of(node)`: what applies to an element by the page's style sheets and its own style attribute."""

    def __init__(self, tree: LexborHTMLParser) -> None:
        self._found: dict[int, list[tuple[Weight, str, str]]] = defaultdict(list)
        sheet = "\n".join(each.text() for each in tree.css("style") if _is_for_screens(each.attributes.get("media")))
        rules = _rules(tinycss2.parse_stylesheet(sheet, True, True), "", False) if sheet else ()
        for order, (selector, declarations, layered) in enumerate(rules):
            if order >= MOST_RULES:
                break
            for node in _selected(tree, selector):
                weight = _specificity(selector)
                self._found[node.mem_id] += [
                    ((important, not layered, *weight, order), name, value) for name, value, important in declarations
                ]

    def of(self, node: LexborNode) -> Declarations:
        own = _attribute(node.attributes.get("style") or "")
        ruled = self._found.get(node.mem_id)
        if not ruled:
            return {name: value for name, value, _ in sorted(own, key=lambda each: each[2])}
        last = len(ruled)
        every = [*ruled, *(((important, True, 1_000, 0, 0, last), name, value) for name, value, important in own)]
        return {name: value for _, name, value in sorted(every, key=lambda each: each[0])}


def resolved(value: str, variables: Mapping[str, str]) -> str:
    """The value with the custom properties in it replaced."""
    for _ in range(5):
        if "var(" not in value:
            break
        value = VARIABLE.sub(lambda found: variables.get(found[1], found[2] or ""), value)
    return value.strip()


@lru_cache(maxsize=4096)
def _attribute(style: str) -> tuple[tuple[str, str, bool], ...]:
    return tuple(_declarations(tinycss2.parse_blocks_contents(style, True, True))) if style else ()


def _rules(nodes: list[Any], parent: str, layered: bool) -> Iterator[tuple[str, list[tuple[str, str, bool]], bool]]:
    """Selector, declarations, and whether a layer holds it, of each rule that applies."""
    for node in nodes:
        if node.type == "qualified-rule":
            content = tinycss2.parse_blocks_contents(node.content, True, True)
            declarations = [*_declarations(content)]
            for selector in _selectors(tinycss2.serialize(node.prelude), parent):
                if declarations:
                    yield selector, declarations, layered
                yield from _rules([each for each in content if each.type != "declaration"], selector, layered)
        elif node.type == "at-rule" and node.content is not None and _applies(node):
            inner = tinycss2.parse_blocks_contents(node.content, True, True)
            if parent and (declarations := [*_declarations(inner)]):
                yield parent, declarations, layered
            yield from _rules(inner, parent, layered or node.lower_at_keyword == "layer")


def _declarations(nodes: list[Any]) -> Iterator[tuple[str, str, bool]]:
    for node in nodes:
        if node.type == "declaration":
            yield node.lower_name, tinycss2.serialize(node.value).strip().lower(), node.important


def _selectors(prelude: str, parent: str) -> Iterator[str]:
    for selector in re.split(r",(?![^()\[]*[)\]])", prelude):
        nested = selector.strip()
        if not parent:
            yield nested
        else:
            yield nested.replace("&", parent) if "&" in nested else f"{parent} {nested}"


def _applies(rule: Any) -> bool:
    condition = tinycss2.serialize(rule.prelude)
    if rule.lower_at_keyword == "media":
        return _is_for_screens(condition)
    if rule.lower_at_keyword == "supports":
        return not condition.strip().lower().startswith("not")
    return rule.lower_at_keyword == "layer" or rule.lower_at_keyword in GROUPS


def _is_for_screens(query: str | None) -> bool:
    """Whether one of the media queries holds on an ordinary screen. What is not known is taken to hold."""
    return any(_holds(each.strip().lower()) for each in (query or "").split(","))


def _holds(query: str) -> bool:
    if query.startswith("not "):
        return not _holds(query[4:])
    if re.match(r"(?:only\s+)?(?:print|speech|tty|tv|handheld|projection)\b", query):
        return False
    if any(re.sub(r"\s*:\s*", ": ", query).find(each) >= 0 for each in PREFERENCES):
        return False
    for bound, axis, number, unit in FEATURE.findall(query):
        size, limit = WIDTH if axis == "width" else HEIGHT, float(number) * (1 if unit == "px" else EM)
        if size < limit if bound == "min" else size > limit:
            return False
    return True


def _selected(tree: LexborHTMLParser, selector: str) -> list[LexborNode]:
    """The elements; none for a selector of a passing state, or one that is not understood."""
    if STATES.search(selector):
        return []
    try:
        return tree.css(selector)
    except Exception:  # selectolax raises ValueError, or others, for what it cannot parse
        return []


def _specificity(selector: str) -> tuple[int, int, int]:
    """How many ids, classes and elements it names (https://www.w3.org/TR/selectors/#specificity)."""
    return len(IDS.findall(selector)), len(CLASSES.findall(selector)), len(ELEMENTS.findall(selector))
