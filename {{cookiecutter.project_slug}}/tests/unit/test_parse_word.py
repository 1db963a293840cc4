"""Word files as contracts and forms have them: controls, revisions, notes, boxes, numbers, styles, odd packages."""

from __future__ import annotations

import pytest

from chatbot.domain import ParsedDocument
from chatbot.ingestion.parsing.parse import parse
from tests.unit.office import STRICT, p, r, table, word

RENT = "18,400 euros"
NUMBERS = """
<w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="{}"/><w:lvlText w:val="{}"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num>
<w:num w:numId="4"><w:abstractNumId w:val="7"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>
"""


def text_of(parsed: ParsedDocument) -> str:
    return "\n\n".join(section.text for section in parsed.sections)


def read(body: str, **parts: str) -> ParsedDocument:
    return parse(word(body, **parts), "a.docx")


def numbered(text: str, level: int = 0, number: int = 3) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


@pytest.mark.parametrize(
    "run",
    [
        f"<w:sdt><w:sdtPr/><w:sdtContent>{r(RENT)}</w:sdtContent></w:sdt>",
        f"<w:ins w:author='x'>{r(RENT)}</w:ins>",
        f"<w:moveTo>{r(RENT)}</w:moveTo>",
        f"<w:smartTag>{r(RENT)}</w:smartTag>",
        f"<w:customXml>{r(RENT)}</w:customXml>",
        f"<w:fldSimple w:instr='MERGEFIELD rent'>{r(RENT)}</w:fldSimple>",
        f"<w:hyperlink>{r(RENT)}</w:hyperlink>",
        f"<w:r><w:fldChar/><w:instrText>PAGE</w:instrText></w:r>{r(RENT)}",
        f"<w:sdt><w:sdtContent><w:ins><w:smartTag>{r(RENT)}</w:smartTag></w:ins></w:sdtContent></w:sdt>",
        f"<w:dir>{r(RENT)}</w:dir>",
        f"<w:ruby><w:rubyBase>{r(RENT)}</w:rubyBase></w:ruby>",
        f"<m:oMath xmlns:m='urn:m'><m:r><m:t>{RENT}</m:t></m:r></m:oMath>",
    ],
)
def test_words_in_a_sentence_are_read_whatever_is_around_them(run: str) -> None:
    parsed = read(f"<w:p>{r('The rent is ')}{run}{r(', due in May.')}</w:p>")
    assert text_of(parsed) == f"The rent is {RENT}, due in May."
    assert str(parsed.reading) == ""


@pytest.mark.parametrize(
    "block",
    [
        f"<w:sdt><w:sdtContent>{p(RENT)}</w:sdtContent></w:sdt>",
        f"<w:sdt><w:sdtContent>{table(['Rent', RENT])}</w:sdtContent></w:sdt>",
        f"<w:ins>{p(RENT)}</w:ins>",
        f"<w:customXml>{p(RENT)}</w:customXml>",
        table(["Rent", table(["inner", RENT])]),
        table([f"<w:sdt><w:sdtContent>{p(RENT)}</w:sdtContent></w:sdt>", "x"]),
        f"<w:p><w:r><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent>{p(RENT)}</w:txbxContent></wps:txbx></mc:Choice>"
        f"<mc:Fallback><v:textbox><w:txbxContent>{p(RENT)}</w:txbxContent></v:textbox></mc:Fallback></mc:AlternateContent></w:r></w:p>",
        f"<w:p><w:r><w:pict><v:textbox><w:txbxContent>{p(RENT)}</w:txbxContent></v:textbox></w:pict></w:r></w:p>",
        table(
            [
                f"{p('A box:')}<w:p><w:r><w:pict><w:txbxContent>{p(RENT)}</w:txbxContent></w:pict></w:r></w:p>",
                "x",
            ]
        ),
    ],
)
def test_blocks_are_read_once_wherever_they_stand(block: str) -> None:
    parsed = read(f"{p('Before.')}{block}{p('After.')}")
    assert text_of(parsed).count(RENT) == 1
    assert text_of(parsed).startswith("Before.")
    assert text_of(parsed).endswith("After.")
    assert str(parsed.reading) == ""


@pytest.mark.parametrize("kind", ["footnote", "endnote"])
def test_notes_stand_below_their_paragraph(kind: str) -> None:
    note = (
        f"<w:{kind} w:type='separator' w:id='-1'>{p('-')}</w:{kind}><w:{kind} w:id='2'>{p('Three rents.')}</w:{kind}>"
    )
    body = f"<w:p>{r('The deposit is kept')}<w:r><w:{kind}Reference w:id='2'/></w:r>{r('.')}</w:p>{p('After.')}"
    assert text_of(read(body, **{f"{kind}s": note})) == "The deposit is kept.\n\nNote 1: Three rents.\n\nAfter."


