"""Which text of an HTML page a reader sees, from the declarations that apply to the elements around it.

Found hidden: not displayed, invisible, transparent (or nearly, by all that is above it), moved off the page, scaled to
nothing, clipped, in a box without height or width, smaller than two pixels, in the colour of its background, in a
dialog that is not open. Not found: what another element covers, a colour that matches a picture or a gradient, and
what only a linked style sheet or a script hides. Whatever is read stays data to the bot; see docs/injection.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from selectolax.lexbor import LexborNode
from tinycss2.color4 import parse_color

from chatbot.ingestion.parsing.html_css import Declarations, Styles, resolved

Colour = tuple[float, float, float, float]
"""Red, green, blue, alpha, each 0 to 1."""
WHITE, BLACK = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0)
FAINT = 0.1
"""Two colours that differ by less in all channels look the same; text less opaque than half of it is not seen."""
SMALLEST = 2.0
"""Pixels."""
FAR = 400.0
"""Pixels to the left of or above a page, from which something is off it; ten times as many to the right or below."""
FRAME = ("html", "body", "main", "article")
"""What holds the page: to hide all of it is not meant for readers, who wait for a script to show it."""
LENGTH = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))(px|pt|pc|in|cm|mm|r?em|ex|ch|vw|vh|%)?(?![\w.])")
PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "vw": 12.8, "vh": 8.0, "rem": 16.0}
NAMED_SIZES = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0}
NOTHING = re.compile(r"scale(?:x|y|3d)?\(\s*(?:0?\.0\d*|0)(?=[\s,)])|rotate[xy]\(\s*-?(?:90|270)deg")
CLIPPED = re.compile(
    r"inset\(\s*(?:[5-9]\d|100)(?:\.\d+)?%|(?:circle|ellipse)\(\s*0[^.\d]|polygon\((?:[\s,]*0(?:px|%)?\s+0(?:px|%)?)+\s*\)"
)
RECTANGLE = re.compile(r"rect\((?:\s*[01](?:px)?[\s,]*){4}\)")
TRANSPARENT_FILTER = re.compile(r"opacity\(\s*(?:0?\.0\d*|0)%?\s*\)")
PICTURE = re.compile(r"url\(|gradient\(|image\(|image-set\(|element\(")


@dataclass(frozen=True, slots=True)
class Look:
    """How text would look that stands right in an element."""

    shown: bool = True
    """Once not shown, nothing inside is either."""
    visible: bool = True
    """`visibility`, which what is inside may take back."""
    opacity: float = 1.0
    colour: Colour = BLACK
    background: Colour | None = WHITE
    """None: a picture, or a style sheet that was not read."""
    size: float = 16.0
    """Of the font, in pixels."""
    indent: float = 0.0
    shadow: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def is_seen(self) -> bool:
        if not (self.shown and self.visible) or self.size < SMALLEST or _is_far(self.indent):
            return False
        if self.shadow or self.background is None:
            return True
        alpha = self.colour[3] * self.opacity
        differences = (abs(a - b) * alpha for a, b in zip(self.colour[:3], self.background[:3], strict=True))
        return alpha >= FAINT / 2 and max(differences) >= FAINT


class Eye:
    """`enter(node, look)`: how text looks in an element, from how it looks in what is around it."""

    def __init__(self, styles: Styles, has_linked_sheets: bool) -> None:
        self._styles = styles
        self._is_styled_elsewhere = has_linked_sheets

    def enter(self, node: LexborNode, around: Look) -> Look:
        attributes = node.attributes
        style = self._styles.of(node)
        if not style and not attributes:
            return around if node.tag != "dialog" else replace(around, shown=False)
        variables = around.variables
        if own := {name: value for name, value in style.items() if name.startswith("--")}:
            variables = {**variables, **own}
        style = {name: resolved(value, variables) for name, value in style.items()}
        look = replace(
            around, variables=variables, size=_font_size(style, around.size), **_paint(style, attributes, around)
        )
        if self._is_styled_elsewhere and (attributes.get("class") or attributes.get("id")):
            look = replace(look, background=None)
        if node.tag in FRAME:
            return replace(look, size=max(look.size, SMALLEST))
        by_default = "hidden" in attributes or (node.tag == "dialog" and "open" not in attributes)
        display = style.get("display", "none" if by_default else "")
        return replace(
            look,
            shown=around.shown and display != "none" and not _is_out_of_sight(style),
            visible=style["visibility"] in ("visible", "initial") if "visibility" in style else around.visible,
            opacity=around.opacity * _number(style.get("opacity", ""), 1.0),
        )


def _paint(style: Declarations, attributes: dict[str, str | None], around: Look) -> dict[str, Any]:
    """Colour, background, shadow and indent."""
    colour = _colour(style.get("-webkit-text-fill-color") or style.get("color") or attributes.get("color") or "")
    background = around.background
    for value in (attributes.get("bgcolor") or "", style.get("background", ""), style.get("background-color", "")):
        if painted := _first_colour(value):
            background = _over(painted, background)
    pictures = style.get("background", "") + style.get("background-image", "") + (attributes.get("background") or "")
    clips_to_text = "text" in (style.get("background-clip") or style.get("-webkit-background-clip") or "").split()
    if PICTURE.search(pictures) or attributes.get("background") or clips_to_text:
        background = None
    indent = _length(style["text-indent"], around.size) if "text-indent" in style else around.indent
    shadow = style.get("text-shadow", "none" if not around.shadow else "") not in ("none", "initial")
    return {"colour": colour or around.colour, "background": background, "indent": indent, "shadow": shadow}


def _is_out_of_sight(style: Declarations) -> bool:
    """Moved, shrunk or clipped away, with all that is in it."""
    get = style.get
    if (
        get("content-visibility") == "hidden"
        or NOTHING.search(get("transform", ""))
        or get("scale", "") in ("0", "0 0")
    ):
        return True
    if CLIPPED.search(get("clip-path", "")) or TRANSPARENT_FILTER.search(get("filter", "")):
        return True
    if get("position") in ("absolute", "fixed") and RECTANGLE.search(get("clip", "")):
        return True
    moves = [get("translate", ""), *re.findall(r"translate[xy3d]*\(([^)]*)\)", get("transform", ""))]
    moves += [get(name, "") for name in ("margin-left", "margin-top", "margin")]
    if get("position", "static") != "static":
        moves += [get(name, "") for name in ("left", "right", "top", "bottom", "inset")]
    if any(_is_far(_pixels(number, unit, 16.0)) for move in moves for number, unit in LENGTH.findall(move)):
        return True
    return _is_flat(style)


def _is_flat(style: Declarations) -> bool:
    """A box without height or width that cuts off what goes beyond it; padding and a least size make room again."""
    overflow = " ".join(style.get(name, "") for name in ("overflow", "overflow-x", "overflow-y"))
    if "hidden" not in overflow and "clip" not in overflow:
        return False
    for axis, logical, sides in (
        ("height", "block-size", ("top", "bottom")),
        ("width", "inline-size", ("left", "right")),
    ):
        sizes = [style[name] for name in (axis, f"max-{axis}", logical, f"max-{logical}") if name in style]
        room = [
            style.get(f"min-{axis}", ""),
            style.get("padding", ""),
            *(style.get(f"padding-{each}", "") for each in sides),
        ]
        if any(_is_at_most(size, 1) for size in sizes) and all(_is_at_most(each or "0", 1) for each in room):
            return True
    return False


def _is_at_most(value: str, pixels: float) -> bool:
    lengths = LENGTH.findall(value)
    return bool(lengths) and all(abs(_pixels(number, unit, 16.0)) <= pixels for number, unit in lengths)


def _is_far(pixels: float) -> bool:
    return pixels <= -FAR or pixels >= 10 * FAR


def _font_size(style: Declarations, inherited: float) -> float:
    value = style.get("font-size", "")
    if not value and "font" in style:
        sized = re.search(r"(?:^|\s)([\d.]+(?:px|pt|r?em|%)?)(?=\s*/|\s)", style["font"])
        value = sized[1] if sized and (sized[1] == "0" or not sized[1].isdigit()) else ""
    if value in NAMED_SIZES:
        return NAMED_SIZES[value]
    return _length(value, inherited) if LENGTH.match(value) else inherited


def _length(value: str, size: float) -> float:
    found = LENGTH.search(value)
    return _pixels(found[1], found[2] or "", size) if found else 0.0


def _pixels(number: str, unit: str, size: float) -> float:
    """`size`: what em and % are of."""
    if unit == "%":
        return float(number) * size / 100
    return float(number) * (
        PIXELS[unit] if unit in PIXELS else size / 2 if unit in ("ex", "ch") else size if unit else 1.0
    )


def _number(value: str, default: float) -> float:
    found = LENGTH.match(value)
    return min(float(found[1]) / (100 if found[2] == "%" else 1), 1.0) if found else default


@lru_cache(maxsize=1024)
def _colour(value: str) -> Colour | None:
    """None for a value that is none, and for words such as inherit."""
    try:
        parsed = parse_color(value.strip()) if value else None
        if parsed is None or parsed == "currentcolor":
            return None
        red, green, blue = parsed.to("srgb").coordinates
    except (ValueError, NotImplementedError, TypeError):
        return None
    return (red or 0.0, green or 0.0, blue or 0.0, 1.0 if parsed.alpha is None else parsed.alpha)


def _first_colour(value: str) -> Colour | None:
    parts = re.findall(r"[\w-]+\([^()]*\)|[^\s,/]+", value)
    return next((colour for part in parts if (colour := _colour(part))), None)


def _over(colour: Colour, behind: Colour | None) -> Colour | None:
    """What is seen when one is painted over the other."""
    alpha = colour[3]
    if alpha >= 1 or behind is None:
        return colour if alpha >= 1 else None
    red, green, blue = (a * alpha + b * (1 - alpha) for a, b in zip(colour[:3], behind[:3], strict=True))
    return red, green, blue, 1.0
