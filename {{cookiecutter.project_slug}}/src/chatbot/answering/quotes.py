"""Which sentences of the passages answer a question, word for word.

    found = find(question, passages)            every sentence that may answer, best first; or references
    chosen = choose(found, closeness)           those worth quoting; none when the passages hold no answer
    written(question, passages, found, chosen)  ["“The oven was built in 1921.” [1]"]

A sentence is scored by the share of the question's words in it, rare words weighing more (words in the sentence
before or after count in part, since pronouns refer back); by the score of its passage; by how close its meaning is to
the question's; and by a cue: a question for a number wants a digit, one for a person or place wants a name that the
question does not give, one for a meaning wants a definition. Who wrote something, when and where, its reference says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from chatbot.answering.courtesy import plain
from chatbot.answering.evidence import ENOUGH, PLENTY, TOGETHER, Place, Sought, evidence, proper_names
from chatbot.answering.measures import measured
from chatbot.domain import Language, Passage, Question
from chatbot.text.analysis import WORD, content_words, sentence_spans, terms, words
from chatbot.text.reference import ABOUT_WORKS, asked_for, reference

SENTENCES_SURE, SENTENCES_UNSURE = 3, 4
"""Quoted at most, where there is plenty of evidence or not."""
MOST_REFERENCES = 3
KEPT_SURE, KEPT_UNSURE = 0.5, 1.5
"""How far below the best score a sentence may be that is quoted beside it, where there is plenty of evidence or not."""
WEAKER = 0.5
"""How much less evidence than the best a sentence may have that is quoted beside it."""
COMPARED = 8
"""The best sentences, whose meaning is compared with the question's."""
PASSAGE_WEIGHT, CUE_WEIGHT, CLOSENESS_WEIGHT = 1.2, 0.15, 0.15
SURE_CUE_WEIGHT = 0.4
BEFORE_COUNTED = 3
"""Words before what is counted, among which its number is looked for."""
RANKING = (("words", 1.0), ("before", 0.3), ("after", 0.2))
"""What a word counts in a sentence and next to it. All these were tuned on one half of XQuAD, and are flat there."""
REFERENCE_PARTS = (("words", 1.0), ("above", 1.0))
REFERENCE_ENOUGH = 0.7
"""Share of the words that tell a work, from which its reference answers who wrote it, and when."""
IN_TEXT = 0.9
"""What such words count where they stand in the work's text and not in its reference."""
ALIKE = 0.95
"""Share of the best reference's evidence from which others are given beside it."""
CLOSE = 1.0
"""Closeness from which a passage in another language may answer that has no word in common with the question."""
TITLE_SHARE = 0.3
"""Share of the title in a sentence from which that sentence is a title page's."""
FEWEST_WORDS = 3
"""Less is a label in a margin, which its neighbours' words would lift."""
LONGEST = 1000
"""Characters of one sentence that are quoted."""
NEAR = 200
"""Characters around a sentence in which the kind of thing that is asked for may stand."""

