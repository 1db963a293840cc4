"""What the reported files come out as: each folder of them has a README that says what should.

Run by test_first_run.py with a generated project's own Python, from that project's folder:

    REPORTED_DOCUMENTS=../shared/data/documents .venv/bin/python -m pytest --noconftest tests/reported_documents.py
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion import corpus
from chatbot.ingestion.chunk import chunk
from chatbot.ingestion.parsing.parse import parse
from chatbot.text.analysis import query_terms, terms

FOLDER = Path(os.environ["REPORTED_DOCUMENTS"])

KEPT = {
    "docx-autonumber/statutes.docx": "2. The board meets four times a year.",
    "docx-custom-heading/plan.docx": "<Pêche> La pêche au lancer est interdite près du barrage.",
    "docx-nested-table/ferry.docx": "every forty minutes|at eight and at seventeen o'clock only",
    "docx-sdt-ins-footnote-textbox/lease.docx": "Cooperative of Bakers|rent is 18,400 euros, due in January.|"
    "and the water wheel within six months.|Note 1: The deposit amounts to three monthly rents|Warning box: the weir|"
    "nine months|Saint-Cyr is the court|Annex seven|BAIL-2291",
    "folder-word-lockfile/lease.txt": "The lease is open in Word on another desk.",
    "fr-oe-ligature/cuisine.txt": "Le cœur de bœuf",
    "headings-without-body/house.md": "Pets are allowed on the ground floor only|Bicycles go into the cellar|"
    "<Waste> Glass",
    "html-accordion-button/faq.html": "<How long may I keep a borrowed book?> Three weeks|"
    "<What does a lost card cost?> Seven euros",
    "html-cookie-banner/page.html": "The upper lift stays closed until the avalanche commission has met.",
    "html-css-substring-hidden/policy.html": "first class on train journeys|130 euros in Paris|"
    "Claims older than ninety|Breakfast allowance|Taxi rides|Bicycle hire",
    "html-details-tabs/tabs.html": "The museum opens at ten in summer.|Guided tours",
    "html-form-wrapped/reglement-cantine.html": "Un repas complet coûte 6,40 euros|la veille avant 16 heures",
    "html-latin1-c1-apostrophe/eau.html": "L’agence a financé la main-d’œuvre|cœur de réseau pour 45 €",
    "html-sup-glued/carbone.html": "de la redevance ²,",
    "html-xml-encoding/p.html": "5 € et l'œuvre",
    "md-frontmatter/folded.md": "Guide of the botanical garden|eighteen degrees.",
    "md-frontmatter/toml.md": "The pond freezes in January.",
    "md-generics-math/code.md": "List<Integer>|Map<String, User>|x<y and y>z|\\alpha_{t}|salt is stored in the barn",
    "pdf-article-heading-per-page/rules.pdf": "Article 1 The gardens|Article 2 Water may be drawn|Article 3 Huts",
    "pdf-broken-xref/junk-before.pdf": "comes back at seventeen o'clock.",
    "pdf-broken-xref/offset.pdf": "comes back at seventeen o'clock.",
    "pdf-form-values/mooring.pdf": "boat: Blue Heron, 9.4 metres|Berth that is asked for: Pontoon C, berth 17",
    "pdf-freetext/plan.pdf": "The old pear tree must not be felled.",
    "pdf-latex-accents/rapport.pdf": "La transition énergétique du bassin a été décidée|Le développement|coûtera",
    "pdf-ocr-strips/book-on-a4.pdf": "The bell was cast in Villedieu in the year 1838.",
    "pdf-ocr-strips/full.pdf": "The bell was cast in Villedieu in the year 1838.",
    "pdf-ocr-strips/strips.pdf": "The bell was cast in Villedieu in the year 1838.",
    "pdf-outline-wrapped-heading/survey.pdf": "<2 Results> The survey found|<3 Costs> The survey took",
    "pdf-outline-wrapped-heading/survey2.pdf": "<3 Results> The survey found eleven thousand beeches",
    "pdf-printed-by-chromium/notice.pdf": "life jackets are worn|the key hangs behind the door|lock boathouse north|"
    "Heron four seats|Otter eight seats",
    "pdf-rotated/bridge.pdf": "The bridge over the gorge carries twelve tonnes.",
    "pdf-rotated/upright.pdf": "carries twelve tonnes. Lorries take the road by the mill.",
    "pdf-soft-hyphen/hard.pdf": "the vulnerability of|the chlorination basin",
    "pdf-soft-hyphen/soft.pdf": "the vulnerability of|the chlorination basin",
    "pdf-soft-hyphen/u2010.pdf": "the vulnerability of|the chlorination basin",
    "pdf-two-columns/newsletter.pdf": "chose a new chair, who will serve three years and look after the presses.|"
    "four euros a bottle, since glass has become dear",
    "rtl-presentation-forms/ar.txt": "ﺗﻐﺎﺩﺭ ﺍﻟﺴﻔﻦ",
    "txt-mentions-pdf-signature/gif.txt": "GIF87a came two years earlier.",
    "txt-mentions-pdf-signature/page.html": "%PDF-1.7 on its first line.",
    "txt-mentions-pdf-signature/parsing.md": "five bytes %PDF-, followed",
    "txt-mixed-newlines-bom/mixed.txt": "Chains are needed|Second page begins here|Vertical tab here.",
    "txt-one-stray-byte/comite.txt": "Le comité a décidé de rénover l’école|Annexe : schéma.",
    "txt-one-stray-byte/tronque.txt": "Le comité a décidé de rénover l’école",
}
"""By file, what its text holds; « <Heading> text » where the text stands under it."""
NOT_KEPT = {
    "docx-sdt-ins-footnote-textbox/lease.docx": "is , due",
    "html-cookie-banner/page.html": "cookie",
    "html-sup-glued/carbone.html": "redevance2",
    "pdf-latex-accents/rapport.pdf": "´",
    "md-frontmatter/folded.md": ">-",
    "txt-one-stray-byte/comite.txt": "Ã",
}
REFUSED = {
    "pdf-broken-xref/no-trailer.pdf": "no-trailer.pdf is not a complete PDF",
    "pdf-no-tounicode/glyphs.pdf": "glyphs.pdf does not say which characters its glyphs are",
}
ELSEWHERE = {
    "cjk-long-token", "fr-no-accents", "md-table-header", "name-nfd-nfc", "name-not-utf8", "pdf-citation-next-page",
    "pdf-word-title", "refusal-although-answer-there",
}  # fmt: skip
"""Folders that are about more than the text that is read: each has its own test below. Whether a question is answered
(refusal-although-answer-there) is for the project's benchmark of questions to say."""


