"""From text to search terms and sentences, in English and French: words, stop words, stems, the language, sentences.

terms("Les taxes sur le carbone", "fr")   ['tax', 'carbon']
query_terms("carbon taxes")               ['carbon', 'tax']: stemmed as English and as French, without repeats
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import Stemmer

from chatbot.domain import Language

LANGUAGES: tuple[Language, ...] = ("en", "fr")
SNOWBALL = {"en": "english", "fr": "french"}

ENGLISH_FUNCTION_WORDS = """
a about above after again against all also am an and any are as at be because been before being below between both
but by can cannot could did do does doing don during each few for from further had has have having he her here hers
herself him himself his how i if in into is it its itself just many may me might more most much must my myself no
nor not of off on once only or other our ours out over own s same shall she should so some such t than that the
their theirs them themselves then there these they this those through to too under until up upon us very was we were
what when where whether which while who whom whose why will with would you your yours yourself
"""
FRENCH_FUNCTION_WORDS = """
a à afin ai ainsi alors après as au aucun aucune aujourd auquel aussi autre autres aux auxquels avait avant avec avez
avoir avons ayant c car ce ceci cela celle celles celui cependant ces cet cette ceux chacun chaque chez ci combien
comme comment d dans de depuis des desquels deux dit doit doivent donc dont du duquel elle elles en encore entre es
est et étaient était étant été être eu eux fait faut font fut furent hui ici il ils j je jusqu l la là laquelle le
lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais me même mêmes mes moi moins mon n ne ni non nos
notre nous on ont ou où par parce pas pendant peu peut peuvent plus pour pourquoi puis qu quand que quel quelle
quelles quels qui quoi s sa sans se selon sera seront ses si sien soi soit son sont sous sur t ta tandis te tel
telle telles tels tes toi ton tous tout toute toutes très tu un une vers vos votre vous y
"""
STOP_WORDS: dict[Language, frozenset[str]] = {
    "en": frozenset(ENGLISH_FUNCTION_WORDS.split()),
    "fr": frozenset(FRENCH_FUNCTION_WORDS.split()),
}
HOMOGRAPHS = frozenset(
    ("an", "as", "but", "car", "dit", "fait", "font", "me", "mine", "on", "or", "pendant", "son", "sous", "ton")
)
"""Function words of one language that carry meaning in the other: « le but », "a car"."""

IRREGULAR_FORMS = """
arise arose arisen; beat beaten; become became; begin began begun; bite bitten; blow blew blown; break broke broken;
bring brought; build built; burn burnt; buy bought; catch caught; choose chose chosen; come came; deal dealt; dig dug;
draw drew drawn; drink drank drunk; drive drove driven; eat ate eaten; fall fallen; feed fed; fight fought; find found;
flee fled; fly flew flown; forbid forbade forbidden; forget forgot forgotten; freeze froze frozen; get got gotten;
give gave given; go went gone; grow grew grown; hang hung; hear heard; hide hid hidden; hold held; keep kept;
know knew known; lead led; learn learnt; lend lent; lose lost; make made; mean meant; meet met; pay paid;
ride rode ridden; ring rang rung; rise risen; run ran; say said; see seen; seek sought; sell sold; send sent;
shake shook shaken; shine shone; shoot shot; show shown; shrink shrank shrunk; sing sang sung; sink sank sunk; sit sat;
sleep slept; speak spoke spoken; spend spent; spin spun; stand stood; steal stole stolen; stick stuck; strike struck;
swear swore sworn; swim swam swum; take took taken; teach taught; tear torn; tell told; think thought;
throw threw thrown; understand understood; wake woke woken; wear wore worn; weave wove woven; win won;
write wrote written; child children; criterion criteria; foot feet; index indices; matrix matrices; man men;
mouse mice; phenomenon phenomena; tooth teeth; vertex vertices; woman women
"""
"""English words that no stemmer brings together, the first of each as its basic form. Those that are other words too
(left, felt, rose, saw, ground) are not there."""
BASIC_FORM = {form: basic for basic, *others in map(str.split, IRREGULAR_FORMS.split(";")) for form in others}

WORD = re.compile(r"[^\W_]+")
LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})
LONGEST = 100
"""Characters of a word that count: a run of Chinese, or a key, may be longer than an index of PostgreSQL takes."""
BREAK = re.compile(r"\n(?!\s)|\n\s*\n|[.!?…][\"”»’')\]]*\s+(?=[\"“«‘'(\[]*[^\Wa-zà-öø-ÿ_])")
"""Where a sentence may end: before an unindented line, at a blank line, or after a final mark when the next word
does not begin in lower case. Indented lines (code) stay with the line above them."""
ABBREVIATION = re.compile(
    r"(?:^|[\s(\[«“])(?:e\.g|i\.e|et al|cf|vs|viz|approx|resp|ca|c|p|pp|vol|vols|ch|chap|sect|al|fig"
    r"|figs|tab|eq|eqs|eqn|ref|refs|ed|eds|éd|dr|mr|mrs|ms|prof|st|ste|mme|mlle|mm|m|jr|sr|inc|ltd|dept|univ|jan|feb"
    r"|janv|févr|apr|avr|aug|sept|oct|nov|dec|déc|p\. ?ex|env|av|apr|n°|u\.s|u\.k|ph\.d|t[eé]l|fax|op\. cit|loc\. cit"
    r"|ibid|trad|dir|coll|ex|gen|col|rev|hon|sen|gov|pr|sté|bd|[^\W\d_]|[^\W\d_](?:\.[^\W\d_])+)\.$",
    re.IGNORECASE,
)
"""What ends with a full stop without ending a sentence: abbreviations, and initials."""
NUMBERED = re.compile(r"(?:^|[\s(\[«“])(?:no|nos|art|arts|par|sec|lot|rm|max|min)\.$", re.IGNORECASE)
"""What does so before a number alone: « art. 5 », but "She said no."."""

_stemming = threading.local()


def words(text: str) -> list[str]:
    """The words and numbers of a text in lower case, in order: « cœur » as "coeur", Arabic letters in one form."""
    return [word[:LONGEST] for word in WORD.findall(unicodedata.normalize("NFKC", text).lower().translate(LIGATURES))]


def terms(text: str, language: Language) -> list[str]:
    """What a text of that language is found by, repeats kept: stems without accents, without stop words."""
    return [*_stems((word for word in words(text) if word not in STOP_WORDS[language]), language)]


def query_terms(text: str) -> list[str]:
    """What a question looks for, in documents of either language, without repeats."""
    return list(dict.fromkeys(stem for stems in query_stems(text).values() for stem in stems))


def query_stems(text: str) -> dict[str, tuple[str, ...]]:
    """The stems, English then French, of each of the question's words that are not stop words, by word."""
    return {word: tuple(stem for each in LANGUAGES for stem in _stems([word], each)) for word in content_words(text)}


