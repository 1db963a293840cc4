"""Text that is safe to show: what a model writes, and what documents bring, as words and harmless Markdown.

A model can be talked into anything by a document. So its text reaches people without raw HTML, without images, and
with links only to what the answer cites; addresses that stand in the passages stay readable, but are no links. And
without its own instructions: where it begins to recite them, the text ends.

shown = Filter(cited, known)
shown.feed("See ![x](https://evil.exa") + shown.feed("mple/?q=1) there") + shown.finish()      "See x there"
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Collection, Iterator

WORD_JOINER = "\u2060"
NOTABLE = re.compile(r"[^\w\s.,;!?()'\"’“”«»…–—%+*=-]|www|\s(?<![ \n\t])|[^\x00-\u024f\u2000-\u20ac]", re.IGNORECASE)
"""What a text needs to have, at the least, to be anything but words."""
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2061-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What takes no space: zero-width characters, directional controls, variation selectors, fillers, tags."""
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
TAG = re.compile(r"<[/!?]?([A-Za-z][A-Za-z0-9]*)\b([^<>]*)>")
CODE = "`"
OPENING = re.compile(r"<(?=[A-Za-z/!?])")
OPENING_OUTSIDE_CODE = re.compile(r"(?<!`)<(?=[A-Za-z/!?])")
SHOWN_ADDRESS = re.compile(r"https?://[\w.-]+", re.IGNORECASE)
INLINE_TAGS = "a abbr b big code del em font i ins kbd mark q s small span strike strong sub sup tt u var"
BLOCK_TAGS = """
address article aside audio base blockquote body br button center dd details dialog div dl dt embed fieldset
figure footer form frame h1 h2 h3 h4 h5 h6 head header hr html iframe img input label legend li link main map math
meta nav noscript object ol option p param picture pre script section select source style summary svg table tbody
td template textarea tfoot th thead title tr ul video
"""
INLINE, BLOCK = frozenset(INLINE_TAGS.split()), frozenset(BLOCK_TAGS.split())
TARGET = r"\(((?:[^()]|\([^()]*\))*)\)"
LINK = re.compile(rf"\[([^\[\]]*)\]{TARGET}")
LOOSE_TARGET = re.compile(rf"\]{TARGET}")
OPEN_TARGET = re.compile(rf"\]\((?!{TARGET[2:]})")
IMAGE = re.compile(r"!(?=\[)")
BEGINS_LINE = r"(?:[^\S\n]|[>*+\d.)-])*"
DEFINITION = re.compile(rf"^({BEGINS_LINE}\[(?:[^\[\]\\]|\\.)*\]|\A[^\[\]]*\]):", re.MULTILINE | re.DOTALL)
REST = r"[^\s<>\"“”«»‹›`\[\]()]"
ADDRESS = re.compile(
    rf"""[a-z][a-z0-9+.-]{{0,30}}:\\?/\\?/{REST}*
    | //[\w-]+\.{REST}+
    | (?<![a-z0-9])www\.{REST}+
    | (?<![a-z0-9])(?:javascript|vbscript|mailto|blob|data:\w+/):?{REST}+
    | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
    | (?<![\w-])(?:[\w-]+\.){{1,8}}
      (?:com|org|net|info|biz|io|co|ai|app|dev|me|tv|top|xyz|site|link|click|online|example|test|fr|eu|uk
      |de|ru|cn)(?::\d+)?/{REST}*""",
    re.IGNORECASE | re.VERBOSE,
)
SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?(?:\\?/)*(?:www\.)?", re.IGNORECASE)
TRAILING = ".,;:!?'*_~|…"
REMOVED = "…"
ROUNDS = 12
BORDER = re.compile(r"<[A-Za-z/!?]|>|\]\(|\)|\[|\]|\s(?!\s)")
"""What opens or closes a tag, a target or a label, and blanks before a word."""
STEP = 16
LONGEST = 1200
"""Characters that are held back for a construct to end; a label in Markdown may have 999."""

RECITED = 40
"""Letters in a row, some eight words, that are no coincidence any more."""
SUSPICIOUS = 12


def visible(text: str) -> str:
    """The text without the characters that nobody sees, which may be there to instruct a model."""
    return INVISIBLE.sub("", text)


