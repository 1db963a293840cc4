"""Plain text; and bytes into text, for every format that is text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.outline import Outline, clean, paragraphs

TITLE = re.compile(r"\A\s*(\S[^\n]{0,298})\n[ \t]*\n(?=\s*\S)")
"""A first line of its own, above a blank line."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)
BROWSERS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What browsers take these declarations for (encoding.spec.whatwg.org, "names and labels")."""
NON_ASCII = re.compile(rb"[\x80-\xff]+")
FEW = 0.1
"""Share of the runs of bytes beyond ASCII that may be broken in a text that still is UTF-8."""
SAMPLE = 200_000
"""Bytes that an unknown encoding is told from."""
WESTERN = frozenset("éèêëàâäáãåçùûüúîïíìôöòóõœæñßøÉÈÊËÀÂÄÁÅÇÙÛÜÚÎÏÍÔÖÓŒÆÑØ’‘“”„«»–—…•€£°§²³½ªº·©®™¿¡\xa0\xad")
FREQUENT = frozenset("éèàêçùôîûëïœâäöüßñáíóú’«»€")
WESTERN_PAGES = ("cp1252", "mac_roman", "cp850")
"""Windows, the old Mac, DOS."""
ISO_2022 = re.compile(rb"\x1b\$[@B(]")
"""What switches to Japanese."""
KANA = re.compile("[\u3041-\u30fa]")
MOST_KANA = 0.2
"""Share of a Japanese text that is no Chinese characters, at least."""
HEBREW = re.compile(rb"[\xe0-\xfa]")
NOT_HEBREW = re.compile(rb"[\xc0-\xdf\xfb-\xff]|[A-Za-z][\xe0-\xfa]|[\xe0-\xfa][A-Za-z]")
"""Letters of Windows-1251 that Hebrew has not, capitals and the commonest of the Russian vowels; and Latin words."""
ACCENTS = 4
"""Different bytes beyond ASCII in a row, at most, in a language that is mostly written with Latin letters."""
LEAST = 12
"""Letters from which one script is told from another."""
CYRILLIC, GREEK = "\u0400-\u045f\u0490\u0491", "\u0386-\u03ce"
CASED_PAGES = {
    "cp1251": (CYRILLIC, "оеаинтсрв"),
    "koi8_r": (CYRILLIC, "оеаинтсрв"),
    "iso8859_5": (CYRILLIC, "оеаинтсрв"),
    "cp866": (CYRILLIC, "оеаинтсрв"),
    "cp1253": (GREEK, "αοιετσνηρ"),
    "iso8859_7": (GREEK, "αοιετσνηρ"),
}
"""The letters of each page, and the nine most frequent. A page reads the letters of another as letters too, but as rare
ones, and with capitals in the midst of words."""
FREQUENTLY = 0.4
"""Share of a text's letters that are of the nine, at least: some 0.55 in Russian and Greek."""
MOSTLY_CASED = 0.9
ENDS = "\"'.,:;!?()[]/«»„“”‘’–—…№"
ODD = re.compile(
    r"(?<=[^\W\d_])[^\w\s'’.,:;!?()\[\]/–—-](?=[^\W\d_])|(?<=[^\W\d_])[¹²³¼½¾](?=\w)|(?<=\w)[¹²³¼½¾](?=[^\W\d_])"
)
"""A sign in the midst of a word: it is one of another code page's letters."""
CENTRAL_EUROPEAN = ("iso8859_2", "cp1250")
MOSTLY = 0.95
MOSTLY_LATIN = 0.6


def read(content: bytes, name: str) -> ParsedDocument:
    decoded, encoding = decode(content)
    text = clean(decoded)
    outline = Outline()
    outline.read_as(encoding)
    if title := TITLE.match(text):
        outline.heading(1, title[1])
        text = text[title.end() :]
    for paragraph in paragraphs(text.split("\n")):
        outline.add(paragraph)
    return outline.document(name, everything=decoded)


