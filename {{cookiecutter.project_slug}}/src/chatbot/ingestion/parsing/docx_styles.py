"""What the styles of a Word document say of its paragraphs and runs: headings, hidden text, automatic numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from chatbot.ingestion.parsing.archive import Element, child, get, has, local

OFF = ("0", "false", "off")
HEADING = re.compile(r"(?:heading|titre|überschrift|título|titolo|kop)\s*([1-9])", re.IGNORECASE)
DEEPEST = 20
"""Styles based on styles."""
BODY_TEXT = 9
"""The outline level of what is no heading."""
SMALLEST = 3
"""Half points."""
ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
         (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
LEVEL = re.compile(r"%([1-9])")


class Styles:
    def __init__(self, root: Element | None) -> None:
        self._styles = {
            get(style, "styleId"): style for style in (root if root is not None else ()) if local(style) == "style"
        }
        self._default = {
            get(style, "type"): id for id, style in self._styles.items() if get(style, "default") in ("1", "true", "on")
        }

    def heading_level(self, paragraph: Element) -> int | None:
        """0 for the title, 1 to 9 for a heading, None for text. By outline level, else by the name of a style."""
        own = child(paragraph, "pPr", "outlineLvl")
        if own is not None:
            return _level(own)
        for style in self.chain(paragraph):
            name = get(child(style, "name"), "val") or ""
            if name.lower() == "title":
                return 0
            if found := HEADING.fullmatch(name.strip()):
                return int(found[1])
            if (outline := child(style, "pPr", "outlineLvl")) is not None:
                return _level(outline)
        return None

    def chain(self, node: Element) -> Iterator[Element]:
        """The style of a paragraph or a run, and those that it is based on."""
        kind = "p" if local(node) == "p" else "r"
        id = get(child(node, f"{kind}Pr", f"{kind}Style"), "val")
        if id is None and kind == "p":
            id = self._default.get("paragraph")
        for _ in range(DEEPEST):
            style = self._styles.get(id)
            if style is None:
                return
            yield style
            id = get(child(style, "basedOn"), "val")

    def is_hidden(self, run: Element) -> bool:
        """Hidden text, smaller than two points, or white on paper."""
        paragraph = next((each for each in run.iterancestors() if local(each) == "p"), None)
        properties = [child(run, "rPr"), *(child(style, "rPr") for style in self.chain(run))]
        if paragraph is not None:
            properties += (child(style, "rPr") for style in self.chain(paragraph))
        switch = next((each for of in properties if (each := child(of, "vanish")) is not None), None)
        if switch is not None and get(switch, "val") not in OFF:
            return True
        size = next((each for of in properties if (each := get(child(of, "sz"), "val"))), "")
        if size.isdigit() and int(size) <= SMALLEST:
            return True
        colour = next((each for of in properties if (each := get(child(of, "color"), "val"))), "")
        return colour.upper() == "FFFFFF" and not _is_shaded(run, paragraph, properties)


class Numbering:
    """`number(paragraph)` gives its automatic number, "- " for a bullet, and counts."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        parts = [*root] if root is not None else []
        self._styles = styles
        self._lists = {get(each, "numId"): each for each in parts if local(each) == "num"}
        self._abstract = {get(each, "abstractNumId"): each for each in parts if local(each) == "abstractNum"}
        self._counters: dict[str | None, dict[int, int]] = defaultdict(dict)
        self._restarted: set[tuple[str, int]] = set()

    def number(self, paragraph: Element) -> str:
        list_id, level = self._place(paragraph)
        number = self._lists.get(list_id)
        if list_id is None or number is None:
            return ""
        abstract_id = get(child(number, "abstractNumId"), "val")
        levels = self._levels(abstract_id)
        counters = self._counters[abstract_id]
        override = next(
            (each for each in number if local(each) == "lvlOverride" and get(each, "ilvl") == str(level)), None
        )
        restart = get(child(override, "startOverride"), "val") if override is not None else None
        if restart and (list_id, level) not in self._restarted:
            self._restarted.add((list_id, level))
            counters[level] = int(restart)
        else:
            counters[level] = counters.get(level, _start(levels.get(level)) - 1) + 1
        for deeper in [each for each in counters if each > level]:
            del counters[deeper]
        return _label(levels, level, counters)

    def _place(self, paragraph: Element) -> tuple[str | None, int]:
        """Which list, and which level of it, by the paragraph or its styles."""
        own = child(paragraph, "pPr", "numPr")
        list_id, level = get(child(own, "numId"), "val"), get(child(own, "ilvl"), "val")
        for style in self._styles.chain(paragraph):
            properties = child(style, "pPr", "numPr")
            list_id = list_id or get(child(properties, "numId"), "val")
            level = level or get(child(properties, "ilvl"), "val")
        return (None if list_id == "0" else list_id), int(level) if level and level.isdigit() else 0

    def _levels(self, abstract_id: str | None) -> dict[int, Element]:
        abstract = self._abstract.get(abstract_id)
        found = {
            int(get(each, "ilvl") or 0): each
            for each in (abstract if abstract is not None else ())
            if local(each) == "lvl"
        }
        link = get(child(abstract, "numStyleLink"), "val")
        if found or not link:
            return found
        linked = next((each for each in self._abstract.values() if get(child(each, "styleLink"), "val") == link), None)
        return {
            int(get(each, "ilvl") or 0): each for each in (linked if linked is not None else ()) if local(each) == "lvl"
        }


def _label(levels: dict[int, Element], level: int, counters: dict[int, int]) -> str:
    definition = levels.get(level)
    form = get(child(definition, "numFmt"), "val") or "decimal"
    if form == "bullet":
        return "-"
    if form == "none":
        return ""
    legal = child(definition, "isLgl") is not None
    text = get(child(definition, "lvlText"), "val")

    def value(found: str) -> str:
        index = int(found) - 1
        form = get(child(levels.get(index), "numFmt"), "val") or "decimal"
        return _formatted(counters.get(index, _start(levels.get(index))), "decimal" if legal else form)

    return LEVEL.sub(lambda found: value(found[1]), f"%{level + 1}." if text is None else text).strip()


def _formatted(number: int, form: str) -> str:
    if form.endswith("Roman"):
        roman, rest = "", max(number, 0)
        for value, letters in ROMAN:
            roman += letters * min(rest // value, 20)
            rest %= value
        return roman.upper() if form.startswith("upper") else roman
    if form.endswith("Letter") and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 5)
        return letter.upper() if form.startswith("upper") else letter
    return f"{number:02}" if form == "decimalZero" else str(number)


def _start(level: Element | None) -> int:
    start = get(child(level, "start"), "val")
    return int(start) if start and start.isdigit() else 1


def _level(outline: Element) -> int | None:
    value = get(outline, "val") or ""
    return int(value) + 1 if value.isdigit() and int(value) < BODY_TEXT else None


def _is_shaded(run: Element, paragraph: Element | None, properties: list[Element | None]) -> bool:
    """Whether anything says that white stands on another colour."""
    own = (child(each, name) for each in properties for name in ("shd", "highlight"))
    if any(each is not None for each in own):
        return True
    if paragraph is not None and child(paragraph, "pPr", "shd") is not None:
        return True
    around = {local(each) for each in run.iterancestors()}
    return bool(around & {"tc", "txbxContent"}) or has(run.getroottree().getroot(), "background")
