"""What goes wrong, in the words of the domain: mistakes, outages, refusals."""

from __future__ import annotations


class ChatbotError(Exception):
    """A mistake or an outage that a person can act on; its message is one sentence that may be shown to users."""


class InvalidConfiguration(ChatbotError):
    """A setting is missing, malformed or does not fit what is stored; nothing was started."""


class UnreadableDocument(ChatbotError):
    """A file that cannot become text: broken, encrypted, empty, only images, or not what its name says."""


class NotFound(ChatbotError):
    """There is no such thing, or it belongs to somebody else: no answer tells the two apart."""


class Unavailable(ChatbotError):
    """An attached resource does not answer; trying again later may succeed."""

    def __init__(self, resource: str, advice: str, retry_after: float = 0) -> None:
        super().__init__(f"{resource} does not answer: {advice}")
        self.resource = resource
        self.retry_after = retry_after
        """Seconds until it may be asked again; 0: it does not say, or at once."""


class ClaimLost(ChatbotError):
    """Another attempt at the job has begun: this one may write nothing any more."""

    def __init__(self) -> None:
        super().__init__("Another worker has taken the job over.")


class RunsAlready(ChatbotError):
    """Another process runs this pipeline, and two at once would be in each other's way."""

    def __init__(self, pipeline: str) -> None:
        super().__init__(f"`run {pipeline}` is running already: wait for its end.")


class InvalidToken(ChatbotError):
    """A token that the identity provider did not give, or not to this bot, or that is over."""


class LimitReached(ChatbotError):
    """So many requests or tokens that the caller has to wait."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds."""


class ModelUnavailable(Unavailable):
    """The language model does not answer; passages can be quoted without it."""

    def __init__(self, advice: str, retry_after: float = 0, passing: bool = True) -> None:
        super().__init__("the language model", advice, retry_after)
        self.passing = passing
        """Whether it is a failure of the moment, unlike a wrong key."""
