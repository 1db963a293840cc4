"""Where a reader finds what an answer cites: its passage on the chat page, and the original, if that is on the web."""

from __future__ import annotations

from urllib.parse import quote as escaped

ENDS = 4
"""Words at each end of a quote that find it: one long text is missed where the page breaks it by a note or a table."""


def passage(document_id: str, chunk_id: str) -> str:
    """Relative to the bot's own address. The page reads what is behind the #, and may ask for a key first."""
    return f"/#passage={document_id}/{chunk_id}"


def shared(token: str) -> str:
    """Relative, too: nothing behind the # is sent, so that no log of a proxy has it."""
    return f"/#shared={token}"


def original(source: str, page: int | None, quote: str) -> str | None:
    """Opens a PDF at the page, anything else at the quoted words; None where the source is no URL."""
    if not source.lower().startswith(("http://", "https://")):
        return None
    address, _, fragment = source.partition("#")
    if page:
        return f"{address}#page={page}"
    words = quote.split()
    ends = [words] if len(words) <= 2 * ENDS else [words[:ENDS], words[-ENDS:]]
    text = ",".join(escaped(" ".join(each), safe="").replace("-", "%2D") for each in ends)
    return f"{address}#{fragment}:~:text={text}" if text else source
