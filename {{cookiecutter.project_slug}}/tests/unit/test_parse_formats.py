"""Presentations, workbooks, OpenDocument, books, RTF, e-mail, LaTeX, CSV, scans: what is read of them."""

from __future__ import annotations

import base64

import pytest

from chatbot.domain import ParsedDocument, UnreadableDocument
from chatbot.ingestion.chunk import chunk
from chatbot.ingestion.parsing import ocr
from chatbot.ingestion.parsing.parse import parse
from tests.unit.office import archive, relations, shape, slides, workbook
from tests.unit.pdfs import document


def sections(parsed: ParsedDocument) -> list[tuple[str, str]]:
    return [(each.heading, each.text) for each in parsed.sections]


# PowerPoint -----------------------------------------------------------------------------------------------------------


def test_slides_are_read_top_to_bottom_under_their_numbers() -> None:
    first = shape("Lower", top=9) + shape("Upper", top=3) + shape("7", "sldNum") + shape("The port", "title")
    parsed = parse(slides(first, shape("Silt goes to Fos"), notes="Say that it is dear."), "a.pptx")
    assert (parsed.title, parsed.pages) == ("The port", 2)
    assert sections(parsed) == [
        ("Slide 1: The port", "Upper\n\nLower\n\nNotes: Say that it is dear."),
        ("Slide 2", "Silt goes to Fos"),
    ]


def test_tables_groups_and_hidden_slides() -> None:
    cells = "".join(
        f"<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>" for text in ("Crane", "9000")
    )
    table = f"<p:graphicFrame><a:tbl><a:tr>{cells}</a:tr></a:tbl></p:graphicFrame>"
    parsed = parse(slides(f"<p:grpSp>{shape('In a group')}</p:grpSp>{table}", shape("Not shown"), hidden=1), "a.pptx")
    assert sections(parsed) == [("Slide 1", "In a group\n\nCrane | 9000")]
    assert parsed.reading.left_out == {"in hidden slides": 2}


# Excel and CSV --------------------------------------------------------------------------------------------------------

STYLES = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs>'


def row(number: int, *cells: str, attributes: str = "") -> str:
    return f'<row r="{number}" {attributes}>{"".join(cells)}</row>'


