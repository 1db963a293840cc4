"""LaTeX source: the text under its sections, with accents as letters, formulas as they are written, notes and tables.

No TeX runs: what a package draws, and what stands in files of their own, is not there; the note of the job says so.
"""

from __future__ import annotations

import re
import unicodedata

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.description import description
from chatbot.ingestion.parsing.latex_macros import ACCENTS, DROPPED, LETTERS
from chatbot.ingestion.parsing.outline import Outline, clean, code, one_line
from chatbot.ingestion.parsing.text import decode

SECTIONS = {
    "part": 1,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
}
CITED = ("cite", "citep", "citet", "parencite", "textcite", "footcite", "autocite", "citeauthor", "citeyear")
FILES = ("input", "include", "subfile", "import")
VERBATIM = ("verbatim", "lstlisting", "minted", "Verbatim", "alltt")
FORMULAS = ("equation", "align", "gather", "multline", "eqnarray", "displaymath", "math", "flalign", "alignat")
TABLES = ("tabular", "tabularx", "longtable", "tabulary", "array", "tabu", "tblr", "xltabular", "supertabular")
UNSEEN = ("comment", "tikzpicture", "pgfpicture")
COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*?(?:\n[ \t]*|$)")
FALSE = re.compile(r"\\iffalse\b.*?\\fi\b", re.DOTALL)
DEFINITION = re.compile(
    r"\\(?:newcommand|renewcommand|providecommand|DeclareMathOperator|DeclareRobustCommand)\*?\s*\{?\\([A-Za-z]+)\}?"
    r"\s*(?:\[(\d)\])?(?:\[([^\]]*)\])?\s*(?=\{)|\\[egx]?def\s*\\([A-Za-z]+)\s*((?:#\d)*)\s*(?=\{)"
)
LET = re.compile(r"\s*\\[A-Za-z@]+\s*=?\s*(?:\\[A-Za-z@]+|\S)")
MACRO = re.compile(r"\s*\\[A-Za-z@]+")
TITLED = ("theorem", "lemma", "definition", "proposition", "corollary", "example", "remark", "proof", "exercise")
TOKEN = re.compile(
    r"\\begin\s*\{(?P<begin>[A-Za-z]+)\*?\}|\\end\s*\{(?P<end>[A-Za-z]+)\*?\}|\\(?P<macro>[A-Za-z]+)\*?[ \t]*"
    r"|\\(?P<sign>[^A-Za-z])|(?P<math>\$\$?)|(?P<brace>[{}])|(?P<text>[^\\${}]+)",
    re.DOTALL,
)
TYPOGRAPHY = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("~", " "), ("<<", "«"), (">>", "»"))
ACCENT = re.compile(
    r"\\([`'^\"~=.])\s*(?:\{\s*(\\?[A-Za-z])\s*\}|(\\[ij]\b[ \t]?|[A-Za-z]))"
    r"|\\([cvuHkrd])\s*(?:\{\s*(\\?[A-Za-z])\s*\}|\s(\w))"
)
MARKUP = re.compile(
    r"\\begin\{(?:tab|long)\w+\*?\}(?:\[\w*\])?\{[^{}]*\}"
    r"|\\(?:begin|end|label|ref|href|input|include\w*|\w*cite\w*|bibliography\w*|bibitem)\*?(?:\[[^\]]*\])*\{[^{}]*\}"
    r"|\\[A-Za-z]+\*?(?:\[[^\]]*\])?"
)
"""What of a source is no words, as far as a pattern can tell."""
MOST_EXPANSIONS = 20_000


def read(content: bytes, name: str) -> ParsedDocument:
    decoded, encoding = decode(content)
    source = _accented(FALSE.sub("", COMMENT.sub(r"\1", clean(decoded))))
    outline = Outline()
    outline.read_as(encoding)
    reader = _Reader(outline, source)
    reader.read()
    for file in dict.fromkeys(reader.files):
        outline.note(f"{file} is a file of its own, and not in it")
    body = source.partition("\\begin{document}")[2] or source
    everything = MARKUP.sub(" ", body.partition("\\end{document}")[0].replace("\\-", ""))
    return outline.document(name, description(reader.authors, reader.date), everything=everything)


def _accented(text: str) -> str:
    """\\'e as é, in all ways that it is written."""

    def letter(found: re.Match[str]) -> str:
        mark, base = found[1] or found[4], (found[2] or found[3] or found[5] or found[6] or "").strip("\\ \t")
        return unicodedata.normalize("NFC", base + ACCENTS[mark])

    return ACCENT.sub(letter, text)