def content_words(text: str) -> list[str]:
    """The words of a question that carry meaning, without repeats.

    Those of the other language's stop words that mean something in the question's own language are kept.
    """
    language = detect_language(text)
    dropped = STOP_WORDS[language].union(*(STOP_WORDS[other] - HOMOGRAPHS for other in LANGUAGES if other != language))
    return [word for word in dict.fromkeys(words(text)) if word not in dropped]


def detect_language(text: str, default: Language = "en") -> Language:
    """The language whose function words, accents included, are the more frequent; `default` when neither's are."""
    found = words(text[:20_000])
    counts = {language: sum(word in STOP_WORDS[language] for word in found) for language in LANGUAGES}
    if counts["en"] == counts["fr"]:
        return default
    return max(LANGUAGES, key=counts.__getitem__)


def sentences(text: str) -> list[str]:
    """The sentences of a text, verbatim, in order; a heading, a list item, a table's row is one too."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence starts and ends, outer blanks excluded."""
    spans, start = [], 0
    for mark in BREAK.finditer(text):
        if _goes_on(text, start, mark):
            continue
        spans.append((start, mark.end()))
        start = mark.end()
    spans.append((start, len(text)))
    return [_stripped(text, *span) for span in spans if text[slice(*span)].strip()]


def _goes_on(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether the sentence from `start` does not end at this mark: an abbreviation, or a line broken by its width."""
    before, following = text[max(start, mark.start() - 12) : mark.start() + 1], text[mark.end() : mark.end() + 1]
    if mark[0] == "\n":
        return following.islower() and before[:-1].rstrip()[-1:] not in (*".!?…:;", "")
    if mark[0][0] == "\n":
        return False
    return bool(ABBREVIATION.search(before) or (following.isdigit() and NUMBERED.search(before)))


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    sentence = text[start:end]
    return start + len(sentence) - len(sentence.lstrip()), end - len(sentence) + len(sentence.rstrip())


def _stems(words: Iterable[str], language: Language) -> list[str]:
    """The stem of each word, and those of the word without its accents and of its basic form where they are others.

    The stemmer takes « -ité » off, and not "-ite": « mobilité » gives mobil and mobilit, "mobilite" the second only.
    It leaves "wrote" as it is: the word gives wrote and write.
    """
    stems: list[str] = []
    kept = [*words]
    for word, stem in zip(kept, _stemmer(language).stemWords(kept), strict=True):
        stems.append(_unaccented(stem))
        if not word.isascii() and (plain := _stemmer(language).stemWord(_unaccented(word))) != stems[-1]:
            stems.append(plain)
        if language == "en" and word in BASIC_FORM:
            stems.append(_stemmer(language).stemWord(BASIC_FORM[word]))
    return stems


def _stemmer(language: Language) -> Stemmer.Stemmer:
    """A stemmer is not safe to share: each thread has its own."""
    stemmers = _stemming.__dict__
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(SNOWBALL[language])
    return stemmers[language]


@lru_cache(maxsize=65_536)
def _unaccented(word: str) -> str:
    """« énergie » is found by "energie"."""
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
