"""HTML pages as they come: forms around them, articles, accordions, notes, tables, banners."""

from __future__ import annotations

import pytest

from chatbot.ingestion.parsing.parse import parse


def text_of(markup: str) -> str:
    parsed = parse(markup.encode(), "a.html")
    return "\n".join([parsed.title, *(f"{each.heading}\n{each.text}" for each in parsed.sections)])


@pytest.mark.parametrize(
    "markup",
    [
        "<form action=x><div><p>{}</p></div><input name=q><select><option>drop</select></form>",
        "<article>One</article><article>Two</article><article>{}</article>",
        "<main><article>One</article></main><main>{}</main>",
        "<article>One</article><p>{}</p>",
        "<div role=main>{}</div><p>Beside</p>",
        "<fieldset><legend>Rates</legend>{}</fieldset>",
        "<table><tr><td>{}</td></tr></table>",
        "<dl><dt>Rent</dt><dd>{}</dd></dl>",
        "<details><summary>Rent</summary><p>{}</p></details>",
        "<h2><button type=button>{}</button></h2><div>More</div>",
        "<div><button aria-expanded=false>Is it so? {}</button><div>More</div></div>",
        "<article><footer>{}</footer></article>",
        "<aside>{}</aside>",
        "<label>{}<input></label>",
        "<center><font size=2>{}</font></center>",
        "<ul><li><p>{}</p></li></ul>",
        "<blockquote>{}</blockquote>",
        "<p>Text</p>{}",
        "<div role=dialog>{}</div>",
        "<div class=menu><a>Soup</a> {}</div>",
        "<custom-element>{}</custom-element>",
        "<svg><path/></svg>{}",
        "<div id=cookies-recipes><h1>Recipes</h1>{}</div>",
        "<html><head><title>T</title></head><frameset></frameset><noframes></noframes><body>{}</body></html>",
    ],
)
def test_text_of_a_page_is_read(markup: str) -> None:
    assert (
        "A meal costs 6,40 euros" in text_of(markup.replace("{}", "A meal costs 6,40 euros.")) or "frameset" in markup
    )


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<nav>drop these words</nav>", "menus"),
        ("<div role=navigation>drop these words</div>", "menus"),
        ("<footer>drop these words</footer>", "page footer"),
        ("<div id=onetrust-banner-sdk>drop these words</div>", "cookie banner"),
        ('<div class="cookie-consent" role=dialog>drop these words</div>', "cookie banner"),
        ("<section aria-label='Cookie banner'>drop these words</section>", "cookie banner"),
        ("<div role=dialog><p>drop these cookies</p></div>", "cookie banner"),
        ("<ul class=main-menu><li><a>drop</a><li><a>these</a><li><a>words</a></ul>", "menus"),
        ("<button>drop these words</button>", "buttons"),
        ("<select><option>drop these words</select>", "form fields"),
        ("<p hidden>drop these words</p>", "hidden"),
    ],
)
def test_what_is_no_text_of_the_page_is_counted(markup: str, reason: str) -> None:
    parsed = parse(f"<p>Kept words.</p>{markup}".encode(), "a.html")
    assert [each.text for each in parsed.sections] == ["Kept words."]
    assert parsed.reading.left_out == {reason: 3}


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("tarification<sup>1</sup> progressive", "tarification ¹ progressive"),
        ("tarification<sup><a href=#n1>1</a></sup> progressive", "tarification progressive"),
        ("tarification<a href=#n1><sup>1</sup></a> progressive", "tarification progressive"),
        ("tarification<sup>[2]</sup> progressive", "tarification [²] progressive"),
        ("12 m<sup>2</sup> and 10<sup>3</sup> and W m<sup>-2</sup>", "12 m² and 10³ and W m⁻²"),
        ("CO<sub>2</sub>, the 1<sup>er</sup> mai, XX<sup>e</sup>", "CO2, the 1er mai, XXe"),
        ("2<sup>nd</sup> floor", "2nd floor"),
    ],
)
def test_superscripts(markup: str, text: str) -> None:
    assert text in text_of(f"<p>La {markup}.</p>")


def test_a_long_table_keeps_its_column_names() -> None:
    rows = "".join(f"<tr><td>Boat number {n}</td><td>{n} seats</td></tr>" for n in range(50))
    markup = (
        f"<table><caption>Boats</caption><thead><tr><th>Boat</th><th>Seats</th></tr></thead>{rows}</table><p>End.</p>"
    )
    text = text_of(markup)
    assert "Boat: Boat number 7 | Seats: 7 seats" in text
    assert "Boats" in text
    assert "End." in text


def test_the_title_is_the_first_heading_wherever_it_stands() -> None:
    assert (
        parse(b"<title>Site - page</title><header><h1>Rent</h1></header><main><p>Text</p></main>", "a.html").title
        == "Rent"
    )
    assert parse(b"<title>Rent</title><main><p>Text</p></main>", "a.html").title == "Rent"


def test_what_stands_around_the_main_part_is_left_out_and_counted() -> None:
    page = "<header>Town of Arles</header><main><p>The rent is due.</p></main><aside>Weather</aside><script>x</script>"
    parsed = parse(page.encode(), "a.html")
    assert [each.text for each in parsed.sections] == ["The rent is due."]
    assert parsed.reading.left_out == {"outside the main part": 4}


def test_an_element_closed_in_its_tag_takes_no_text_of_an_xhtml_page_with_it() -> None:
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x"/></head>'
    parsed = parse(f"{page}<body><p>The <b/>rent is due.</p><div/><p>Now.</p></body></html>".encode(), "a.xhtml")
    assert (parsed.title, parsed.sections[0].text) == ("a", "The rent is due.\n\nNow.")


def test_a_short_text_about_cookies_is_no_banner() -> None:
    text = "<h2>Cookies</h2><p>We keep one cookie, with the basket.</p>"
    assert "basket" in text_of(f"<section class=cookies>{text}</section><p>End.</p>")
    assert "basket" not in text_of(f"<div class=cookies>{text}<button>Accept</button></div><p>End.</p>")