NUMBER_QUESTION = re.compile(
    r"\b(when|how (many|much|old|long|far|tall|large|big|often)|years?|dates?|percent\w*|number|century"
    r"|(what|which) (share|proportion|fraction|part of|capacity|quantity)|by what factor"
    r"|how (fast|high|wide|deep|heavy)"
    r"|(what|how) (is|was|are|were) the (?:\w+ ){0,2}(footprint|population|costs?|price|size|capacity|rate|speed|length"
    r"|height|weight|area|budget|salary|duration|temperature|distance|share)"
    r"|costs? (per|of)|quelle est l['’](?:empreinte|altitude|étendue)"
    r"|quel(le)?s? (est|sont|était) (la |le |les )(?:population|coûts?|prix|taille|capacité|taux|vitesse|longueur"
    r"|hauteur|poids|superficie|budget|salaire|durée|température|distance|part)"
    r"|quand|combien|années?|siècle|nombre|quel âge|quelle (part|proportion|fraction)|de quel facteur)\b",
    re.IGNORECASE,
)
DATE_QUESTION = re.compile(
    r"^\W*when\b|\b(what|which) (year|date|month|day|century|decade)\b|\bquand\b"
    r"|\bquel(le)?s? (année|date|mois|jour|siècle)",
    re.IGNORECASE,
)
DATE = re.compile(
    r"\b(1\d|20)\d\d(s|\b)|\b\d{1,2}(st|nd|rd|th|e|er|ème)\b|\b(january|february|march|april|may|june|july|august"
    r"|september|october|november|december|centur(y|ies)|janvier|février|mars|avril|mai|juin|juillet|août|septembre"
    r"|octobre|novembre|décembre|siècles?|(mon|tues|wednes|thurs|fri|satur|sun)day|years? (ago|later)"
    r"|ans (après|avant))\b",
    re.IGNORECASE,
)
PLACE_QUESTION = re.compile(
    r"^\W*(where|où)\b|\b(what|which) (country|countries|city|cities|town|village|region|state|continent)\b"
    r"|\bquel(le)?s? (pays|villes?|villages?|régions?|continents?)\b",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\b(?i:in|at|to|from|near|of|for|across|between|and|into|à|au|aux|en|dans|de|du|des|et|vers|chez)"
    r" (?:(?i:the|la|le|les) |l['’])?(?:[Nn]orth|[Ss]outh|[Ee]ast|[Ww]est)?(?P<name>[A-ZÀ-Ý][a-zà-ÿ][\w’'-]*)"
    r"|\bd['’](?P<of>[A-ZÀ-Ý][a-zà-ÿ]\w+)"
)
"""A name after a preposition; an acronym is none."""
NAME_QUESTION = re.compile(
    r"\b(who|whom|whose|where|country|city|company|team|person|name|qui|où|pays|ville|entreprise|nom)\b", re.IGNORECASE
)
DEFINITION_QUESTION = re.compile(
    r"^\W*(?:what(?:['’]s| is| are| does)|qu['’]est-ce qu(?:e|['’])|que (?:signifie|veut dire|désigne))(?! the\b)"
    r"(?: an?\b| l[ea]s?\b| une?\b| l['’])?\s*(?P<term>[^?]{2,60}?)(?: mean)?\s*\?*$",
    re.IGNORECASE,
)
IS = re.compile(
    r"[^.]{0,40}\b(is|are|was|means|refers|est|sont|était|désigne|signifie|consiste)\b|\s*[:–—(]", re.IGNORECASE
)
IT_IS = re.compile(
    r"(it|this|that|they|these) (is|are|was|were)\b|(c['’]est|ce sont|il s['’]agit|il est|elle est)\b", re.IGNORECASE
)
NUMBER = re.compile(
    r"\d|\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half"
    r"|deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|douzaine|cent|mille|milliard|moitié)s?\b",
    re.IGNORECASE,
)
BIBLIOGRAPHY = re.compile(
    r"(?i:\bdoi): ?10\.\d|\bdoi\.org/10\.\d|\b\d+ ?\(\d+(?:[-–]\d+)?\)[:,] ?e?\d|\bRetrieved from\b|\bISBN\b"
    r"|^[“\"][^”\"]{5,200}\.[”\"] (?:https?:|In[ ,])"
    r"|^[^\W\d_][\w’'-]+, [A-ZÀ-Ý]\.(?: ?[A-ZÀ-Ý]\.)*(?:,| &| and| et|\.)? .{0,300}\((?:1[5-9]|20)\d\d[a-z]?\)"
    r"|(?i:\b(?:submitted|received|accepted|published): ?\d)"
    r"|^(?:\W*[\w.+-]+@[\w-]+\.[\w.-]+\W*)+$"
    r"|(?i:\bretain copyright and release\b|\b(?:all rights reserved|tous droits réservés)\b)"
)
NAME = re.compile(r"(?<=[\w,;:’'(-] )[A-ZÀ-Ý][\w’'-]+")
"""A word in capitals that does not begin the sentence."""
QUOTATION: dict[Language, str] = {"en": "“{}”", "fr": "« {} »"}
BRACKETED_NUMBER = re.compile(r"([\[【])(?=\d{1,3}(?:\s*[,;]\s*\d{1,3})*[\]】])")
"""A passage's own "[12]", which must not be read as a citation of ours."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence that may answer; score and evidence but for how close its own meaning is."""

    place: Place
    text: str
    score: float
    evidence: float
    closeness: float
    """That of its passage, which counts as long as its own is not known."""


