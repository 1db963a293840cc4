"""PDF by its layout: lines, columns, accents, forms, outlines, running lines, titles; the page of what is quoted."""

from __future__ import annotations

import pytest

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.chunk import chunk
from chatbot.ingestion.parsing.parse import parse
from tests.unit.pdfs import at, document, lines

LEFT = ["The orchard society met in", "May and chose a new chair,", "who will serve three years",
        "and look after the presses,", "which are kept in the barn."]  # fmt: skip
RIGHT = ["The price of cider rises to", "four euros a bottle, since", "glass has become dear; the",
         "deposit stays at one euro", "for as long as stocks last."]  # fmt: skip


def read(*pages: str, **options: object) -> ParsedDocument:
    return parse(document(pages, **options), "a.pdf")  # type: ignore[arg-type]


def text_of(parsed: ParsedDocument) -> str:
    return "\n\n".join(section.text for section in parsed.sections)


# Columns --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 4], ids=["on one line", "on lines of their own"])
@pytest.mark.parametrize("head", ["", at(72, 800, "A newsletter for all members of the society, in its tenth year")])
def test_two_columns_written_row_by_row_are_read_one_after_the_other(shift: float, head: str) -> None:
    rows = zip(LEFT, RIGHT, strict=True)
    page = "".join(at(72, 770 - 15 * n, a) + at(330, 770 - 15 * n - shift, b) for n, (a, b) in enumerate(rows))
    assert text_of(read(head + page)).endswith(f"{' '.join(LEFT)}\n\n{' '.join(RIGHT)}")


def test_three_columns_are_read_one_after_the_other() -> None:
    third = [
        "The baker opens at six and",
        "sells what was baked in the",
        "night; on Sundays he stays",
        "at home, as do his helpers,",
        "who live above the mill.",
    ]
    rows = zip(LEFT, RIGHT, third, strict=True)
    page = "".join(
        at(left, 770 - 15 * n, text, 8)
        for n, row in enumerate(rows)
        for left, text in zip((60, 230, 400), row, strict=True)
    )
    assert text_of(read(page)) == "\n\n".join(" ".join(column) for column in (LEFT, RIGHT, third))


def test_columns_written_one_after_the_other_stay_so() -> None:
    assert text_of(read(lines(LEFT) + lines(RIGHT, left=330))) == f"{' '.join(LEFT)}\n\n{' '.join(RIGHT)}"


def test_a_table_is_read_row_by_row() -> None:
    rows = [("Line", "First ferry", "Fare"), *((f"Line {n}", f"{n} o'clock", f"{n}.50") for n in range(1, 8))]
    page = "".join(at(72 + 150 * k, 770 - 15 * n, cell) for n, row in enumerate(rows) for k, cell in enumerate(row))
    text = " ".join(text_of(read(page)).split())
    assert "Line 3 3 o'clock 3.50" in text
    assert "Line 7 7 o'clock 7.50" in text


# Lines and words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hyphen", ["-", "\xad"])
def test_hyphenated_lines_do_not_break_a_sentence_off(hyphen: str) -> None:
    wrapped = [f"The committee examined the vulner{hyphen}", "ability of the drinking water plants in",
               "the valley and found that the chlor-", "ination basin is exposed to floods of the",
               "second category every ten years or so,", "which the mayor of the commune de-", "plores."]  # fmt: skip
    assert text_of(read(lines(wrapped))) == (
        "The committee examined the vulnerability of the drinking water plants in the valley and found that the "
        "chlorination basin is exposed to floods of the second category every ten years or so, which the mayor of the "
        "commune deplores."
    )


def test_paragraphs_end_at_gaps_short_lines_indents_and_sizes() -> None:
    full = "A line that is as wide as the column in which it stands, and no less."
    page = lines([full, full[:60] + " and ends here", "short."]) + lines([full, "Last."], top=700)
    assert text_of(read(page)).split("\n\n") == [f"{full} {full[:60]} and ends here short.", f"{full} Last."]
    indented = at(72, 770, full) + at(72, 755, f"{full[:-3]}ss.") + at(90, 740, "Indented lines begin a paragraph.")
    assert text_of(read(indented)).endswith("\n\nIndented lines begin a paragraph.")
    sized = at(72, 770, "A larger heading", 16) + at(72, 750, full)
    assert text_of(read(sized)) == f"A larger heading\n\n{full}"


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        ("[(d) (\xb4) 333 (e) (cid) (\xb4) 333 (e)]", "décidé"),
        ("[(co\x88) 345 (u) (tera)]", "coûtera"),
        ("[(co) (\x88) 445 (u) (tera)]", "coûtera"),
        ("[(fa) (c) 416 (\xb8) (ade)]", "façade"),
        ("[(na) (\xa8) 278 (i) (ve)]", "naïve"),
        ("[(voil) (`) 445 (a)]", "voilà"),
        ("[(Ma) (\x98) 445 (n) (ana)]", "Mañana"),
        ("[(No) (e) 445 (\xa8) (l)]", "Noël"),
    ],
)
def test_accents_that_tex_sets_apart_come_back(drawn: str, text: str) -> None:
    stream = f"BT /F1 11 Tf 72 770 Td [(On a ) ] TJ {drawn} TJ ( ici.) Tj ET"
    assert f"On a {text} ici." in text_of(read(stream))