def test_headers_and_footers_are_read_once() -> None:
    parsed = read(p("Text."), header1=p("Reference 22"), header2=p("Reference 22"), footer1=p("Printed in May"))
    assert text_of(parsed) == "Reference 22\n\nText.\n\nPrinted in May"


@pytest.mark.parametrize(
    ("form", "label", "numbers"),
    [
        ("decimal", "%1.", ["1.", "2.", "3."]),
        ("decimal", "Article %1", ["Article 1", "Article 2", "Article 3"]),
        ("upperRoman", "%1)", ["I)", "II)", "III)"]),
        ("lowerLetter", "(%1)", ["(a)", "(b)", "(c)"]),
        ("decimalZero", "%1", ["01", "02", "03"]),
        ("bullet", "•", ["-", "-", "-"]),
    ],
)
def test_automatic_numbers_are_words(form: str, label: str, numbers: list[str]) -> None:
    body = "".join(numbered(f"Rule {word}.") for word in ("one", "two", "six"))
    expected = "\n\n".join(
        f"{number} Rule {word}." for number, word in zip(numbers, ("one", "two", "six"), strict=True)
    )
    assert text_of(read(body, numbering=NUMBERS.format(form, label))) == expected


def test_numbers_of_levels_restarts_and_styles() -> None:
    body = numbered("A") + numbered("B", 1) + numbered("C", 1) + numbered("D") + numbered("E", 1) + numbered("F", 0, 4)
    styles = (
        "<w:style w:type='paragraph' w:styleId='Law'><w:pPr><w:numPr><w:numId w:val='3'/></w:numPr></w:pPr></w:style>"
    )
    body += p("G", '<w:pStyle w:val="Law"/>')
    text = text_of(read(body, numbering=NUMBERS.format("decimal", "%1."), styles=styles))
    assert text.split("\n\n") == ["1. A", "1.a) B", "1.b) C", "2. D", "2.a) E", "5. F", "6. G"]


@pytest.mark.parametrize(
    "style",
    [
        "<w:style w:type='paragraph' w:styleId='Mine'><w:name w:val='My head'/><w:basedOn w:val='H1'/></w:style>",
        "<w:style w:type='paragraph' w:styleId='Mine'><w:pPr><w:outlineLvl w:val='0'/></w:pPr></w:style>",
        "<w:style w:type='paragraph' w:styleId='Mine'><w:name w:val='Titre 1'/></w:style>",
        "<w:style w:type='paragraph' w:styleId='Mine'><w:name w:val='heading 1'/></w:style>",
    ],
)
def test_headings_by_any_style(style: str) -> None:
    styles = f"<w:style w:type='paragraph' w:styleId='H1'><w:name w:val='heading 1'/></w:style>{style}"
    title = "<w:style w:type='paragraph' w:styleId='T'><w:name w:val='Title'/></w:style>"
    body = p("Plan", '<w:pStyle w:val="T"/>') + p("Fishing", '<w:pStyle w:val="Mine"/>') + p("It is forbidden.")
    parsed = read(body, styles=styles + title)
    assert (parsed.title, [(each.heading, each.text) for each in parsed.sections]) == (
        "Plan",
        [("Fishing", "It is forbidden.")],
    )


@pytest.mark.parametrize("main", ["word/document2.xml", "content/main.xml"])
@pytest.mark.parametrize("namespace", [STRICT])
def test_strict_files_and_parts_of_any_name(main: str, namespace: str) -> None:
    assert text_of(parse(word(p(RENT), main=main, namespace=namespace), "a.docx")) == RENT


def test_what_is_not_seen_is_counted() -> None:
    hidden = "<w:style w:type='character' w:styleId='Gone'><w:rPr><w:vanish/></w:rPr></w:style>"
    runs = (
        r("One ", "<w:vanish/>")
        + r("two ", '<w:rStyle w:val="Gone"/>')
        + r("three ", '<w:color w:val="FFFFFF"/>')
        + r("four ", '<w:sz w:val="2"/>')
        + r("five ", '<w:vanish w:val="0"/>')
        + r("six ", '<w:color w:val="FFFFFF"/><w:shd w:fill="000000"/>')
        + "<w:del><w:r><w:delText>seven</w:delText></w:r></w:del>"
    )
    parsed = read(f"<w:p>{r('Seen ')}{runs}</w:p>", styles=hidden, comments=f"<w:comment>{p('Eight nine')}</w:comment>")
    assert text_of(parsed) == "Seen five six"
    assert parsed.reading.left_out == {"hidden": 4, "deleted": 1, "comments": 2}


def test_a_long_table_keeps_its_column_names() -> None:
    rows = [["Boat", "Seats"], *([f"A boat that is called {n}", f"{n} seats"] for n in range(40))]
    assert "Boat: A boat that is called 7 | Seats: 7 seats" in text_of(read(table(*rows)))