@dataclass(frozen=True, slots=True)
class Found:
    """What may answer: references of works, which are quoted as they are, or else sentences, best first."""

    places: Sequence[Place]
    references: Sequence[Place]
    quotes: Sequence[Quote]
    fitting: Collection[Place] = ()
    """The places that hold the kind of thing that is asked for: a number, a date, a name."""
    language: Language | None = None
    """The answer's."""


def answer(question: Question, passages: Sequence[Passage]) -> list[str]:
    """A few sentences, each stretch quoted with its [n], best passage first; empty when none answers."""
    found = find(question, passages)
    return written(question, passages, found, choose(found, {}))


def find(question: Question, passages: Sequence[Passage]) -> Found:
    """Everything that may be quoted. Takes time in proportion to the passages' length."""
    every = [place for number, passage in enumerate(passages) for place in _places(number, passage)]
    references = [place for place in every if is_reference(passages[place.passage])]
    wanted = asked_for(question.query)
    named = _named(question, passages, every, references, wanted) if wanted else []
    places = [place for place in every if place not in references]
    texts = {place: passages[place.passage].chunk.text[place.start : place.end] for place in places}
    fitting = {place for place, text in texts.items() if _fits(question.query, text)}
    return Found(every, named, [] if named else _ranked(question, passages, places), fitting, question.language)


def choose(found: Found, closeness: Mapping[str, float]) -> Sequence[Place]:
    """What to quote, given the closeness to the question of some of the sentences, by their text."""
    if found.references:
        return found.references
    own = {quote.place: closeness.get(quote.text, quote.closeness) for quote in found.quotes[:COMPARED]}
    scored = [(quote.score + CLOSENESS_WEIGHT * own[quote.place], quote) for quote in found.quotes[:COMPARED]]
    scored.sort(key=lambda each: -each[0])
    weighed = {quote.place: evidence(quote.evidence, quote.closeness, own[quote.place]) for _, quote in scored}
    if not scored or weighed[scored[0][1].place] < ENOUGH:
        return []
    best, first = scored[0][0], scored[0][1].place
    is_sure = weighed[first] >= PLENTY
    most, kept = (SENTENCES_SURE, KEPT_SURE) if is_sure else (SENTENCES_UNSURE, KEPT_UNSURE)
    least = max(ENOUGH, weighed[first] - WEAKER)
    chosen = [quote.place for score, quote in scored[:most] if score >= best - kept and weighed[quote.place] >= least]
    if is_sure and first.language == found.language:  # said once more in another language it helps nobody
        chosen = [place for place in chosen if place.language == found.language]
    return _with_neighbour(chosen, found)


def _with_neighbour(chosen: list[Place], found: Found) -> list[Place]:
    """What is asked for may stand in the next sentence or the one before: « The method is applied to… »."""
    if any(place in found.fitting for place in chosen):
        return chosen
    at = found.places.index(chosen[0])
    near = [found.places[number] for number in (at + 1, at - 1) if 0 <= number < len(found.places)]
    fitting = [place for place in near if place.passage == chosen[0].passage and place in found.fitting]
    return chosen + fitting[:1]


def written(question: Question, passages: Sequence[Passage], found: Found, chosen: Sequence[Place]) -> list[str]:
    """The stretches as they are shown, each with the marker of its passage."""
    return [
        f"{QUOTATION[question.language].format(guarded(_line(passages[number].chunk.text[start:end])))} [{number + 1}]"
        for number, start, end in _stretches(chosen, found.places)
    ]