def text(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def number(place: str, value: str, style: int = 0) -> str:
    return f'<c r="{place}" s="{style}"><v>{value}</v></c>'


def test_a_row_has_its_column_names_and_its_number() -> None:
    data = (
        row(1, text("A1", "Prices of the harbour"))
        + row(3, text("A3", "Boat"), text("B3", "Seats"), text("D3", "Since"))
        + row(4, text("A4", "Heron"), number("B4", "4"), number("D4", "45413", 1))
        + row(9, '<c r="A9" t="s"><v>0</v></c>', number("B9", "0.30000000000000004"), '<c r="D9" t="b"><v>1</v></c>')
    )
    parsed = parse(
        workbook({"Prices": f"<sheetData>{data}</sheetData>"}, "<si><t>Ot</t><r><t>ter</t></r></si>", STYLES), "a.xlsx"
    )
    assert sections(parsed) == [
        (
            "Prices",
            "Prices of the harbour\n\nColumns: Boat | Seats | Since\n\n"
            "Row 4 | Boat: Heron | Seats: 4 | Since: 2024-05-01\n\n"
            "Row 9 | Boat: Otter | Seats: 0.3 | Since: true",
        )
    ]


def test_a_second_table_of_a_sheet_has_its_own_column_names() -> None:
    rows = [["Cats", "Age"], ["Tom", "3"], ["", ""], ["Kit", "4"], [], ["Dogs", "Weight"], ["Rex", "31"]]
    parsed = parse("\n".join(",".join(row) for row in rows).encode(), "a.csv")
    assert sections(parsed)[0][1].split("\n\n") == [
        "Columns: Cats | Age",
        "Row 2 | Cats: Tom | Age: 3",
        "Row 4 | Cats: Kit | Age: 4",
        "Columns: Dogs | Weight",
        "Row 7 | Dogs: Rex | Weight: 31",
    ]


def test_a_cell_merged_over_rows_is_true_of_each_and_what_is_not_read_is_told() -> None:
    data = (
        row(1, text("A1", "Region"), text("B1", "Share"))
        + row(2, text("A2", "North"), number("B2", "0.125", 3))
        + row(3, '<c r="A3"/>', '<c r="B3"><f>SUM(B1:B2)</f><v></v></c>', text("XFD3", "far away"))
        + row(1_000_000, text("A1000000", "far below"), number("B1000000", "2"))
    )
    merged = '<mergeCells><mergeCell ref="A2:A3"/><mergeCell ref="B1:XFD1048576"/></mergeCells>'
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="9"/><xf numFmtId="10"/></cellXfs>'
    parsed = parse(workbook({"S": f"<sheetData>{data}</sheetData>{merged}"}, styles=styles), "a.xlsx")
    assert sections(parsed)[0][1].split("\n\n")[1:] == [
        "Row 2 | Region: North | Share: 12.5%",
        "Row 1000000 | Region: far below | Share: 2",
    ]
    assert parsed.reading.notes == (
        "formulas without a value: 1; open the file and save it again",
        "cells not read, beyond column 1,000 or cell 2,000,000: 1",
    )


CHART = (
    '<c:chartSpace xmlns:c="urn:c" xmlns:a="urn:a"><c:chart><c:title><a:t>Silt taken away</a:t></c:title>'
    "<c:ser><c:tx><c:v>Tonnes</c:v></c:tx><c:cat><c:pt><c:v>2023</c:v></c:pt><c:pt><c:v>2024</c:v></c:pt></c:cat>"
    "<c:val><c:pt><c:v>900</c:v></c:pt><c:pt><c:v>750</c:v></c:pt></c:val></c:ser></c:chart></c:chartSpace>"
)


def test_the_figures_of_a_chart_are_read() -> None:
    parts = {
        "ppt/charts/chart1.xml": CHART,
        "ppt/slides/_rels/slide0.xml.rels": relations({"../charts/chart1.xml": "chart"}),
    }
    parsed = parse(slides(shape("Dredging"), more=parts), "a.pptx")
    assert sections(parsed) == [("Slide 1", "Dredging\n\nSilt taken away\n\n | Tonnes\n\n2023 | 900\n\n2024 | 750")]


def test_hidden_sheets_rows_and_columns_are_counted() -> None:
    data = (
        '<cols><col min="2" max="2" hidden="1"/></cols><sheetData>'
        + row(1, text("A1", "Name"), text("B1", "salary"), text("C1", "Role"))
        + row(2, text("A2", "Roe"), text("B2", "secret"), text("C2", "skipper"))
        + row(3, text("A3", "Gone"), text("C3", "gone"), attributes='hidden="1"')
        + "</sheetData>"
    )
    parsed = parse(
        workbook(
            {"Staff": data, "Old": f"<sheetData>{row(1, text('A1', 'Older'))}</sheetData>"}, states={"Old": "hidden"}
        ),
        "a.xlsx",
    )
    assert sections(parsed) == [("Staff", "Columns: Name | Role\n\nRow 2 | Name: Roe | Role: skipper")]
    assert parsed.reading.left_out == {"in hidden rows": 4, "in hidden sheets": 2}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_csv_of_any_delimiter_and_encoding(delimiter: str, encoding: str) -> None:
    rows = [["Bateau", "Prix d’été", "Note"], ["Héron", "12,50", 'dit "le vieux"'], ["Loutre", "9,00", "à quai; à sec"]]
    quoted = "\r\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    parsed = parse(quoted.encode(encoding), "a.csv")
    assert sections(parsed)[0][1].split("\n\n")[1:] == [
        'Row 2 | Bateau: Héron | Prix d’été: 12,50 | Note: dit "le vieux"',
        "Row 3 | Bateau: Loutre | Prix d’été: 9,00 | Note: à quai; à sec",
    ]


def test_each_part_of_a_long_sheet_can_be_understood_alone() -> None:
    content = "Boat,Seats\n" + "".join(f"Boat number {n},{n}\n" for n in range(200))
    chunks = chunk("d", parse(content.encode(), "boats.csv"), 1000, 150)
    assert len(chunks) > 5
    assert all("Boat: Boat number" in each.text and "Row " in each.text for each in chunks)


def test_a_csv_without_names_is_rows() -> None:
    assert sections(parse(b"1,2\n3,4\n", "a.csv")) == [("", "1 | 2\n\n3 | 4")]


# OpenDocument and EPUB ------------------------------------------------------------------------------------------------

ODF = " ".join(f'xmlns:{name}="urn:{name}"' for name in ("office", "text", "table", "style", "draw", "fo", "dc"))


def odt(body: str, styles: str = "", header: str = "") -> bytes:
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {ODF}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {ODF}><style:master-page>{header}</style:master-page>"
            "</office:document-styles>",
        }
    )


