"""Title, authors, year, journal and DOI of a PDF, from its properties and its title page; only what is plain there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatbot.domain import Metadata
from chatbot.ingestion.parsing.description import DOI, description, several
from chatbot.ingestion.parsing.outline import TITLE_CHARS, one_line

if TYPE_CHECKING:
    from chatbot.ingestion.parsing.pdf_text import Line

NO_TITLE = re.compile(
    r"(?:microsoft\s+\w+|wordperfect|openoffice\S*|libreoffice|pages|untitled|unnamed|sans[ -]?(?:titre|nom)|unbenannt"
    r"|\(?(?:anonymous|unspecified|unknown)\)?|document|doc|title|titre|slide|diapositive|layout|powerpoint|présentation|presentation|book|scan|image|print|new"
    r"|nouveau|template|modèle|about:blank|null|none)[\s_-]*(?:[-\d(_].*|presentation|powerpoint|document)?"
    r"|.*\.(?:docx?|dotx?|pdf|indd|qxd|qxp|tex|dvi|ps|pptx?|xlsx?|odt|rtf|pub|exe|tmp|txt|html?|cdr|ai|wpd|p65|fm|pmd)"
    r"|(?:microsoft\s+\w+|\w+)\s+-\s+\S*\.\w{2,4}|https?://.*|file:.*|[A-Za-z]:\\.*|/.*/.*|[^A-Za-zÀ-ɏ]*|\S*_\S*|\S*\d\S*",
    re.IGNORECASE,
)
"""What programs write for want of a title: « Microsoft Word - x.doc », "untitled", a file name, a number."""
LARGER = 1.15
"""How much larger than the text a title is set."""
PUBLISHED = re.compile(
    r"\b(?:published|publié|publication date|date of publication)\b[^\n]{0,25}?\b((?:19|20)\d\d)\b", re.I
)
CITED = re.compile(r"\(((?:19|20)\d\d)[a-z]?\)")
COPYRIGHT = re.compile(r"(?:©|\(c\)|copyright)\s*(?:by\s+)?[^\n\d]{0,40}((?:19|20)\d\d)\b", re.I)
ARXIV = re.compile(r"arXiv:\d{4}\.\d{4,5}(?:v\d+)?\s+\[[\w.-]+\]\s+\d{1,2}\s+\w{3}\s+((?:19|20)\d\d)")
MONTHS = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|janv|févr|mars|avr|mai|juin|juil|août|sept|déc)[a-zéû]*\.?"
)
DATED = re.compile(rf"(?:\d{{1,2}}(?:er|st|nd|rd|th)?\s+)?{MONTHS}\s+(?:\d{{1,2}},\s+)?((?:19|20)\d\d)", re.I)
VOLUME = re.compile(r"[.”\"?!]\s*((?:[A-Z][\w'&-]*)(?:\s+[\w'&-]+){0,8}),\s*\d{1,4}\s*\(\d{1,4}\)")
JOURNAL = re.compile(
    r"(?:The\s+)?(?:(?:[A-Z]\w+\s+){0,4}(?:Journal|Review|Letters|Annals|Bulletin|Transactions|Proceedings|Quarterly)"
    r"(?:\s+(?:of|on|in|for|the|and|&)\s+[A-Z][\w\s&-]{2,60})?"
    r"|(?:Revue|Annales|Cahiers|Bulletin)\s+(?:d[eu']|des|de la)"
    r"[\w\s'éèàâêîôûç-]{3,60})"
)
NAME = re.compile(r"(?:(?:[A-ZÀ-ÖØ-Þ](?:\.|[\w'’-]+)?|d[eiu]|da|van|von|der|den|la|le|el|al|bin|ter)\.?\s*){2,6}")
MARKS = re.compile(r"[\s,]*[⁰¹²³⁴⁵⁶⁷⁸⁹*†‡§¶∗✉]+(?:\s?,\s?\d{1,2}(?!\w))*|(?<=[a-zà-ÿ])\d(?:\s?,\s?\d)*|\bORCID\S*")
NO_NAME = re.compile(
    r"\b(?:univers\w*|depart\w*|départ\w*|institut\w*|school|école|college|laborato\w*|center|centre|faculty|faculté|inc|ltd"
    r"|company|abstract|résumé|introduction|summary|report|rapport|working|paper|volume|version|draft|article|journal|page"
    r"|for|the|of|and|in|on|sur|pour|une?|les|des|dans|city|office|ministry|ministère|commission|committee|agency|agence)\b",
    re.I,
)
UNFINISHED = re.compile(r"(?:,|\band|&|\bet|\b[A-Z]\.)\s*$")
LONGEST_NAME = 60
ROWS, FIGURES = 3, 0.4
"""Lines below a line of names, and the share of their words that are numbers where it heads a table."""
TOP_LINES = 12
"""Lines below the title in which authors are looked for."""


def title_of(given: str, lines: Sequence[Line]) -> str:
    """The title in the file's properties, unless a program made it up; then what is set largest on the first page."""
    given = one_line(given)[:TITLE_CHARS]
    if given and not NO_TITLE.fullmatch(given):
        return given
    start, end = _title_lines(lines)
    return " ".join(line.text for line in lines[start:end])[:TITLE_CHARS] or given


