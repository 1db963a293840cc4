"""The chat page: nothing from elsewhere, nothing that runs but its own script, and all its words in both languages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from chatbot.settings import Settings
from chatbot.web.pages import embed, page
from tests.unit.fakes import client_of, fake_services

pytestmark = pytest.mark.slow

FILES = {name: (page.FOLDER / f"chat.{name}").read_text("utf-8") for name in ("html", "css", "words.json")}
FILES["js"] = "".join((page.FOLDER / name).read_text("utf-8") for name in page.SCRIPTS)
WORDS: dict[str, dict[str, Any]] = json.loads(FILES["words.json"])


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


async def served(**settings: Any) -> tuple[str, str]:
    """The page and its content security policy."""
    async with client_of(fake_services(**settings)) as client:
        response = await client.get("/")
    return response.text, response.headers["content-security-policy"]


def words_of(text: str) -> dict[str, dict[str, Any]]:
    [found] = re.findall(r'<script type="application/json" id="words">(.*?)</script>', text, re.DOTALL)
    words: dict[str, dict[str, Any]] = json.loads(found)
    return words


async def test_the_policy_names_each_script_and_style_as_a_browser_hashes_it() -> None:
    text, policy = await served()
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


async def test_nothing_comes_from_elsewhere_and_no_attribute_holds_script_or_style() -> None:
    text, _ = await served()
    for tag, attributes in Tags(text).found:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset")], tag
        assert attributes.get("href", "#") in ("#question", "privacy", "data:,", "#")
    assert not re.search(r"@import|url\(|import\(|importScripts|WebSocket|EventSource|sendBeacon", text)
    assert FILES["js"].count("fetch(") == 1
    paths = {path.rstrip("/") for path in re.findall(r'["`](\w*:?/*v1/[^"`$?]*)', FILES["js"])}
    assert paths == {"v1/chat", "v1/feedback", "v1/conversations", "v1/documents"}


@pytest.mark.parametrize("script", [*page.SCRIPTS, "privacy.js", "embed.js"])
def test_text_is_never_made_into_html_or_script(script: str) -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc"
    text = (page.FOLDER / script).read_text("utf-8")
    assert not re.search(ways + r"|\beval\b|\bFunction\(|javascript:", text)


def test_both_languages_have_all_words_with_the_same_places_for_values() -> None:
    assert list(WORDS["en"]) == list(WORDS["fr"])
    for name, english in WORDS["en"].items():
        french = WORDS["fr"][name]
        assert (type(french), bool(french)) == (type(english), bool(english)), name
        if isinstance(english, str):
            assert re.findall(r"{\w+}", french) == re.findall(r"{\w+}", english), name


def test_each_word_that_is_used_exists_and_each_that_exists_is_used() -> None:
    used = set(re.findall(r'data-(?:word|label)="(\w+)"', FILES["html"]))
    used |= set(re.findall(r'\b(?:say|tell|attempt|wordButton)\("(\w+)"', FILES["js"]))
    used |= set(re.findall(r'\b(?:word|label): "(\w+)"', FILES["js"]))
    assert used - set(WORDS["en"]) == set()
    quoted = set(re.findall(r'"(\w+)"', FILES["js"])) | {"suggestions"}
    assert {name for name in WORDS["en"] if not name.startswith("status_")} - used - quoted == set()


def test_all_words_of_the_page_are_in_the_list_of_words() -> None:
    without_noscript = re.sub(r"<noscript>.*?</noscript>", "", FILES["html"])
    spoken = re.sub(r"BOT_\w+|<[^>]*>", "", without_noscript)
    assert spoken.split() == []


async def test_suggestions_are_those_of_the_settings() -> None:
    text, _ = await served(suggested_questions_en=" Who pays? | </script><b>What?| ", corpus="corpus")
    assert "</script><b>" not in text
    words = words_of(text)
    assert words["en"]["suggestions"] == ["Who pays?", "</script><b>What?"]
    assert words["fr"]["suggestions"] == []


async def test_suggestions_are_about_the_manual_where_that_is_the_corpus() -> None:
    text, _ = await served(corpus="docs")
    assert {name: words["suggestions"] for name, words in words_of(text).items()} == {
        name: words["suggestions"] for name, words in WORDS.items()
    }


def test_a_name_is_written_once_and_as_text() -> None:
    settings = Settings.model_construct(
        bot_name="BOT_WORDS <i>", bot_language="fr", corpus="x", suggested_questions_en="", suggested_questions_fr=""
    )
    text = page.page(settings)
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