def text(untrusted: str, cited: Collection[str] = (), known: str = "", quoting: bool = False) -> str:
    """The text without HTML, images, and links other than to `cited` addresses. Those that stand in `known`, such as
    http://127.0.0.1, lose what makes them a link, and stay to be read; others go. `quoting`: the text is no model's,
    but quotes of `known`, whose addresses and <FILE> stay word for word, as code, which nothing takes for markup.

    Repeated until nothing changes, since what is taken out may leave the halves of something else.
    """
    if not NOTABLE.search(untrusted):
        return untrusted
    literal = known if quoting and CODE not in untrusted else ""
    for _ in range(ROUNDS):
        before = untrusted
        untrusted = CONTROLS.sub("", visible(ENTITY.sub(lambda entity: html.unescape(entity[0]), untrusted)))
        untrusted = TAG.sub(lambda tag: _tag(tag, literal), _without_comments(untrusted))
        untrusted = (OPENING_OUTSIDE_CODE if literal else OPENING).sub("‹", untrusted)
        untrusted = _without_links(untrusted, cited)
        untrusted = ADDRESS.sub(lambda found: _address(found, cited, known, literal), untrusted)
        if untrusted == before:
            return untrusted
    return re.sub(r"[^\w\s.,]", " ", untrusted)


def _without_comments(untrusted: str) -> str:
    kept, start = [], 0
    while (begins := untrusted.find("<!--", start)) >= 0 and (ends := untrusted.find("-->", begins + 4)) >= 0:
        kept.append(untrusted[start:begins])
        start = ends + 3
    return "".join((*kept, untrusted[start:]))


def _is_code(found: re.Match[str]) -> bool:
    """Whether it was made code already."""
    return found.string[found.start() - 1 : found.start()] == CODE == found.string[found.end() : found.end() + 1]


def _tag(tag: re.Match[str], literal: str) -> str:
    """Nothing for an element of HTML; for anything else, such as <FILE>, code or the same in marks without meaning."""
    if literal and _is_code(tag):
        return tag[0]
    name, rest = (tag[1] or "").lower(), (tag[2] or "").strip(" /\n\t")
    if tag[1] is None or (name in INLINE and (not rest or "=" in rest)):
        return ""
    if name in BLOCK and (not rest or "=" in rest):
        return " "
    return f"{CODE}{tag[0]}{CODE}" if "=" not in rest and tag[0] in literal else f"‹{tag[0][1:-1]}›"


def _without_links(untrusted: str, cited: Collection[str]) -> str:
    def target(written: str) -> str:
        """The target of a link that may stay, or nothing."""
        words = written.strip().split(maxsplit=1)
        address = words[0].strip("<>") if words else ""
        return f"]({address})" if address in cited else ""

    def link(found: re.Match[str]) -> str:
        if kept := target(found[2]):
            return f"[{found[1]}{kept}"
        return f"[{found[1]}]" if found[1].strip().isdigit() else found[1]

    untrusted = LINK.sub(link, IMAGE.sub("", untrusted))
    untrusted = LOOSE_TARGET.sub(lambda found: target(found[1]) or "]", untrusted)
    return DEFINITION.sub(r"\1 :", OPEN_TARGET.sub("] (", untrusted))


def _address(match: re.Match[str], cited: Collection[str], known: str, literal: str) -> str:
    found = match[0]
    address = found.rstrip(TRAILING)
    tail = found[len(address) :]
    if address in cited or (literal and address == found and _is_code(match)):
        return found
    if SHOWN_ADDRESS.match(address) and address in literal:
        return f"{CODE}{address}{CODE}{tail}"
    if address in known and set(".:").intersection(address):
        return SCHEME.sub("", address).replace("@", " @ ") + tail
    return REMOVED + tail.lstrip(REMOVED)