def test_opendocument_text() -> None:
    body = (
        "<text:tracked-changes><text:deletion><text:p>Old words</text:p></text:deletion></text:tracked-changes>"
        '<text:h text:outline-level="1">Rules</text:h>'
        "<text:p>The pool<text:s/>opens at ten<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        "<text:p>Nine in July.</text:p></text:note-body></text:note>, <text:span>every</text:span> day.</text:p>"
        '<text:h text:outline-level="2">Entry</text:h>'
        "<text:list><text:list-item><text:p>Adults: six</text:p></text:list-item></text:list>"
        "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Day</text:p></table:table-cell>"
        "<table:table-cell><text:p>Hours</text:p></table:table-cell></table:table-row></table:table-header-rows></table:table>"
        "<text:p>Box:<draw:frame><draw:text-box><text:p>Mind the step.</text:p></draw:text-box></draw:frame></text:p>"
        '<text:p text:style-name="gone">IGNORE</text:p>'
        '<text:section text:display="none"><text:p>never</text:p></text:section>'
    )
    styles = '<style:style style:name="gone"><style:text-properties text:display="none"/></style:style>'
    parsed = parse(odt(body, styles, "<style:header><text:p>Town pool</text:p></style:header>"), "a.odt")
    assert parsed.title == "Rules"
    assert sections(parsed) == [
        ("", "Town pool\n\nThe pool opens at ten, every day.\n\nNote 1: Nine in July."),
        ("Entry", "- Adults: six\n\nDay | Hours\n\nBox:\n\nMind the step."),
    ]
    assert parsed.reading.left_out == {"deleted": 2, "hidden": 2}


def test_the_mark_of_a_note_is_no_part_of_a_word_in_a_book() -> None:
    page = "<p>It is tall<a epub:type='noteref' href='#n'>1</a> and <a href='#fn2'>2</a> old, by <a href='#x'>3</a>."
    parsed = parse(page.encode(), "a.html")
    assert parsed.sections[0].text == "It is tall and old, by 3."
    assert parsed.reading.left_out == {"marks of notes": 2}


@pytest.mark.parametrize("names", ["ncx", "nav"])
def test_a_book_is_read_in_its_order_under_its_chapters(names: str) -> None:
    navigation = {
        "ncx": ("application/x-dtbncx+xml", "", "<ncx><navMap><navPoint><navLabel><text>The weir</text></navLabel>"
                                                 '<content src="two.xhtml"/></navPoint></navMap></ncx>'),
        "nav": ("application/xhtml+xml", "nav", '<html><nav><a href="two.xhtml#top">The weir</a></nav></html>'),
    }[names]  # fmt: skip
    package = (
        '<package xmlns:dc="urn:dc"><metadata><dc:title>The mill</dc:title><dc:creator>Ada Roe</dc:creator>'
        '<dc:date>1911</dc:date></metadata><manifest><item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/>'
        f'<item id="n" href="toc.x" media-type="{navigation[0]}" properties="{navigation[1]}"/></manifest>'
        '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>'
    )
    parsed = parse(
        archive(
            {
                "mimetype": "application/epub+zip",
                "META-INF/container.xml": '<container><rootfile full-path="b/c.opf"/></container>',
                "b/c.opf": package,
                "b/toc.x": navigation[2],
                "b/one.xhtml": "<html><body><h1>The wheel</h1><p>It turns at dawn.</p></body></html>",
                "b/two.xhtml": "<html><body><p>It is two metres high.</p></body></html>",
            }
        ),
        "a.epub",
    )
    assert (parsed.title, parsed.metadata) == ("The mill", {"authors": ["Ada Roe"], "year": 1911})
    assert sections(parsed) == [("The weir", "It is two metres high."), ("The wheel", "It turns at dawn.")]


# RTF, e-mail, LaTeX ---------------------------------------------------------------------------------------------------


def test_rtf() -> None:
    content = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset204 Times;}}"
        rb"{\info{\title The lease}{\author Ada Roe}}"
        rb"\pard\outlinelevel0 Rent of the caf\'e9\par\pard The rent is 18\u8239?400 euros{\v  IGNORE}, due {\b now}"
        rb"{\footnote \pard Paid late.}.\par\trowd\intbl Notice\cell Nine months\cell\row"
        rb"\trowd\intbl Court\cell Arles\cell\row"
        rb"\pard {\f1 \'cf\'f0\'e8}\~m\'e8tre\line on {\*\unknown gone}{\fs2 tiny }end.\par}"
    )
    parsed = parse(content, "a.rtf")
    assert (parsed.title, parsed.metadata) == ("The lease", {"authors": ["Ada Roe"]})
    assert sections(parsed) == [
        (
            "Rent of the café",
            "The rent is 18 400 euros, due now.\n\nNote: Paid late.\n\nNotice | Nine months\n\nCourt | Arles\n\n"
            "При mètre on end.",
        )
    ]
    assert parsed.reading.left_out == {"hidden": 2}


