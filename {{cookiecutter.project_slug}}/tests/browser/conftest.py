"""The chat page in a real browser: the machine's own Chromium, driven by Playwright, on real web processes.

One browser serves all tests of this folder, and each test has a fresh profile. Where there is no Chromium the tests are
skipped and say what to install; under CI they fail.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from chatbot.bootstrap import Services, bootstrap
from chatbot.settings import Settings
from tests.conftest import TABLES
from tests.processes import serving
from tests.programs import program
from tests.test_end_to_end import site

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NAMED = {"BOT_NAME": "Chatbot", "BOT_LANGUAGE": "en"}
QUIET = "disable-gpu disable-quic disable-background-networking disable-component-update disable-sync no-first-run"
"""The browser asks nobody for anything but the pages of the tests."""
HERE = "host-resolver-rules=MAP *.test 127.0.0.1"
"""Names for sites that a browser does not trust as it does localhost."""
PATIENCE = 30_000
"""Milliseconds, on a machine that is busy."""
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
ROOFED = ("Slate", "Thatch", "Tiled", "Mossy", "Zinc", "Snowy", "Gravel", "Turf", "Glass")
ROOFS = "# Rain on roofs\n\n" + "\n\n".join(
    f"## {name}\n\n{name} roofs shed rain water within {number} minutes." for number, name in enumerate(ROOFED, 2)
)
WALLS = "<title>Clay walls</title><h2>How long do clay walls need?</h2>"
WALLS += "<p>Clay walls dry within nine weeks of summer.</p>"
SOURCES = {"roofs.md": ROOFS, "https://example.org/walls.html": WALLS}
HOST = """<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A lab</title>
<main><h1>A lab</h1><p>Its pages.</p></main><script src="{}/embed.js" async></script></html>"""


def chromium() -> str:
    """Where it is: CHROMIUM says so, or else the PATH."""
    return os.environ.get("CHROMIUM") or program(*NAMES, package="chromium")


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        flags = [f"--{flag}" for flag in (*QUIET.split(), HERE)]
        browser = await playwright.chromium.launch(executable_path=path, args=flags, chromium_sandbox=False)
        yield browser
        await browser.close()


@pytest.fixture
async def opened(browser: Browser) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """Opens an address in a profile of its own; whatever a page complains of on its console fails the test."""
    complaints: list[str] = []
    contexts = []

    async def open(url: str, **options: Any) -> Page:
        script = options.pop("script", "")
        context = await browser.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        if script:
            await context.add_init_script(script)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        return page

    yield open
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest.fixture(scope="package")
async def services(settings: Settings) -> AsyncIterator[Services]:
    """A document in a file and one from the web, ready to be asked about."""
    services = bootstrap(settings)
    await services.database.rows(f"TRUNCATE {', '.join(TABLES)}")
    for source, text in SOURCES.items():
        document, _ = await services.ingester.register(source, source.rpartition("/")[2], text.encode())
        await services.ingester.process(document.id, _unwatched)
    yield services
    await services.aclose()


async def _unwatched(_: float) -> None: ...


@dataclass(frozen=True)
class Addresses:
    bot: str
    host: str
    """A site that may show the bot."""
    stranger: str
    """A site that may not."""


@pytest.fixture(scope="package")
def addresses(urls: dict[str, str], services: Services) -> Iterator[Addresses]:
    """A bot that anybody may ask, and pages of two other sites that embed it."""
    pages: dict[str, bytes | str] = {}
    with site(pages) as port, site(pages) as other:
        host = f"http://localhost:{port}"
        with serving({**urls, "EMBED_ORIGINS": host, **NAMED}) as (_, client):
            bot = str(client.base_url).rstrip("/")
            pages["/"] = HOST.format(bot).encode()
            yield Addresses(bot, host, f"http://localhost:{other}")