class _Pieces:
    """A text that comes in pieces, cut where nothing is cut in two: after blanks, outside tags, links and labels.

    Every character is looked at once or, where a piece ends in the midst of a mark, twice.
    """

    def __init__(self) -> None:
        self._waiting = ""
        self._seen = 0
        self._open: set[str] = set()

    def feed(self, piece: str) -> Iterator[str]:
        for start in range(0, len(piece), STEP):
            yield from self._add(piece[start : start + STEP])

    def _add(self, piece: str) -> Iterator[str]:
        self._waiting += piece
        if end := self._cut():
            yield self._release(end)
        if len(self._waiting) > LONGEST:  # nothing honest: the blank sees to it that the halves stay halves
            yield self._release(len(self._waiting)) + " "
            self._open.clear()

    def _cut(self) -> int:
        """Where the last word begins that stands after a blank and outside all marks; 0 for nowhere."""
        end, last = 0, len(self._waiting) - 1  # the last character may be half a mark
        for border in BORDER.finditer(self._waiting, self._seen):
            if border.end() > last + (border[0].isspace()):
                break
            match border[0]:
                case ">" | ")":
                    self._open.discard("<" if border[0] == ">" else "(")
                case "[" | "]":
                    (self._open.add if border[0] == "[" else self._open.discard)("[")
                case "](":
                    self._open.discard("[")
                    self._open.add("(")
                case mark if not mark.isspace():
                    self._open.add("<")
                case _ if not self._open:
                    end = border.end()
            self._seen = border.end()
        self._seen = max(self._seen, last - 1)
        return end

    def _release(self, end: int) -> str:
        ready, self._waiting = self._waiting[:end], self._waiting[end:]
        self._seen = max(0, self._seen - end)
        return ready

    def finish(self) -> str:
        rest, self._waiting = self._waiting, ""
        return rest


class Filter:
    """`text` for a text that is still being written; `cited` is asked each time, since citations come meanwhile."""

    def __init__(self, cited: Callable[[], Collection[str]], known: str, quoting: bool = False) -> None:
        self._cited, self._known, self._quoting = cited, known, quoting
        self._pieces = _Pieces()
        self._in_line = False

    def feed(self, piece: str) -> str:
        """What can be shown now."""
        return "".join(map(self._clean, self._pieces.feed(piece)))

    def finish(self) -> str:
        return self._clean(self._pieces.finish())

    def _clean(self, piece: str) -> str:
        mark = WORD_JOINER if self._in_line else ""  # what stands in a line's middle begins no line
        self._quoting = self._quoting and CODE not in piece  # half of a code span would turn all that follow inside out
        cleaned = text(mark + piece, self._cited(), self._known, self._quoting)[len(mark) :]
        line = cleaned.rpartition("\n")
        begun = not re.fullmatch(BEGINS_LINE, line[2])
        self._in_line = begun or (self._in_line and not line[1])
        return cleaned


class Guard:
    """Lets through what a model writes, up to where it recites its instructions or tells their `key`.

    Only letters are compared, those that would be seen, so that neither markup nor spelling out hides anything.
    """

    def __init__(self, instructions: str, key: str) -> None:
        self.recited = False
        """Whether the text was cut: nothing comes any more."""
        self._secret, self._key = _letters(instructions), _letters(key)
        self._pieces = _Pieces()
        self._tail = ""
        self._held: deque[tuple[str, int]] = deque()
        self._letters = 0
        """Of what is held back."""

    def feed(self, piece: str) -> str:
        """What can be let through now."""
        return "".join(map(self._pass, self._pieces.feed(piece)))

    def finish(self) -> str:
        rest = self._pass(self._pieces.finish())
        return rest + ("" if self.recited else self._release(0))

    def _pass(self, piece: str) -> str:
        letters = _letters(text(piece))
        self._held.append((piece, len(letters)))
        self._letters += len(letters)
        tail = self._tail + letters
        self._tail = tail[-max(RECITED, len(self._key)) :]
        self.recited = self.recited or self._key in tail or (self._may_end_run(letters) and self._has_run(tail))
        return "" if self.recited else self._release(self._suspicious())

    def _may_end_run(self, letters: str) -> bool:
        """Most of a run has to stand in what is held back, or else in the new letters."""
        return len(self._held) > 1 or len(letters) > RECITED - SUSPICIOUS

    def _has_run(self, tail: str) -> bool:
        return any(tail[start : start + RECITED] in self._secret for start in range(len(tail) - RECITED + 1))

    def _suspicious(self) -> int:
        """How many of the last letters may be the beginning of a recital."""
        if self._tail[-SUSPICIOUS:] not in self._secret or len(self._tail) < SUSPICIOUS:
            return 0
        lengths = range(min(RECITED, len(self._tail)), SUSPICIOUS - 1, -1)
        return next((length for length in lengths if self._tail[-length:] in self._secret), 0)

    def _release(self, keep: int) -> str:
        """Let go of the pieces before the last `keep` letters."""
        released = []
        while self._held and (not keep or self._letters - self._held[0][1] >= keep):
            piece, letters = self._held.popleft()
            self._letters -= letters
            released.append(piece)
        return "".join(released)


def _letters(text: str) -> str:
    if text.isascii():
        return "".join(filter(str.isalpha, text)).lower()
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", text).casefold()))