def guarded(text: str) -> str:
    """The text with its own bracketed numbers kept from being read as citations, by an invisible word joiner."""
    return BRACKETED_NUMBER.sub("\\1\u2060", text)


def is_reference(passage: Passage) -> bool:
    """Whether the passage is its document's bibliographic reference."""
    return passage.chunk.position == 0 and passage.chunk.text == reference(passage.title, passage.metadata)


def _places(number: int, passage: Passage) -> list[Place]:
    text, language, document = passage.chunk.text, passage.chunk.language, passage.title
    above = frozenset(terms(f"{passage.title} {passage.chunk.heading} {_known_of(passage)}", language))
    if is_reference(passage):
        line = frozenset(terms(text, language))
        return [Place(number, 0, len(text), language, line, above=above, around=line, document=document)]
    every = sentence_spans(text)
    cites = [True, *(bool(BIBLIOGRAPHY.search(text[start:end])) for start, end in every), True]
    spans = [
        (start, end)
        for at, (start, end) in enumerate(every)
        if _is_quotable(text[start:end], passage.title) and not (cites[at] and cites[at + 2] and len(every) > 2)
    ]
    each = [frozenset(terms(text[start:end], language)) for start, end in spans]
    next_to = [frozenset[str](), *each, frozenset[str]()]
    around = frozenset[str]().union(*each)
    return [
        Place(number, *span, language, each[i], next_to[i], next_to[i + 2], above, around, document)
        for i, span in enumerate(spans)
    ]


def _known_of(passage: Passage) -> str:
    """Who wrote the document, when, and what the initials of its title are: a question may name it so."""
    authors = passage.metadata.get("authors") or ()
    names = [*authors] if isinstance(authors, Sequence) and not isinstance(authors, str) else [authors]
    acronym = "".join(word[0] for word in WORD.findall(passage.title) if word[0].isupper())
    return " ".join(map(str, [*names, passage.metadata.get("year", ""), acronym, acronym[1:]]))


def _is_quotable(sentence: str, title: str) -> bool:
    """Neither a label, nor an entry of a bibliography, a running line or a line of addresses, nor, on a title page, the
    title with what surrounds it: these have the words and no answer."""
    is_title = sentence.startswith(title) and len(title) > TITLE_SHARE * len(sentence)
    if is_title or BIBLIOGRAPHY.search(sentence):
        return False
    return len(sentence) <= LONGEST and len(WORD.findall(sentence)) >= FEWEST_WORDS


def _named(
    question: Question,
    passages: Sequence[Passage],
    places: Sequence[Place],
    references: Sequence[Place],
    wanted: Collection[str],
) -> list[Place]:
    """The references of the works that are meant, if they know what is wanted of them."""
    about = " ".join(word for word in WORD.findall(question.query) if _tells(word))
    sought = Sought.of(about, places)
    found: list[tuple[float, Place]] = []
    for place in references if sought.forms else ():
        passage = passages[place.passage]
        same = [each for each in places if passages[each.passage].chunk.document_id == passage.chunk.document_id]
        if not {*wanted} & {*passage.metadata, "title"} or any(
            all(name in sought.missing(each) for each in same) for name in sought.names
        ):
            continue
        in_text = max(sought.count(each, TOGETHER) for each in same)
        found.append((max(sought.count(place, REFERENCE_PARTS), IN_TEXT * in_text), place))
    best = max((covered for covered, _ in found), default=0.0)
    alike = [place for covered, place in found if covered >= max(REFERENCE_ENOUGH, ALIKE * best)]
    return alike[:MOST_REFERENCES]


def _tells(word: str) -> bool:
    """Whether a word says which work is meant: « who r the authors » does not mean R."""
    return word.lower() not in ABOUT_WORKS and (len(word) > 1 or word.isupper())