def test_an_accent_of_its_own_stays() -> None:
    assert text_of(read(lines(["Type `a` and ^ for x^2, see ~user."]))) == "Type `a` and ^ for x^2, see ~user."


@pytest.mark.parametrize(
    ("before", "raised", "after", "text"),
    [
        ("tarification", "1", " progressive", "tarification ¹ progressive"),
        ("an area of 12 m", "2", " in all", "an area of 12 m² in all"),
        ("some 10", "3", " trees", "some 10³ trees"),
        ("in 2019.", "12", " Since", "in 2019. ¹² Since"),
        ("W m", "-2", " here", "W m⁻² here"),
    ],
)
def test_a_superscript_is_no_part_of_the_word_before(before: str, raised: str, after: str, text: str) -> None:
    stream = f"BT /F1 11 Tf 72 770 Td ({before}) Tj /F1 7 Tf 4 Ts ({raised}) Tj /F1 11 Tf 0 Ts ({after}) Tj ET"
    assert text in text_of(read(stream))


def test_numbers_on_the_line_are_no_superscripts() -> None:
    text = "In (2018) see 10.5/x12 and CO2, p12, A4, v1.2."
    assert text_of(read(lines([text]))) == text


# Running lines --------------------------------------------------------------------------------------------------------


def test_articles_one_a_page_keep_their_headings() -> None:
    pages = [
        lines([f"Article {n}", f"The {word} rule is this."]) for n, word in ((1, "first"), (2, "second"), (3, "third"))
    ]
    assert [f"Article {n}" in text_of(read(*pages)) for n in (1, 2, 3)] == [True] * 3


@pytest.mark.parametrize("count", [2, 3, 12])
def test_rows_that_differ_in_their_numbers_stay(count: int) -> None:
    pages = [lines([f"Row {n}: paid {n * 10}.00 euros", f"Word {n}", f"Balance {n * 7}"]) for n in range(1, count + 1)]
    parsed = read(*pages)
    assert all(f"Balance {n * 7}" in text_of(parsed) for n in range(1, count + 1))
    assert parsed.reading.left_out == {}


@pytest.mark.parametrize(
    "label", ["{n}", "- {n} -", "Page {n}", "page {n} of 4", "{n} / 4", "p. {n}", "Seite {n} von 4"]
)
def test_page_numbers_are_left_out(label: str) -> None:
    pages = [lines([f"Text of sheet {word}."]) + at(300, 30, label.format(n=n)) for n, word in enumerate("abcd", 1)]
    parsed = read(*pages)
    assert text_of(parsed).split("\n\n") == [f"Text of sheet {word}." for word in "abcd"]
    assert set(parsed.reading.left_out) == {"page numbers"}


def test_a_header_is_kept_once_and_does_not_break_a_sentence() -> None:
    head = at(72, 810, "Annals of the valley, volume 4") + at(72, 40, "Printed by the commune")
    full = "The wheel of the mill turns from dawn to dusk, whenever the water of the"
    pages = [head + lines([full]), head + lines(["River is high enough for it."]), head + lines(["The end."])]
    parsed = read(*pages)
    assert text_of(parsed).count("Annals of the valley") == 1
    assert text_of(parsed).count("Printed by the commune") == 1
    texts = [each.text for each in chunk("d", parsed, 1000, 0)]
    assert f"{full} River is high enough for it." in " ".join(texts)


def test_what_each_page_says_below_its_heading_is_text_and_no_running_line() -> None:
    """Forms and minutes say the same on every page; what stands between them and the edge is another each time."""
    said = ["The board met in the town hall at eight.", "All of its members were there in time."]
    pages = [
        at(72, 810, "Minutes of the society") + lines([f"Meeting of {month}", *said])
        for month in ("May", "June", "July")
    ]
    parsed = read(*pages)
    assert text_of(parsed).count(" ".join(said)) == 3
    assert parsed.reading.left_out == {"repeated lines": 8}


