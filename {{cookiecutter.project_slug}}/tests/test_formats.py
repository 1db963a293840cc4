"""Each format from its file to an answer: what a citation says of its place leads a reader there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatbot.ingestion.parsing import ocr
from chatbot.ingestion.parsing.pdf_page import draw
from tests.processes import chatbot, serving
from tests.test_end_to_end import Bot
from tests.unit import office, pdfs
from tests.unit.test_parse_formats import mail, odt, row, text

pytestmark = pytest.mark.slow

SHEET = row(1, text("A1", "Boat"), text("B1", "Berth")) + "".join(
    row(n + 2, text(f"A{n + 2}", name), text(f"B{n + 2}", f"Pontoon {berth}"))
    for n, (name, berth) in enumerate({"Heron": "C17", "Otter": "D3", "Cormorant": "A9"}.items())
)
BOOK = (
    '<package xmlns:dc="urn:dc"><metadata><dc:title>The mill</dc:title></metadata><manifest>'
    '<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/></manifest>'
    '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
)
CHAPTERS = {
    "one.xhtml": "<h1>The weir</h1><p>The weir was rebuilt with oak beams after the flood.</p>",
    "two.xhtml": "<h1>The miller’s house</h1><p>The miller’s house has eleven rooms and a bread oven.</p>",
}
TEX = r"""\documentclass{article}\newcommand{\lake}{Lake Orne}\title{Ponds}\begin{document}
\section{Methods}Water was sampled each Monday.\section{D\'ebits mesur\'es}
The discharge of \lake{} was 42\,litres a second in the dry summer.\end{document}"""
REPORT = pdfs.document(
    [
        pdfs.lines(["The library lends books to all who live in the valley."]),
        pdfs.lines(["The reading room closes at nine in the evening on Thursdays."]),
    ]
)
SCANNED = draw(
    pdfs.document([pdfs.lines(["The bell of the chapel was cast in 1838."], size=20, leading=30)]), "a.pdf", 1
)

FILES = {
    "bylaws.odt": odt(
        '<text:h text:outline-level="1">Bylaws</text:h><text:p>Members elect a board.</text:p>'
        '<text:h text:outline-level="2">Quorum</text:h><text:p>The quorum of the assembly is thirty members.</text:p>'
    ),
    "harbour.pptx": office.slides(
        office.shape("The harbour", "title") + office.shape("Ships come at high tide."),
        office.shape("Dredging", "title", 1) + office.shape("Dredging takes away 900 tonnes of silt a year.", top=3),
    ),
    "fleet.xlsx": office.workbook({"Berths": f"<sheetData>{SHEET}</sheetData>"}),
    "orchard.csv": "Variety;Harvested\nReinette;41,5 crates\nCalville;218 crates\n".encode("cp1252"),
    "mill.epub": office.archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfile full-path="b/c.opf"/></container>',
            "b/c.opf": BOOK,
            **{f"b/{name}": f"<html><body>{body}</body></html>" for name, body in CHAPTERS.items()},
        }
    ),
    "lease.rtf": rb"{\rtf1\ansi\pard\outlinelevel0 Lease\par\pard The caf\'e9's deposit is two months of rent.\par}",
    "meeting.eml": mail(
        "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nThe glaciers committee meets in Chamonix.",
        subject="Glaciers committee",
    ),
    "ponds.tex": TEX.encode(),
    "library.pdf": REPORT,
}
ASKED = {
    "bylaws.odt": ("What is the quorum of the assembly?", "thirty members", "Quorum", None),
    "harbour.pptx": ("How much silt does dredging take away?", "900 tonnes", "Slide 2: Dredging", None),
    "fleet.xlsx": ("Where is the berth of the Otter?", "Row 3 | Boat: Otter | Berth: Pontoon D3", "Berths", None),
    "orchard.csv": ("How much Reinette was harvested?", "Row 2 | Variety: Reinette | Harvested: 41,5 crates", "", None),
    "mill.epub": ("How many rooms has the miller's house?", "eleven rooms", "The miller’s house", None),
    "lease.rtf": ("How much is the café's deposit?", "two months of rent", "", None),
    "meeting.eml": ("Where does the glaciers committee meet?", "Chamonix", "", None),
    "ponds.tex": ("What was the discharge of Lake Orne?", "42 litres a second", "Débits mesurés", None),
    "library.pdf": ("When does the reading room close on Thursdays?", "nine in the evening", "", 2),
}
"""By file: a question, words of the quote that answers it, and where the citation says that they stand: under which
heading, on which page."""


@pytest.fixture
def bot(environ: dict[str, str]) -> Iterator[Bot]:
    with serving(environ) as (web, client), chatbot("worker", environ=environ):
        yield Bot({"web": web}, client)


def test_each_format_is_answered_from_and_cited_where_its_readers_find_it(bot: Bot) -> None:
    uploads = {name: bot.upload(content, name) for name, content in FILES.items()}
    assert {name: bot.done(each)["state"] for name, each in uploads.items()} == dict.fromkeys(FILES, "succeeded")
    found = {}
    for name, (question, words, _, _) in ASKED.items():
        answer = bot.client.post("/v1/chat", json={"question": question}).json()
        citation = next((each for each in answer["citations"] if each["source"] == name), {})
        said = words if words in citation.get("quote", "") else answer["answer"]
        found[name] = (question, said, citation.get("heading"), citation.get("page"))
    assert found == ASKED
    library = uploads["library.pdf"].json()["document"]
    assert library["page_images"]
    page = bot.client.get(f"/v1/documents/{library['id']}/pages/2", params={"quote": ASKED["library.pdf"][1]})
    assert page.content == draw(REPORT, "library.pdf", 2, ASKED["library.pdf"][1])


def test_a_scan_is_answered_from_where_tesseract_is_installed_and_says_so_where_not(bot: Bot) -> None:
    job = bot.done(bot.upload(SCANNED, "bell.png"))
    if not ocr.is_installed():
        assert (job["state"], "install Tesseract" in job["error"]) == ("failed", True)
        return
    assert job["state"] == "succeeded"
    answer = bot.client.post("/v1/chat", json={"question": "When was the bell of the chapel cast?"}).json()
    assert "1838" in answer["citations"][0]["quote"]