class _Reader:
    def __init__(self, outline: Outline, source: str) -> None:
        self._outline, self._source = outline, source
        self._at = 0
        self._words: list[str] = []
        self._notes: list[str] = []
        self._bullet = ""
        self._macros: dict[str, tuple[int, str | None, str]] = {}
        """By name: how many arguments it has, the first one's value where it may be left out, and the text."""
        self._expansions = 0
        self.authors: list[str] = []
        self.date = ""
        self.files: list[str] = []

    def read(self) -> None:
        self._define()
        head, begin, body = self._source.partition("\\begin{document}")
        if begin:
            for name in ("title", "author", "date"):
                if found := re.search(rf"\\{name}\s*(?:\[[^\]]*\]\s*)?(?=\{{)", head):
                    self._source, self._at = head, found.end()
                    self._describe(name, self._argument())
            self._source = body.partition("\\end{document}")[0]
        self._at = 0
        self._run()
        self._flush()

    def _define(self) -> None:
        for found in DEFINITION.finditer(self._source):
            self._at = found.end()
            count = int(found[2] or 0) if found[1] else len(found[5]) // 2
            self._macros[found[1] or found[4]] = (count, found[3], self._argument())

    def _describe(self, name: str, text: str) -> None:
        if name == "author":
            names = re.split(r"\\and\b|\\\\|\band\b", re.sub(r"\\thanks\s*\{[^{}]*\}", "", text))
            self.authors = [part for each in names if (part := self._plain(each)) and " " in part and len(part) < 60]
        elif name == "title":
            self._outline.title = self._outline.title or self._plain(text)
        else:
            self.date = self._plain(text)

    def _plain(self, text: str) -> str:
        """The words of a piece of source."""
        inner = _Reader(Outline(), text)
        inner._macros, inner._expansions = self._macros, self._expansions + 1
        inner._run()
        self._notes += inner._notes
        return one_line("".join(inner._words))

    def _run(self) -> None:
        while self._at < len(self._source):
            token = TOKEN.match(self._source, self._at)
            if token is None:
                self._at += 1
                continue
            self._at = token.end()
            if token["text"]:
                self._text(token["text"])
            elif token["begin"]:
                self._begin(token["begin"])
            elif token["end"]:
                self._flush()
            elif token["macro"]:
                self._macro(token["macro"])
            elif token["math"]:
                self._formula(token["math"])
            elif token["sign"]:
                self._sign(token["sign"])

    def _text(self, text: str) -> None:
        for written, meant in TYPOGRAPHY:
            text = text.replace(written, meant)
        first, *others = re.split(r"\n[ \t]*\n", text)
        self._words.append(first)
        for other in others:
            self._flush()
            self._words.append(other)

    def _sign(self, sign: str) -> None:
        if sign in "([":
            end = self._source.find("\\)" if sign == "(" else "\\]", self._at)
            end = len(self._source) if end < 0 else end
            self._words.append(f" {one_line(self._source[self._at : end])} ")
            self._at = end + 2
        else:
            self._words.append(sign if sign in "%&$#_{}" else "" if sign in "-/@" else " ")

    def _formula(self, mark: str) -> None:
        end = self._source.find(mark, self._at)
        end = len(self._source) if end < 0 else end
        self._words.append(f"{mark}{one_line(self._source[self._at : end])}{mark}")
        self._at = end + len(mark)

    def _macro(self, name: str) -> None:
        if name in SECTIONS:
            self._flush()
            self._options()
            self._outline.heading(SECTIONS[name] if self._outline.has_headings else 1, self._plain(self._argument()))
        elif name in ("title", "author", "date"):
            self._options()
            self._describe(name, self._argument())
        elif name in ("footnote", "footnotetext", "thanks", "marginpar"):
            self._options()
            self._notes.append(f"Note: {self._plain(self._argument())}")
        elif name in ("item", "bibitem"):
            self._flush()
            label = self._options()
            if name == "bibitem":
                self._argument()
            self._bullet = f"- {label}: " if label and name == "item" else "- "
        elif name in CITED:
            self._options()
            self._words.append(f"[{self._argument()}]" if self._next() == "{" else "")
        elif name in FILES:
            self.files.append(self._argument())
        elif name == "caption":
            self._options()
            caption = self._plain(self._argument())
            self._flush()
            self._outline.add(caption)
        elif name == "verb" and self._at < len(self._source):
            end = self._source.find(self._source[self._at], self._at + 1)
            self._words.append(self._source[self._at + 1 : end])
            self._at = end + 1
        elif name in LETTERS:
            self._words.append(LETTERS[name])
            if LETTERS[name].isspace() and "\n" in LETTERS[name]:
                self._flush()
        elif name in self._macros and self._expansions < MOST_EXPANSIONS:
            self._expand(*self._macros[name])
        elif name in ("newcommand", "renewcommand", "providecommand", "DeclareMathOperator", "DeclareRobustCommand"):
            self._skip_command()
        elif name in ("def", "edef", "gdef", "xdef"):
            self._at = max(self._source.find("{", self._at), self._at)
            self._argument()
        elif name == "let":
            self._at = found.end() if (found := LET.match(self._source, self._at)) else self._at
        elif name in DROPPED:
            self._options()
            for _ in range(DROPPED[name]):
                self._argument()
                self._options()
        elif self._next() == "[":
            self._options()

    def _expand(self, count: int, default: str | None, body: str) -> None:
        self._expansions += 1
        for number in range(1, count + 1):
            is_optional = number == 1 and default is not None
            value = (self._options() or default or "") if is_optional else self._argument()
            body = body.replace(f"#{number}", value)
        if len(body) < 100_000:
            after = self._source[self._at :]
            is_open = (count == 0 and after[:1].isalnum()) or re.search(r"\\[A-Za-z]+$", body)
            self._source = f"{body} {after}" if body and is_open else body + after
            self._at = 0

    def _skip_command(self) -> None:
        if self._next() == "{":
            self._argument()
        elif found := MACRO.match(self._source, self._at):
            self._at = found.end()
        self._options()
        self._options()
        self._argument()

    def _begin(self, name: str) -> None:
        self._flush()
        if name in VERBATIM or name in UNSEEN:
            text = self._until_end(name)
            if name in UNSEEN:
                self._outline.leave_out("pictures and comments", text)
            else:
                self._outline.add(code(text.lstrip("\n")))
        elif name in FORMULAS:
            self._outline.add(one_line(re.sub(r"\\label\{[^{}]*\}", "", self._until_end(name))))
        elif name in TABLES:
            self._table(self._until_end(name))
        elif self._next() == "[":
            title = self._options()
            self._outline.add(title if name in TITLED else "")
        if name in ("thebibliography", "minipage", "multicols", "wrapfigure") and self._next() == "{":
            self._argument()

    def _table(self, text: str) -> None:
        text = re.sub(
            r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead|endfoot|endlastfoot)\b|\\c(?:mid|)line\S*",
            "",
            text,
        )
        inner = _Reader(Outline(), text)
        while inner._next() in "[{" and inner._at < len(text):
            inner._options() if inner._next() == "[" else inner._argument()
        rows = re.split(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline\b", text[inner._at :])
        self._outline.table([[self._plain(cell) for cell in re.split(r"(?<!\\)&", row)] for row in rows if row.strip()])

    def _until_end(self, name: str) -> str:
        end = re.compile(rf"\\end\s*\{{{name}\*?\}}").search(self._source, self._at)
        text = self._source[self._at : end.start() if end else len(self._source)]
        self._at = end.end() if end else len(self._source)
        return text

    def _next(self) -> str:
        while self._at < len(self._source) and self._source[self._at] in " \t\n":
            self._at += 1
        return self._source[self._at] if self._at < len(self._source) else ""

    def _options(self) -> str:
        """What stands in brackets here, if anything."""
        start = self._at
        if self._next() != "[":
            self._at = start
            return ""
        end = self._source.find("]", self._at)
        if end < 0:
            self._at = start
            return ""
        text = self._source[self._at + 1 : end]
        self._at = end + 1
        return self._plain(text) if self._expansions < 50 else ""

    def _argument(self) -> str:
        """What stands in braces here, or the next letter; "" at the end."""
        if self._next() != "{":
            return ""
        depth, start = 0, self._at + 1
        while self._at < len(self._source):
            letter = self._source[self._at]
            if letter == "\\":
                self._at += 1
            elif letter in "{}":
                depth += 1 if letter == "{" else -1
            self._at += 1
            if depth == 0:
                break
        return self._source[start : self._at - 1]

    def _flush(self) -> None:
        paragraph = one_line("".join(self._words))
        self._words.clear()
        if paragraph:
            self._outline.add(self._bullet + paragraph)
            self._bullet = ""
        notes, self._notes = self._notes, []
        for note in notes:
            self._outline.add(note)