@pytest.mark.parametrize("author", ["anonymous", "(anonymous)", "unknown"])
def test_a_name_that_a_program_made_up_is_no_author(author: str) -> None:
    assert "authors" not in read(lines(["A charter", "Pencils only."]), author=author, title=author).metadata


def test_two_pages_are_not_enough_for_a_running_line() -> None:
    pages = [lines(["Payment is due in May.", f"Text {word}."]) for word in ("one", "two")]
    assert text_of(read(*pages)).count("Payment is due in May.") == 2


# Outline --------------------------------------------------------------------------------------------------------------


def test_a_wrapped_heading_is_found_and_one_that_is_not_there_blocks_nothing() -> None:
    page = lines(["2 Methods for counting the trees of the", "northern slopes", "Trees were counted.", "3 Results",
                  "There are eleven thousand."])  # fmt: skip
    outline = [("Methods for counting the trees of the northern slopes", 0, None), ("Not on the page", 0, None),
               ("Results", 0, None)]  # fmt: skip
    found = [(each.heading, each.text) for each in read(page, outline=outline).sections]
    assert found == [(f"2 {outline[0][0]}", "Trees were counted."), ("3 Results", "There are eleven thousand.")]


def test_a_heading_that_is_a_picture_is_found_by_its_place() -> None:
    page = at(72, 770, "Old text.") + at(72, 600, "New text.")
    sections = read(page, outline=[("Drawn heading", 0, 650)]).sections
    assert [(each.heading, each.text) for each in sections] == [("", "Old text."), ("Drawn heading", "New text.")]


def test_an_entry_that_points_to_the_place_of_another_belongs_to_its_line() -> None:
    pages = [
        lines(["Need", "Nets wear out.", "They are mended"]),
        lines(["by hand in spring.", "References", "Roe, A. Nets."]),
    ]
    outline = [("Need", 0, 780.0), ("References", 0, 780.0)]
    found = [(each.heading, each.text) for each in read(*pages, outline=outline).sections]
    assert [heading for heading, _ in found] == ["Need", "Need", "References"]
    assert found[-1][1] == "Roe, A. Nets."


# Title and description ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title",
    ["Microsoft Word - projet_v3.doc", "untitled", "10811.exe", "report_final.indd", "", "Document1",
     "PowerPoint Presentation", "Sans titre", "/home/x/paper.tex", "20240101",
     "Microsoft PowerPoint - SPECIAL AGENDA 04.ppt", "C:\\temp\\x.doc"],
)  # fmt: skip
def test_a_title_that_a_program_made_up_gives_way(title: str) -> None:
    page = (
        at(72, 800, "Ref. 22", 9)
        + at(72, 770, "Charter of the", 20)
        + at(72, 745, "reading room", 20)
        + lines(["Be silent."], top=700)
    )
    assert read(page, title=title).title == "Charter of the reading room"


@pytest.mark.parametrize("title", ["Rapport annuel 2023", "The mill", "CO2 in 1990", "L'eau"])
def test_a_real_title_stays(title: str) -> None:
    assert read(lines(["Text."]), title=title).title == title


def test_a_title_page_is_described() -> None:
    page = (
        at(72, 770, "The price of water", 20)
        + lines(["Ada Roe, Jean-Pierre Poe and Zoe van Doe", "Department of Water, University of the Valley"], top=740)
        + lines(
            ["Journal of Water, 12(3), 44-58. https://doi.org/10.1234/jw.2021.44", "Published: 3 May 2021"], top=690
        )
        + lines(["References", "Doe, J. (1999). Other. https://doi.org/10.9999/other"], top=200)
    )
    assert read(page).metadata == {
        "authors": ["Ada Roe", "Jean-Pierre Poe", "Zoe van Doe"],
        "year": 2021,
        "doi": "10.1234/jw.2021.44",
    } | ({"journal": "Journal of Water"} if "journal" in read(page).metadata else {})


def test_what_is_not_plain_is_not_said() -> None:
    page = at(72, 770, "The price of water", 20) + lines(["A report for the city council, in two parts"], top=740)
    assert read(page, author="user").metadata == {}
    assert read(page, author="Ada Roe; Bob Poe").metadata == {"authors": ["Ada Roe", "Bob Poe"]}


@pytest.mark.parametrize("stamp", ["DRAFT", "Confidentiel", "Harbour board"])
def test_a_watermark_is_no_title(stamp: str) -> None:
    page = (
        at(150, 700, stamp, 60)
        + at(72, 770, "The price of water", 20)
        + lines(["Water is dear.", "It rains."], top=600)
    )
    other = at(150, 700, stamp, 60) + lines(["Wells are deep.", "They are dug."], top=600)
    assert read(page, other).title == "The price of water"