def _ranked(question: Question, passages: Sequence[Passage], places: Sequence[Place]) -> list[Quote]:
    """Best first, each text once: a follow-up by what it asks, not by what it is about, unless it says nothing."""
    text = plain(question.text)
    text = text if content_words(text) else question.query
    proper = proper_names(passages)
    sought, whole = Sought.of(text, places, proper), Sought.of(question.query, places, proper)
    subject = whole.without(sought)
    top = max((passage.score for passage in passages), default=0) or 1
    quotes: dict[str, Quote] = {}
    for place in places:
        passage = passages[place.passage]
        line = _line(passage.chunk.text[place.start : place.end])
        overlap = sought.share(place, RANKING)
        foreign = place.language != sought.language and passage.closeness >= CLOSE
        if line in quotes or not (overlap or foreign):
            continue
        near = passage.chunk.text[max(0, place.start - NEAR) : place.end + NEAR]
        score = overlap + PASSAGE_WEIGHT * passage.score / top + CUE_WEIGHT * (_fits(text, line) is True)
        score += SURE_CUE_WEIGHT * (_counts(line, place, sought) or _defines(text, line, place, sought))
        stands = whole.stands_together(place, _fits(question.query, near), measured(question.query, near), subject)
        quotes[line] = Quote(place, line, score, stands, passage.closeness)
    return sorted(quotes.values(), key=lambda quote: -quote.score)


def _fits(question: str, sentence: str) -> bool | None:
    """Whether the sentence holds the kind of thing that is asked for; None when it may be any."""
    if DATE_QUESTION.search(question):
        return bool(DATE.search(sentence))
    if NUMBER_QUESTION.search(question):
        return bool(NUMBER.search(sentence))
    if PLACE_QUESTION.search(question):
        known = {word.lower() for word in WORD.findall(question)}
        return any((found["name"] or found["of"]).lower() not in known for found in PLACE.finditer(sentence))
    if NAME_QUESTION.search(question):
        known = {word.lower() for word in WORD.findall(question)}
        return any(not known.issuperset(WORD.findall(name.lower())) for name in NAME.findall(sentence))
    if defined := DEFINITION_QUESTION.match(question):
        start = sentence.casefold().find(defined["term"].casefold())
        return True if start >= 0 and IS.match(sentence, start + len(defined["term"])) else None
    return None


def _counts(sentence: str, place: Place, sought: Sought) -> bool:
    """Whether a number stands right before what is to be counted: « six chapters »."""
    if not sought.counted:
        return False
    found = words(sentence)
    counted = [frozenset(terms(word, place.language)) for word in found]
    return any(
        not sought.forms[head][place.language].isdisjoint(stems)
        and NUMBER.search(" ".join(found[max(0, at - BEFORE_COUNTED) : at]))
        for at, stems in enumerate(counted)
        for head in sought.counted
    )


def _defines(question: str, sentence: str, place: Place, sought: Sought) -> bool:
    """Whether the sentence goes on from one that names what is to be defined: « It is a… »."""
    if not (DEFINITION_QUESTION.match(question) and IT_IS.match(sentence)):
        return False
    return all(not forms[place.language].isdisjoint(place.before) for forms in sought.forms.values())


def _line(text: str) -> str:
    return " ".join(text.split())


def _stretches(chosen: Sequence[Place], places: Sequence[Place]) -> Iterator[tuple[int, int, int]]:
    """Passage, start and end of what is quoted: neighbouring sentences in one piece, in reading order."""
    order = {place: number for number, place in enumerate(places)}
    rank = {number: place for place, number in enumerate(dict.fromkeys(each.passage for each in chosen))}
    numbers = sorted((order[each] for each in chosen), key=lambda number: (rank[places[number].passage], number))
    runs = groupby(enumerate(numbers), key=lambda item: (places[item[1]].passage, item[1] - item[0]))
    for (passage, _), run in runs:
        run_numbers = [number for _, number in run]
        yield passage, places[run_numbers[0]].start, places[run_numbers[-1]].end
