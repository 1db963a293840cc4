"""The chat page: nothing from elsewhere, nothing that runs but its own script, and all its words in both languages."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chatbot.domain import UNEXPLAINED
from chatbot.ingestion import parsing
from chatbot.ingestion.parsing import html, odt
from chatbot.settings import Settings
from chatbot.web.pages import embed, page
from tests.unit.fakes import client_of, fake_services

pytestmark = pytest.mark.slow

NAMES = tuple(page.PATHS)


def files(name: str) -> dict[str, str]:
    """What a page is made of: html, js, and all its words."""
    html = (page.FOLDER / f"{name}.html").read_text("utf-8")
    panel = (page.FOLDER / "source.html").read_text("utf-8")
    js = "".join((page.FOLDER / script).read_text("utf-8") for script in page.SCRIPTS[name])
    return {"html": html.replace("SOURCE_PANEL", panel), "js": js}


WORDS: dict[str, dict[str, dict[str, str]]] = {
    name: json.loads((page.FOLDER / f"{name}.words.json").read_text("utf-8")) for name in (*NAMES, "common")
}


class Tags(HTMLParser):
    """The elements of a page, and the text of those that hold a script or a style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.contents: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.contents.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:  # within a script or a style
            self.contents[-1] += data


async def served(name: str = "chat", **settings: Any) -> tuple[str, str]:
    """The page and its content security policy."""
    async with client_of(fake_services(**settings)) as client:
        response = await client.get(page.PATHS[name])
    return response.text, response.headers["content-security-policy"]


def words_of(text: str) -> dict[str, dict[str, Any]]:
    [found] = re.findall(r'<script type="application/json" id="words">(.*?)</script>', text, re.DOTALL)
    words: dict[str, dict[str, Any]] = json.loads(found)
    return words


@pytest.mark.parametrize("name", NAMES)
async def test_the_policy_names_each_script_and_style_as_a_browser_hashes_it(name: str) -> None:
    text, policy = await served(name)
    tags = Tags(text)
    inline = [
        (tag, content)
        for (tag, attributes), content in zip(tags.found, tags.contents, strict=True)
        if tag in ("script", "style") and "type" not in attributes
    ]
    assert [tag for tag, _ in inline] == ["style", "script"]
    for tag, content in inline:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.count("'sha256-") == 2
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", NAMES)
async def test_nothing_comes_from_elsewhere_and_no_attribute_holds_script_or_style(name: str) -> None:
    text, policy = await served(name)
    for tag, attributes in Tags(text).found:
        assert not [each for each in attributes if each.startswith("on") or each in ("style", "src", "srcset")], tag
        assert attributes.get("href", "#") in ("#question", "privacy", "documents", "./", "data:,", "#")
    assert not re.search(r"@import|url\(|import\(|importScripts|WebSocket|EventSource|sendBeacon", text)
    assert files(name)["js"].count("fetch(") == 1
    assert "connect-src 'self'; img-src data: blob:; base-uri 'none'; form-action 'none'" in policy


@pytest.mark.parametrize("script", sorted(each.name for each in page.FOLDER.glob("*.js")))
def test_text_is_never_made_into_html_or_script(script: str) -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc"
    text = (page.FOLDER / script).read_text("utf-8")
    assert not re.search(ways + r"|\beval\b|\bFunction\(|javascript:", text)


@pytest.mark.parametrize("name", [*NAMES, "common"])
def test_both_languages_have_all_words_with_the_same_places_for_values(name: str) -> None:
    words = WORDS[name]
    assert list(words["en"]) == list(words["fr"])
    for word, english in words["en"].items():
        french = words["fr"][word]
        assert bool(french) == bool(english), word
        assert re.findall(r"{\w+}", french) == re.findall(r"{\w+}", english), word
    assert name == "common" or not {*words["en"]} & {*WORDS["common"]["en"]}