def describe(properties: dict[str, str], lines: Sequence[Line], title: str) -> Metadata:
    first_page = "\n".join(line.text for line in lines)
    author = properties.get("Author", "")
    authors = [] if NO_TITLE.fullmatch(author.strip()) else several(author) or []
    found = description(authors)
    return description(
        found.get("authors", ()) or _authors(lines, title),  # type: ignore[arg-type]
        _year(first_page),
        _journal(first_page),
        _doi(first_page),
    )


def _title_lines(lines: Sequence[Line]) -> tuple[int, int]:
    """First and last of the lines, in the upper part of the page, that are set largest; else the first line."""
    if not lines:
        return 0, 0
    middle = (min(line.bottom for line in lines) + max(line.top for line in lines)) / 2
    upper = [at for at, line in enumerate(lines) if line.middle >= middle and any(map(str.isalpha, line.text))]
    largest = max(upper, key=lambda at: round(lines[at].top - lines[at].bottom, 1), default=0)
    height = lines[largest].top - lines[largest].bottom
    others: Counter[float] = Counter()
    for line in lines:
        if line.top - line.bottom < 0.95 * height:
            others[line.top - line.bottom] += len(line.text)
    if not others or height < LARGER * max(others, key=others.__getitem__):
        return 0, 1
    end = largest + 1
    while end < len(lines) and abs(lines[end].top - lines[end].bottom - height) < 0.05 * height:
        end += 1
    return largest, end


def _authors(lines: Sequence[Line], title: str) -> list[str]:
    """The names below the title, when all of a line, and of those that it goes on in, is names."""
    start = _below(lines, title)
    for first in range(start, min(start + 2, len(lines))) if start else ():
        text, last = lines[first].text, first
        while last + 1 < len(lines) and (UNFINISHED.search(text) or _goes_on(lines[last + 1].text)):
            last += 1
            text += f" {lines[last].text}"
        names = _names(text)
        if names and not _heads_figures(lines[last + 1 : last + 1 + ROWS]):
            return names if last + 1 == len(lines) or not _may_go_on(lines[last], lines[last + 1]) else []
    return []


def _heads_figures(below: Sequence[Line]) -> bool:
    """Whether figures stand below: then the line names the columns of a table."""
    words = " ".join(line.text for line in below).split()
    return bool(words) and sum(any(map(str.isdigit, word)) for word in words) >= FIGURES * len(words)


def _may_go_on(line: Line, after: Line) -> bool:
    """Whether the next line may be more of the authors: there is no telling, so that none is safer than some."""
    is_alike = abs(line.top - line.bottom - after.top + after.bottom) < 0.5
    return is_alike and "," in after.text and not after.text[0].isdigit() and not NO_NAME.search(after.text)


def _goes_on(line: str) -> bool:
    return line.startswith(("and ", "& ", "et ")) or ("," in line and bool(_names(line)))


def _names(text: str) -> list[str]:
    """The names that a text consists of; none when it is not all names."""
    parts = re.split(r"\s*[,;]\s*(?:and\s+|et\s+|&\s*)?|\s+(?:and|et|&)\s+", MARKS.sub(" ", text).strip(" ,;"))
    names = [one_line(part) for part in parts if part.strip()]
    return (
        names
        if names
        and all(len(name) <= LONGEST_NAME and NAME.fullmatch(name) and not NO_NAME.search(name) for name in names)
        else []
    )


def _below(lines: Sequence[Line], title: str) -> int:
    """The line after the title; 0 when the title is not found on the page."""
    wanted = "".join(title.casefold().split())
    for start in range(min(TOP_LINES, len(lines))):
        text = ""
        for end in range(start, min(start + 5, len(lines))):
            text += "".join(lines[end].text.casefold().split())
            if text == wanted:
                return end + 1
            if not wanted.startswith(text):
                break
    return 0


def _year(page: str) -> str:
    for pattern in (PUBLISHED, ARXIV, COPYRIGHT):
        if found := pattern.search(page):
            return found[1]
    for line in page.split("\n"):
        if DOI.search(line) and (found := CITED.search(line)):
            return found[1]
        if found := DATED.fullmatch(line.strip()):
            return found[1]
    return ""


def _doi(page: str) -> str:
    """Its own, which stands on the page with its name, and not one in a list of references."""
    own = re.split(r"\n\s*(?:References|Bibliography|Références|Bibliographie)\s*\n", page, maxsplit=1)[0]
    found = [match[0] for match in DOI.finditer(own)]
    return found[0] if found and re.search(r"doi", own, re.IGNORECASE) else ""


def _journal(page: str) -> str:
    if found := VOLUME.search(page):
        return found[1]
    lines = [line.strip() for line in page.split("\n")]
    return next((line for line in [*lines[:3], *lines[-3:]] if JOURNAL.fullmatch(line)), "")
