"""The owner's file of questions whose answers are known, and how an answer is judged by it.

The file is a YAML list. A question is `must_refuse: true`, or has what a right answer holds:

- question: Who wrote “CFD Python”?
  expected_documents: [10.21105.jose.00021.pdf]     ends of the sources of which one is cited
  expected_words: [Barba, Forsyth]                  all of them in the answer; "ten|10" is either
  page: 1                                           the page of such a citation; optional
- question: And when?
  after: [Who wrote “CFD Python”?]                  what was asked before it, in order
  held_out: true                                    whoever tunes must not look at it (benchmarks/questions.py)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import yaml

from chatbot.domain import Answer, InvalidConfiguration

LIST = (list, "a list of texts, such as [Barba, Forsyth]")
FORMS: dict[str, tuple[type, str]] = {
    "question": (str, "a text"),
    "after": LIST,
    "expected_documents": LIST,
    "expected_words": LIST,
    "page": (int, "a number"),
    "must_refuse": (bool, "true or false"),
    "held_out": (bool, "true or false"),
}
"""The keys of a question: what they hold, and how that is said."""
Verdict = Literal["right", "partly", "wrong", "refused wrongly", "refused rightly", "answered wrongly"]
VERDICTS: tuple[Verdict, ...] = (
    "right",
    "partly",
    "wrong",
    "refused wrongly",
    "refused rightly",
    "answered wrongly",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of the file and how it is judged."""

    question: str
    after: Sequence[str] = ()
    expected_documents: Sequence[str] = ()
    expected_words: Sequence[str] = ()
    page: int | None = None
    must_refuse: bool = False
    held_out: bool = False

    @property
    def id(self) -> str:
        """What was said before it belongs to it."""
        return "\n".join((*self.after, self.question))

    def expects(self, source: str) -> bool:
        """Whether the document of that source is one that answers it."""
        return any(source.endswith(end) for end in self.expected_documents)


def load(path: Path) -> list[Asked]:
    """The questions of a file. InvalidConfiguration says in which line which key is wrong, and how."""
    try:
        entries = yaml.load(path.read_text("utf-8"), _Numbered)  # noqa: S506 - a safe loader, which counts lines
    except OSError:
        raise InvalidConfiguration(f"{path}: no such file of questions; docs/pipelines.md shows one.") from None
    except UnicodeDecodeError:
        raise InvalidConfiguration(f"{path} is no text in UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        raise InvalidConfiguration(f"{where}: {getattr(error, 'problem', '') or 'this is no YAML'}.") from None
    if not isinstance(entries, list) or not entries:
        raise InvalidConfiguration(f"{path} is no list of questions; docs/pipelines.md shows one.")
    asked: list[Asked] = []
    known: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        line = entry.pop(_LINE) if isinstance(entry, dict) else 0
        where = f"{path}, line {line}" if line else f"{path}, entry {number}"
        each = _asked(entry, where)
        if each.id in known:
            raise InvalidConfiguration(f"{where}: “{each.question}” is asked in line {known[each.id]} already.")
        known[each.id] = line
        asked.append(each)
    return asked


_LINE = object()
"""The key under which an entry's line is kept while the file is read: no name that a file could have."""


class _Numbered(yaml.SafeLoader):
    """Knows of each mapping in which line it begins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return {**super().construct_mapping(node, deep=True), _LINE: node.start_mark.line + 1}


def _asked(entry: Any, where: str) -> Asked:
    if not isinstance(entry, dict):
        raise InvalidConfiguration(f"{where}: a question is written as `question: …` and what its answer holds.")
    for key, value in entry.items():
        if key not in FORMS:
            near = get_close_matches(str(key), FORMS, 1)
            meant = f"do you mean {near[0]}?" if near else f"there are {', '.join(FORMS)}."
            raise InvalidConfiguration(f"{where}: there is no key {key}; {meant}")
        form, said = FORMS[key]
        every = value if isinstance(value, list) else []
        if isinstance(value, bool) is not (form is bool) or not isinstance(value, form):
            raise InvalidConfiguration(f"{where}: {key} has to be {said}.")
        if not all(isinstance(each, str | int | float) and str(each).strip() for each in every):
            raise InvalidConfiguration(f"{where}: {key} has to be {said}.")
    if not str(entry.get("question", "")).strip():
        raise InvalidConfiguration(f"{where}: question is missing.")
    fields: dict[str, Any] = {k: [str(each) for each in v] if isinstance(v, list) else v for k, v in entry.items()}
    each = Asked(**fields)
    if each.must_refuse == bool(each.expected_words):
        raise InvalidConfiguration(f"{where}: “{each.question}” needs either expected_words or must_refuse.")
    return each


def judge(asked: Asked, answer: Answer, sources: Mapping[str, str]) -> Verdict:
    """Right: all expected words, and a citation of an expected document (on the page, if one is given). Partly: half
    of that. `sources` is the source of each cited document by its id."""
    if asked.must_refuse:
        return "answered wrongly" if answer.grounded else "refused rightly"
    if not answer.grounded:
        return "refused wrongly"
    share = mean(holds(answer.text, words) for words in asked.expected_words)
    cited = [c for c in answer.citations if asked.expects(sources.get(c.document_id, c.source))]
    on_page = not asked.page or any(citation.page == asked.page for citation in cited)
    if share == 1 and (cited or not asked.expected_documents) and on_page:
        return "right"
    return "partly" if (cited and share >= 0.5) or share == 1 else "wrong"


def holds(text: str, words: str) -> bool:
    """Whether one of the alternatives stands in the text, whatever the case, accents and blanks."""
    plain = _plain(text)
    return any(_plain(alternative) in plain for alternative in words.split("|"))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'").replace("\u2060", ""))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().split())