def test_a_character_in_two_halves_is_one() -> None:
    assert (
        parse(rb"{\rtf1\ansi The boat \u-10179?\u-8704? sails.\par}", "a.rtf").sections[0].text == "The boat 😀 sails."
    )


def mail(*parts: str, subject: str = "=?utf-8?q?R=C3=A9union?=") -> bytes:
    head = (
        f"From: =?utf-8?q?Ad=C3=A8le_Roe?= <a@example.org>\r\nTo: board@example.org\r\nSubject: {subject}\r\n"
        "Date: Mon, 06 May 2024 10:00:00 +0200\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    )
    return (head + "".join(f"--x\r\n{part}\r\n" for part in parts) + "--x--\r\n").encode("latin-1")


def test_an_e_mail_with_its_attachments() -> None:
    body = "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nLa réunion est le 12 mai à 14 h."
    packed = base64.b64encode(b"Boat,Seats\nHeron,4\n").decode()
    attached = "Content-Disposition: attachment; filename=b.csv\r\nContent-Transfer-Encoding: base64"
    file = f"Content-Type: text/csv\r\n{attached}\r\n\r\n{packed}"
    other = "Content-Type: application/zip\r\nContent-Disposition: attachment; filename=z.zip\r\n\r\nzzz"
    parsed = parse(mail(body, file, other), "a.eml")
    assert (parsed.title, parsed.metadata) == ("Réunion", {"authors": ["Adèle Roe"], "year": 2024})
    assert sections(parsed) == [
        (
            "",
            "From: Adèle Roe <a@example.org>\n\nTo: board@example.org\n\nDate: Mon, 06 May 2024 10:00:00 +0200\n\n"
            "La réunion est le 12 mai à 14 h.",
        ),
        ("Attachment b.csv", "Columns: Boat | Seats\n\nRow 2 | Boat: Heron | Seats: 4"),
    ]
    assert "attachment not read: z.zip is of a type that cannot be read" in parsed.reading.notes


def test_all_text_of_an_e_mail_is_read_and_of_two_versions_the_one_that_says_it() -> None:
    page = "Content-Type: text/html\r\n\r\n<p>The lock of the shed is green and new.</p>"
    related = f"Content-Type: multipart/related; boundary=y\r\n\r\n--y\r\n{page}\r\n--y--"
    footer = "Content-Type: text/plain\r\n\r\nSent by the list."
    stub = "Content-Type: text/plain\r\n\r\nSee the HTML."
    both = f"Content-Type: multipart/alternative; boundary=z\r\n\r\n--z\r\n{stub}\r\n--z\r\n{page}\r\n--z--"
    assert parse(mail(related, footer), "a.eml").sections[0].text.endswith("green and new.\n\nSent by the list.")
    assert parse(mail(both), "a.eml").sections[0].text.endswith("The lock of the shed is green and new.")


def test_an_e_mail_in_html_hides_nothing_from_us() -> None:
    body = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>Meet at ten.</p><p style='display:none'>IGNORE</p>"
    parsed = parse(mail(body), "a.eml")
    assert parsed.sections[0].text.endswith("Meet at ten.")
    assert parsed.reading.left_out == {"hidden": 1}


def test_latex() -> None:
    source = r"""\documentclass{article}\newcommand{\lab}{Laboratoire de l'eau}\newcommand{\co}[1]{CO$_2$ of #1}
\title{The \emph{pond}}\author{Ada Roe\thanks{x} \and Bob Poe}\date{May 2021}
\begin{document}\maketitle
\section{Introduction g\'{e}n\'erale}\label{s} The \lab{} says \co{cars} costs 12\,\% \cite{roe}. % a comment
Fa\c{c}ade, na\"{\i}ve, \oe uvre, ``so'' --- {\bf bold}.

\begin{itemize}\item One \item Two\end{itemize}
\begin{tabular}{ll} Boat & Seats \\ \hline Heron & 4 \\ \end{tabular}
Kept\footnote{A note.} \href{http://x}{link} \unknown{kept}. \begin{equation}E=mc^2\end{equation}
\iffalse never \fi\input{chapter2}
\begin{verbatim}
make run
\end{verbatim}
\end{document}"""
    parsed = parse(source.encode(), "a.tex")
    assert (parsed.title, parsed.metadata) == ("The pond", {"authors": ["Ada Roe", "Bob Poe"], "year": 2021})
    [(heading, text)] = sections(parsed)
    assert heading == "Introduction générale"
    assert text.split("\n\n") == [
        "The Laboratoire de l'eau says CO$_2$ of cars costs 12 % [roe]. Façade, naïve, œuvre, “so” — bold.",
        "- One",
        "- Two",
        "Boat | Seats",
        "Heron | 4",
        "Kept link kept.",
        "Note: A note.",
        "E=mc^2",
        "    make run",
    ]
    assert parsed.reading.notes == ("chapter2 is a file of its own, and not in it",)


def test_without_a_title_the_first_heading_of_latex_is_it_whatever_its_level() -> None:
    thesis = r"\begin{document}\chapter*{Rain}It falls.\chapter{Roofs}\section{Slate}It sheds.\end{document}"
    parsed = parse(thesis.encode(), "thesis.tex")
    sections = [(each.heading, each.text) for each in parsed.sections]
    assert (parsed.title, sections) == ("Rain", [("", "It falls."), ("Roofs > Slate", "It sheds.")])


def test_macros_with_arguments_and_definitions_take_no_text_with_them() -> None:
    source = r"""\documentclass{article}\def\foo#1{foo of #1}\newcommand\rate[2][five]{#1 in #2}\let\old\section
\begin{document}\foo{stone}, \rate[six]{ten}, \rate{ten}. \let\x=y Kept before {a group}.
\def\z{no}{\bf Kept} after. \newcommand\q{no}{\it Kept} too.
\begin{theorem}[Euler] It holds.\end{theorem}\end{document}"""
    text = parse(source.encode(), "a.tex").sections[0].text
    assert text.split("\n\n") == [
        "foo of stone, six in ten, five in ten. Kept before a group. Kept after. Kept too.", "Euler", "It holds.",
    ]  # fmt: skip


# Damaged, and scans ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pptx", "a.xlsx", "a.odt", "a.epub", "a.docx"])
def test_an_archive_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(UnreadableDocument, match=f"^{name} is not what its name says: it is a ZIP archive"):
        parse(archive({"x.txt": "x"}), name)


@pytest.mark.parametrize(
    ("name", "mark"),
    [("a.pptx", "ppt/x"), ("a.xlsx", "xl/x"), ("a.docx", "word/x"), ("a.epub", "META-INF/container.xml")],
)
def test_an_archive_that_lacks_its_parts_is_damaged(name: str, mark: str) -> None:
    for parts in ({mark: "<x"}, {mark: "<x/>", "_rels/.rels": relations({"gone.xml": "officeDocument"})}):
        with pytest.raises(UnreadableDocument, match="damaged or was cut short"):
            parse(archive(parts), name)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"{\\rtf1 a}}}", "a.rtf"),
        (b"no headers here", "a.eml"),
        (b"{\\rtf1 }", "a.rtf"),
        (b"\\begin{document}\\end{document}", "a.tex"),
    ],
)
def test_what_is_no_such_document_is_one_sentence(content: bytes, name: str) -> None:
    with pytest.raises(UnreadableDocument, match=f"^{name} [^\n]*\\.$"):
        parse(content, name)


SCAN = "q 595 0 0 842 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q"


def test_a_scan_is_read_by_ocr_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "is_installed", lambda: "tesseract")
    monkeypatch.setattr(
        ocr, "text_of", lambda picture: "The bell was\ncast in 1838.\n" if picture.startswith(b"P5 ") else ""
    )
    parsed = parse(document([SCAN, SCAN]), "a.pdf")
    assert [(each.page, each.text) for each in parsed.sections] == [
        (1, "The bell was cast in 1838."),
        (2, "The bell was cast in 1838."),
    ]
    assert parsed.reading.notes == ("2 pages (1, 2) read by OCR",)


def test_a_scan_is_said_to_need_ocr_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "is_installed", lambda: "")
    with pytest.raises(UnreadableDocument, match="run OCR on it first"):
        parse(document([SCAN]), "a.pdf")
    with pytest.raises(UnreadableDocument, match="install Tesseract"):
        parse(b"\x89PNG\r\n\x1a\n", "a.png")
    text = "BT /F1 11 Tf 72 770 Td (Some text.) Tj ET"
    assert parse(document([text, SCAN]), "a.pdf").reading.notes == ("page 2 without text: a scan needs OCR first",)