def decode(content: bytes, declared: str = "") -> tuple[str, str]:
    """The text and the name of its encoding.

    In this order: the mark of byte order; UTF-8, if it is, since nothing else looks like it; `declared`, which a server
    said of it; what the file says of itself; UTF-8 with a few broken characters; what the bytes look like.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), "utf-8" if encoding == "utf-8-sig" else encoding
    if wide := utf_16(content):
        return content.decode(wide, errors="replace"), wide
    for encoding in (
        "iso2022_jp" if ISO_2022.search(content[:SAMPLE]) else "utf-8",
        _known(declared),
        _own_declaration(content),
    ):
        if encoding and (text := _strictly(content, encoding)) is not None:
            return text, encoding
    if (text := _nearly_utf_8(content)) is not None:
        return text, "utf-8"
    encoding = _guessed(content[:SAMPLE])
    return content.decode(encoding, errors="replace"), encoding


def utf_16(content: bytes) -> str:
    """The name of UTF-16 in either order, when a text of mostly Latin letters has no mark that says so; else ""."""
    first, second = content[:SAMPLE:2], content[1:SAMPLE:2]
    for zeros, letters, name in ((second, first, "utf-16-le"), (first, second, "utf-16-be")):
        if len(content) % 2 == 0 and zeros.count(0) > MOSTLY_LATIN * len(zeros) and letters.count(0) == 0:
            return name
    return ""


def unicode(content: bytes, declared: str) -> bytes:
    """A text in UTF-8, with a mark that says so, where its server said what it is in; anything else as it is."""
    if not _known(declared) or content.startswith(tuple(mark for mark, _ in BYTE_ORDER_MARKS)):
        return content
    text, encoding = decode(content, declared)
    return content if encoding == "utf-8" else codecs.BOM_UTF8 + text.encode()


def _own_declaration(content: bytes) -> str:
    found = DECLARED.search(content[:2048])
    return _known((found[1] or found[2]).decode("ascii", errors="ignore")) if found else ""


def _known(label: str) -> str:
    """Python's name for the encoding that a browser would use; "" when there is none."""
    try:
        name = codecs.lookup(label).name
        "".encode(name)  # not one of Python's own, such as base64
    except (LookupError, ValueError):
        return ""
    return BROWSERS.get(name, name)


def _strictly(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        # Five bytes mean nothing in Windows-1252. A browser lets them pass, and so do we.
        return content.decode(encoding, errors="ignore") if encoding == "cp1252" else None
    except (LookupError, ValueError):
        return None


def _nearly_utf_8(content: bytes) -> str | None:
    """UTF-8, with the few bytes that are none read as Windows-1252; None when they are not few.

    A character cut off at the very end is left out.
    """
    text = content.decode("utf-8", errors="surrogateescape")
    broken = sum("\udc80" <= character <= "\udcff" for character in text)
    sound = sum(character > "\x7f" for character in text) - broken
    if broken > sound or broken > max(3, FEW * sound):
        return None
    text = text.rstrip("".join(map(chr, range(0xDC80, 0xDD00))))
    return "".join(_repaired(text))


def _repaired(text: str) -> Iterator[str]:
    for part in re.split("([\udc80-\udcff])", text):
        is_byte = len(part) == 1 and "\udc80" <= part <= "\udcff"
        yield bytes([ord(part) - 0xDC00]).decode("cp1252", errors="replace") if is_byte else part


def _guessed(sample: bytes) -> str:
    """The code page whose letters are those of Western Europe, else what charset-normalizer makes of the bytes.

    It knows many languages, and takes a short French text for Polish or Turkish now and then: hence the order.
    """
    runs = NON_ASCII.findall(sample)
    beyond_ascii = b"".join(runs)
    letters = {page: beyond_ascii.decode(page, errors="replace") for page in WESTERN_PAGES}
    western = [page for page, found in letters.items() if sum(map(WESTERN.__contains__, found)) >= MOSTLY * len(found)]
    if western and all(len({*run}) <= ACCENTS for run in runs):
        return max(western, key=lambda page: sum(map(FREQUENT.__contains__, letters[page])))
    hebrew = len(HEBREW.findall(sample))
    if hebrew >= max(LEAST, MOSTLY_CASED * len(beyond_ascii)) and not NOT_HEBREW.search(sample):
        return "cp1255"
    if cased := _cased(sample):
        return cased
    if (japanese := _strictly(sample[: len(sample) - 2], "euc_jp")) and _kana(japanese) >= MOST_KANA:
        return "euc_jp"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    guessed = "cp1252" if best is None else best.encoding
    if ODD.search(sample.decode(guessed, errors="replace")):
        return next((each for each in CENTRAL_EUROPEAN if _is_sound(sample, each)), guessed)
    return guessed


def _cased(sample: bytes) -> str:
    """The page whose words are of its own letters, in proper case, and of frequent ones; "" where none is such."""
    fitting: dict[str, float] = {}
    for page, (letters, frequent) in CASED_PAGES.items():
        text = _strictly(sample, page) or ""
        words = [word.strip(ENDS) for word in re.split(r"[\s-]+", text) if not word.isascii()]
        own = re.compile(f"[{letters}’']+")
        proper = [word for word in words if own.fullmatch(word) and word in (word.lower(), word.title(), word.upper())]
        found = "".join(proper)
        if len(found) < LEAST or found.isupper() or len(proper) < MOSTLY_CASED * len(words):
            continue
        fitting[page] = sum(map(found.lower().count, frequent)) / len(found)
    best = max(fitting, key=lambda page: fitting[page], default="")
    return best if best and fitting[best] >= FREQUENTLY else ""


def _kana(text: str) -> float:
    """Share of the characters beyond ASCII."""
    beyond = [character for character in text if character > "\x7f"]
    return len(KANA.findall(text)) / max(len(beyond), 1)


def _is_sound(sample: bytes, encoding: str) -> bool:
    text = _strictly(sample, encoding)
    return text is not None and not ODD.search(text) and not any("\x80" <= letter < "\xa0" for letter in text)
