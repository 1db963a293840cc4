"""The owner's file of questions whose answers are known, and how an answer is judged by it.

The file is a YAML list. A question is `must_refuse: true`, or has what a right answer holds:

- question: Who wrote “CFD Python”?
  expected_documents: [10.21105.jose.00021.pdf]     ends of the sources of which one is cited
  expected_words: [Barba, Forsyth]                  all of them in the answer; "ten|10" is either
  page: 1                                           the page of such a citation; optional
- question: And when?
  after: [Who wrote “CFD Python”?]                  what was asked before it, in order
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

import yaml

from chatbot.domain import Answer, InvalidConfiguration

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

    @property
    def id(self) -> str:
        """What was said before it belongs to it."""
        return "\n".join((*self.after, self.question))

    def expects(self, source: str) -> bool:
        """Whether the document of that source is one that answers it."""
        return any(source.endswith(end) for end in self.expected_documents)


def load(path: Path) -> list[Asked]:
    """The questions of a file. InvalidConfiguration says which of them cannot be judged, and why."""
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
        asked = [Asked(**entry) for entry in entries]
    except OSError:
        raise InvalidConfiguration(f"{path}: no such file of questions; docs/pipelines.md shows one.") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        said = str(error).splitlines()[0].replace("Asked.__init__()", "an entry")
        raise InvalidConfiguration(f"{path} is no list of questions: {said}") from None
    for each in asked:
        if each.must_refuse == bool(each.expected_words):
            raise InvalidConfiguration(f"{path}: “{each.question}” needs either expected_words or must_refuse.")
    repeated = [id for id, times in Counter(each.id for each in asked).items() if times > 1]
    if repeated or not asked:
        problem = f"“{repeated[0].splitlines()[-1]}” is there twice" if repeated else "it holds no question"
        raise InvalidConfiguration(f"{path}: {problem}.")
    return asked


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
