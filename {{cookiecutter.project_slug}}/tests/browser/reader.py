"""A person at the chat page, in one of its languages: finds things by what they are called, as people do."""

from __future__ import annotations

import json

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Frame, FrameLocator, Locator, Page, expect

from chatbot.web.pages import page as chat_page

FILES = [chat_page.FOLDER / f"{name}.words.json" for name in (*chat_page.PATHS, "common")]
READ = [json.loads(file.read_text("utf-8")) for file in FILES]
WORDS: dict[str, dict[str, str]] = {
    language: {k: v for each in READ for k, v in each[language].items()} for language in ("en", "fr")
}


class Reader:
    def __init__(self, page: Page | Frame | FrameLocator, language: str = "en") -> None:
        self.page, self.language = page, language

    def say(self, word: str, n: str = "") -> str:
        return WORDS[self.language][word].replace("{n}", n)

    @property
    def status(self) -> Locator:
        return self.page.locator("#status")

    @property
    def question(self) -> Locator:
        return self.page.get_by_label(self.say("label"))

    @property
    def panel(self) -> Locator:
        return self.page.locator("#source")

    @property
    def alert(self) -> Locator:
        return self.page.locator("article [role=alert]")

    def button(self, word: str, n: str = "", within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=self.say(word, n), exact=True)

    async def ask(self, question: str) -> None:
        await self.question.fill(question)
        await self.question.press("Enter")

    async def answered(self, times: int = 1) -> None:
        await expect(self.page.locator("article .actions:visible")).to_have_count(times)
        await expect(self.page.locator("article .busy:visible")).to_have_count(0)

    async def opened(self, marked: str) -> None:
        """The panel shows this text, marked and in view."""
        await expect(self.panel.locator("mark")).to_contain_text(marked)
        await expect(self.panel.locator("mark")).to_be_in_viewport()


async def barriers(page: Page) -> list[str]:
    """What axe finds serious or critical, and where."""
    found = await Axe().run(page)
    return [
        f"{each['id']}: {each['help']}: {node['html']}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
