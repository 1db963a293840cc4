"""Answers written by a language model: what it is told, and what of its text may pass.

model = Generator(chat_model)
async for piece in model.stream(question, passages):
    ...     text, and at the end the Usage
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from chatbot.answering.habits import Thoughts
from chatbot.answering.prompts import NO_ANSWER, new_key, prompt, rewriting_prompt
from chatbot.domain import Passage, Question, Turn, Usage
from chatbot.ports import ChatMessage, ChatModel
from chatbot.text import sanitize


class Generator:
    """Fulfils `ports.LanguageModel` on any chat model."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self.model = chat.model

    async def stream(self, question: Question, passages: Sequence[Passage]) -> AsyncGenerator[str | Usage, None]:
        key = new_key()
        async with aclosing(self._guarded(prompt(question, passages, key), key)) as written:
            async for piece in written:
                yield piece

    async def rewrite(self, question: Question, turns: Sequence[Turn]) -> tuple[str, Usage]:
        key, text, usage = new_key(), "", Usage()
        async with aclosing(self._guarded(rewriting_prompt(question, turns, key), key)) as written:
            async for piece in written:
                if isinstance(piece, Usage):
                    usage = piece
                else:
                    text += piece
        return text.strip(), usage

    async def ping(self) -> None:
        await self._chat.ping()

    async def close(self) -> None:
        await self._chat.close()

    async def _guarded(self, messages: Sequence[ChatMessage], key: str) -> AsyncGenerator[str | Usage, None]:
        """The text without what the model thinks aloud and, once it has ended, the usage. A model that says NO_ANSWER
        or recites is not listened to."""
        guard, thoughts, said = sanitize.Guard(messages[0]["content"], key), Thoughts(), ""
        async with self._chat.complete(messages) as completion:
            async for text in completion:
                said += (answer := thoughts.feed(text))
                if not said.lstrip().startswith(NO_ANSWER) and (passed := guard.feed(answer)):
                    yield passed
                if guard.recited:
                    break
        said += (answer := thoughts.finish())
        if rest := "" if said.lstrip().startswith(NO_ANSWER) else guard.feed(answer) + guard.finish():
            yield rest
        yield completion.usage