def read(name: str) -> ParsedDocument:
    return parse((FOLDER / name).read_bytes(), name)


def text_of(parsed: ParsedDocument) -> str:
    parts = (f"<{each.heading}> {each.text}" if each.heading else each.text for each in parsed.sections)
    return " ".join(" ".join([parsed.title, *parts]).split())


def test_every_folder_is_looked_at() -> None:
    folders = {each.name for each in FOLDER.iterdir() if each.is_dir()}
    assert {name.partition("/")[0] for name in (*KEPT, *REFUSED)} | ELSEWHERE == folders


@pytest.mark.parametrize("name", KEPT)
def test_what_a_reader_sees_is_kept(name: str) -> None:
    parsed = read(name)
    text = text_of(parsed)
    assert [each for each in KEPT[name].split("|") if each not in text] == []
    assert NOT_KEPT.get(name, "\0") not in text
    assert "unexplained" not in parsed.reading.left_out


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(UnreadableDocument, match=REFUSED[name]):
        read(name)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("cjk-long-token/*.[mt][dx]*")), ids=lambda file: file.name)
def test_no_word_is_longer_than_an_index_takes(file: Path) -> None:
    if file.name != "README.txt":
        assert all(len(term.encode()) < 2_704 for term in terms(text_of(parse(file.read_bytes(), file.name)), "en"))


@pytest.mark.parametrize(
    ("asked", "name"),
    [("securite", "rapport.md"), ("capacite", "rapport.md"), ("electricite", "rapport.md"), ("fiscalite", "note.txt"),
     ("vulnerabilite", "note.txt"), ("sécurité", "CAPS.txt"), ("capacité", "CAPS.txt")],
)  # fmt: skip
def test_a_word_is_found_without_its_accents(asked: str, name: str) -> None:
    assert {*query_terms(asked)} & {*terms(text_of(read(f"fr-no-accents/{name}")), "fr")}


@pytest.mark.parametrize("pair", ["coeur cœur", "noeud nœud", "oeufs œufs", "boeuf bœuf"])
def test_a_ligature_is_two_letters(pair: str) -> None:
    known = {*terms(text_of(read("fr-oe-ligature/cuisine.txt")), "fr")}
    assert all({*query_terms(word)} & known for word in pair.split())


def test_each_part_of_a_table_has_its_column_names() -> None:
    parts = chunk("d", read("md-table-header/harvest.md"), 1000, 150)
    assert len(parts) > 1
    assert all("Apples (tonnes): " in part.text for part in parts)


def test_names_are_composed_and_files_of_broken_names_are_read() -> None:
    decomposed = unicodedata.normalize("NFD", "règlement.txt")
    assert corpus.source_of(Path(decomposed), Path()) == unicodedata.normalize("NFC", decomposed)
    for name in ("name-nfd-nfc/v1.txt", "name-nfd-nfc/v2.txt"):
        assert "Le local à vélos ferme" in text_of(read(name))
    files = sorted((FOLDER / "name-not-utf8").glob("*.txt"))
    sources = [corpus.source_of(file, file.parent) for file in files]
    assert [source.encode() for source in sources]


def test_a_locked_file_is_skipped() -> None:
    found = [item.name for item in corpus.files([FOLDER / "folder-word-lockfile"], FOLDER).items]
    assert "lease.txt" in found
    assert not [name for name in found if name.startswith("~$")]


def test_a_title_of_word_s_printer_is_none() -> None:
    assert read("pdf-word-title/charter.pdf").title == "Charter of the reading room"


def test_the_page_is_that_of_the_words() -> None:
    parsed = read("pdf-citation-next-page/water.pdf")
    [page] = [each.page for each in parsed.sections if "green notebook that is kept" in each.text]
    assert page == 2
    [part, *_] = chunk("d", parsed, 1000, 150)
    assert part.page_of("The fire brigade may take water") == 3
