"""The site is built strictly from the pages of this repository, and each page leads where it says."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import CONTEXT, FACTORS, ROOT, clean_environment

HTML = ROOT / "build" / "site" / "html"
pytestmark = pytest.mark.xdist_group("publish")
"""One process builds: build/ is one folder, and its environment is made at the first need."""


@pytest.fixture(scope="module")
def site():
    done = subprocess.run(["make", "site"], cwd=ROOT, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return HTML


class Links(HTMLParser):
    """The addresses that a page names, and the ids that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links, self.loaded, self.ids = list[str](), list[str](), set[str]()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("img", "script") and given.get("src"):
            self.loaded.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon"):
            self.loaded.append(given["href"])


def test_it_has_a_page_for_each_factor_and_each_choice(site):
    assert len([*site.glob("factors/[01]*/index.html")]) == 12
    for factor, folder in FACTORS.items():
        for choice in CONTEXT[factor]:
            page = site / "choices" / folder.replace("_", "-") / choice / "index.html"
            assert f"make upgrade {factor.upper()}={choice}" in page.read_text("utf-8")


def test_each_link_leads_to_a_page_and_nothing_is_loaded_from_elsewhere(site):
    pages = {page: Links(page) for page in site.rglob("index.html")}
    assert len(pages) > 50
    for page, found in pages.items():
        for link in [*found.links, *found.loaded]:
            target, _, fragment = link.partition("#")
            if re.match(r"\w+:", target):
                assert link not in found.loaded, f"{page}: {link}"
                continue
            file = (page.parent / target).resolve() if target else page
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), f"{page}: {link}"
            if fragment and file in pages:
                assert fragment in pages[file].ids, f"{page}: {link}"