def test_the_head_of_a_table_is_no_list_of_authors() -> None:
    rows = ["Port Lorient, Port Brest, Saint Malo", "120 140 99", "133 120 87"]
    assert "authors" not in read(at(72, 770, "Cod landed", 20) + lines(rows, top=740)).metadata
    named = ["Ada Roe, Jean Poe, Zoe Doe", "Department of Fish, 12 Quay", "We count cod."]
    assert read(at(72, 770, "Cod landed", 20) + lines(named, top=740)).metadata["authors"][0] == "Ada Roe"


# Forms and notes ------------------------------------------------------------------------------------------------------


def test_the_values_of_a_form_follow_their_labels() -> None:
    page = (
        at(72, 700, "Name of boat:") + at(72, 670, "Berth:") + at(72, 640, "Insured:") + at(72, 610, "Rules are read.")
    )
    fields = [
        "/FT /Tx /T (boat) /V (Blue Heron) /Rect [200 695 400 710]",
        "/FT /Ch /T (berth) /V (Pontoon C) /Opt [(Pontoon B) (Pontoon C)] /Ff 131072 /Rect [200 665 400 680]",
        "/FT /Btn /T (insured) /V /Yes /AS /Yes /Rect [200 635 212 647] /AP << /N << /Yes 3 0 R /Off 3 0 R >> >>",
        "/FT /Tx /T (secret) /V (Hidden value) /F 2 /Rect [200 605 400 620]",
        "/FT /Tx /T (password) /V (hunter2) /Ff 8192 /Rect [200 575 400 590]",
    ]
    text = text_of(read(page, fields=fields))
    assert text == "Name of boat: Blue Heron\n\nBerth: Pontoon C\n\nInsured: [x]\n\nRules are read."


def test_typed_notes_are_read_and_remarks_counted() -> None:
    notes = [
        "/Subtype /FreeText /Contents (The old pear tree stays.) /Rect [100 500 300 520] /DA (/F1 11 Tf 0 g)",
        "/Subtype /Text /Contents (Ask the mayor) /Rect [100 400 120 420]",
        "/Subtype /FreeText /Contents (Not shown) /F 2 /Rect [100 300 300 320] /DA (/F1 11 Tf 0 g)",
    ]
    parsed = read(lines(["Plan of the garden."]), annotations=notes)
    assert text_of(parsed) == "Plan of the garden.\n\nThe old pear tree stays."
    assert parsed.reading.left_out == {"remarks": 3}


def test_a_font_without_meaning_is_refused_and_a_page_of_it_named() -> None:
    codes = "".join(f"\\{n:03o}" for n in range(1, 31))
    names = f"<< /Type /Encoding /Differences [1 {' '.join(f'/g{n}' for n in range(1, 31))}] >>"
    rubbish = f"BT /F1 11 Tf 72 770 Td ({codes}) Tj ET"
    with pytest.raises(UnreadableDocument, match="does not say which characters"):
        read(rubbish, encoding=names)


# Citations ------------------------------------------------------------------------------------------------------------


def test_what_is_quoted_stands_on_its_own_page() -> None:
    pages = [lines(["The commune takes its water from three springs on the slope."]),
             lines(["The keeper writes the level into a green notebook that is kept in the"]),
             lines(["town hall. The fire brigade may take water without asking."])]  # fmt: skip
    [only] = chunk("d", read(*pages), 1000, 150)
    assert only.page == 1
    assert only.page_of("The commune takes its water") == 1
    assert only.page_of("writes the level into a green notebook that is kept in the town hall.") == 2
    assert only.page_of("The fire  brigade\nmay take water") == 3
    assert only.page_of("words of another document") == 1


def test_a_word_broken_overleaf_is_one_word() -> None:
    pages = [lines(["The committee of the valley has examined the vulner-"]), lines(["ability of the plants."])]
    [only] = chunk("d", read(*pages), 1000, 150)
    assert only.text == "The committee of the valley has examined the vulnerability of the plants."
    assert only.page_of("ability of the plants") == 2


def test_what_the_file_says_of_glyphs_is_not_read_in_place_of_them() -> None:
    said = "/Span <</ActualText (Pay nothing at all)>> BDC BT /F1 11 Tf 50 650 Td (Pay the rent) Tj ET EMC"
    assert text_of(read(lines(["The lease of the mill."]) + said)) == "The lease of the mill. Pay the rent"
