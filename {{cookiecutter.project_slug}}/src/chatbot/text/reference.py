"""A document's bibliographic reference: who wrote what, where and when, in one line that is found, quoted and cited.

reference("Rain on roofs", {"authors": ["Ada Stone", "Luc Pluie"], "year": 2021, "journal": "Slate"})
    'Ada Stone, Luc Pluie. Rain on roofs. Slate, 2021.'

The line is a chunk of its own, the first of its document: the text of a document seldom says in one sentence what its
title page, or the archive that it comes from, says about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from chatbot.domain import Metadata

Part = Literal["authors", "year", "journal", "doi", "title"]
MOST_AUTHORS = 60
LONGEST = 500
"""Characters of a question that are looked at."""
WORK = (
    r"(papers?|articles?|books?|chapters?|reports?|thes[ie]s|dissertations?|publications?|studies|study|works?|lectures?"
    r"|thèses?|livres?|ouvrages?|chapitres?|rapports?|études?|travaux|mémoires?|cours|textes?)"
)
ASKED: dict[Part, re.Pattern[str]] = {
    "authors": re.compile(
        r"\bwho(m)?\b.{0,40}\b(wrote|written|writ(es?|ing)|authored|(co-?)?authors?|signed|published)\b"
        r"|\bwho(m)? (defended|gave)\b|\b(?<!do the )(?<!did the )(?<!have the )authors?\b(?! (have|has|had|say|said"
        r"|think|find|found|use|used|propose|suggest|show|argue|conclude|recommend)\b)"
        r"|\bqui\b.{0,40}\b(écri(t|te|ts|tes|re|vit)|rédigé\w*|publié\w*|signé\w*)\b|\bqui a (soutenu|défendu|donné)\b"
        r"|\b(?<!ont les )(?<!font les )(co)?aut(eu|ri)(r|re|ce)s?\b(?! (ont|disent|pensent|trouvent|utilisent"
        r"|proposent|montrent|concluent|recommandent)\b)"
        r"|\bde qui (est|sont)\b|\b(gave|held) the (lecture|course|talk)\b",
        re.IGNORECASE,
    ),
    "year": re.compile(
        r"\b(when|(what|which) (year|date))\b.*\b(publi(shed|cation)|written|appear(ed)?|c[oa]me out"
        r"|defended|released)\b"
        r"|\b(year|date) of (the )?publication|\bpublication (year|date)\b|\bhow old is th(e|is) "
        + WORK
        + r"|\b(quand|quelle année|quelle date)\b.*\b(publi|paru|écrit|rédig|soutenu|sorti|date\b)"
        r"|\b(année|date) de (la )?(publication|parution|soutenance)\b",
        re.IGNORECASE,
    ),
    "journal": re.compile(
        r"\b(what|which) (scientific |academic )?(journal|review|magazine|periodical)\b"
        r"|\bwhere\b.*\b(published|appear(ed)?)\b|\bquel(le)?s? (journal|revue|périodique)\b"
        r"|\boù\b.*\b(publié|paru|parai)",
        re.IGNORECASE,
    ),
    "doi": re.compile(r"\bdoi\b", re.IGNORECASE),
    "title": re.compile(
        r"\b(what|which)\b.*\b(write|written|wrote|authored?|published?)\b"
        r"|\b"
        + WORK
        + r"\b.{0,20}\b(by|written by|of)\b|\b(qu['’]|que |quel(le)?s? |qu['’]est-ce qu).*\bécri(t|te|ts|tes|re)\b"
        r"|\bquel(le)?s? " + WORK + r"\b.{0,40}\b(d[e'’]|écrit|publié)|\btitles?\b|\btitres?\b"
        r"|\b(what|which) (is|was|are|were)\b.{0,60}\babout\W*$"
        r"|\b(did|does|has|have)\b.{0,60}\b(write|written|publish(ed)?)\b"
        r"|\b(sur quoi|de quoi)\b.{0,20}\b(porte|parle|traite|écri\w+)\b"
        r"|\b(a|ont)-t-(il|elle|ils|elles) (écrit|publié)\b"
        r"|\b(list|listez?|donnez|énumère[zr]?)\b.{0,20}\b(publications|papers|articles|works|travaux)\b",
        re.IGNORECASE,
    ),
}
"""What a question may want to know of a work besides what it says."""
ABOUT_WORKS = frozenset(
    """
    paper papers article articles book books chapter report reports thesis theses dissertation publication publications
    study work works lecture talk wrote written write writes writing author authors authored published publish
    appear appeared journal review year date doi defended released title called come came out
    thèse thèses livre ouvrage chapitre rapport étude travaux mémoire texte écrit écrite écrits écrites écrire rédigé
    auteur auteurs autrice auteure coauteurs publié publiée publiés paru parue parution revue année soutenue soutenu
    soutenance titre intitulé sorti gave held defended défendu list about porte parle traite sujet
    """.split()  # noqa: SIM905, as the lists of analyse.py
)
"""Words that say that a work is meant, not which."""


def reference(title: str, metadata: Metadata) -> str:
    """In one line; "" when neither authors nor journal nor DOI are known."""
    authors, year, journal = metadata.get("authors"), metadata.get("year"), metadata.get("journal")
    named = [authors] if isinstance(authors, str) else [*authors] if isinstance(authors, Sequence) else []
    if len(named) > MOST_AUTHORS:
        named = [*named[:MOST_AUTHORS], "et al."]
    published = ", ".join(str(part) for part in (journal, year) if part)
    doi = str(metadata.get("doi") or "")
    if doi and not doi.startswith("http"):
        doi = f"https://doi.org/{doi}"
    if not (named or journal or doi):
        return ""
    parts = [", ".join(named).rstrip("."), title.rstrip("."), published, doi]
    return " ".join(". ".join(part for part in parts if part).split()) + ("" if doi else ".")


def asked_for(question: str) -> set[Part]:
    """What the question wants to know of a work besides what it says."""
    return {part for part, asked in ASKED.items() if asked.search(question[:LONGEST])}