@pytest.mark.parametrize("name", NAMES)
def test_each_word_that_is_used_exists_and_each_that_exists_is_used(name: str) -> None:
    text, known = files(name), {*WORDS[name]["en"], *WORDS["common"]["en"], "notice"}  # a setting
    used = set(re.findall(r'data-(?:word|label|hint)="(\w+)"', text["html"]))
    used |= set(re.findall(r'\b(?:say|tell|attempt|wordButton|confirmed\(say)\("(\w+)"', text["js"]))
    used |= set(re.findall(r'\b(?:word|label): "(\w+)"', text["js"]))
    assert used - known == set()
    quoted = set(re.findall(r'"(\w+)"', text["js"]))
    kinds = {f"{kind}: " for kind in re.findall(r'\binWords\("(\w+)"', text["js"])}
    families = set(re.findall(r"`(\w+_)\$", text["js"])) | {f"{n}_" for n in re.findall(r'count\("(\w+)"', text["js"])}
    own = {each for each in WORDS[name]["en"] if not each.startswith((*families, *kinds))}
    assert own - used - quoted == set()


def test_each_reason_for_which_words_are_left_out_is_said_in_both_languages() -> None:
    code = "".join(each.read_text("utf-8") for each in Path(parsing.__file__).parent.glob("*.py"))
    said = set(re.findall(r'leave_out\(\s*"([^"]+)"', code)) | {*odt.LEFT_OUT.values(), UNEXPLAINED}
    said |= set(re.findall(r'return (?:"" if .* else )?"([a-z ]+)"', inspect.getsource(html._reason)))
    assert {"hidden", "menus", "buttons", "comments"} < said
    assert {f"reason: {each}" for each in said} <= {*WORDS["documents"]["fr"]}


@pytest.mark.parametrize("name", NAMES)
def test_all_words_of_the_page_are_in_the_list_of_words(name: str) -> None:
    without_noscript = re.sub(r"<noscript>.*?</noscript>", "", files(name)["html"])
    spoken = re.sub(r"BOT_\w+|<[^>]*>", "", without_noscript)
    assert spoken.split() == []


@pytest.mark.parametrize("name", NAMES)
async def test_the_page_says_before_the_first_question_that_a_machine_answers(name: str) -> None:
    text, _ = await served(name, ai_notice_fr="Ici </script><b>une machine")
    words = words_of(text)
    if name == "chat":
        assert text.index('data-word="notice"') < text.index('id="question"')
        assert words["en"]["notice"] == Settings.model_fields["ai_notice_en"].default
        assert words["fr"]["notice"] == "Ici </script><b>une machine"
    assert "</script><b>" not in text


def test_a_name_is_written_once_and_as_text() -> None:
    notices = {"ai_notice_en": "A machine", "ai_notice_fr": "Une machine"}
    settings = Settings.model_construct(bot_name="BOT_WORDS <i>", bot_language="fr", **notices)
    text = page.page("chat", settings)
    assert text.count("BOT_WORDS &lt;i&gt;") == 2
    assert "<i>" not in text


async def test_no_other_site_may_show_the_pages_unless_it_is_named() -> None:
    origins = "https://www.example.org http://localhost:8080"
    for settings, ancestors in (({}, "'none'"), ({"embed_origins": origins}, origins)):
        async with client_of(fake_services(**settings)) as client:
            for path in ("/", "/privacy"):
                policy = (await client.get(path)).headers["content-security-policy"]
                assert policy.endswith(f"; frame-ancestors {ancestors}")
            script = await client.get("/embed.js")
            assert script.status_code == (200 if settings else 404)
            assert settings or "EMBED_ORIGINS" in script.json()["detail"]


def test_the_script_for_other_sites_holds_the_name_as_data() -> None:
    settings = Settings.model_construct(bot_name='Lab "; alert(1); //', bot_language="fr")
    text = embed.script(settings)
    [found] = re.findall(r"const words = (.*);\n", text)
    assert json.loads(found)["en"]["open"] == 'Ask Lab "; alert(1); //'
    assert "BOT_" not in text
