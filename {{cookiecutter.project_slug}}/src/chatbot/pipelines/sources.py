"""From the name of a corpus to the archive behind it, for `run harvest`.

hal:CIRED                             a collection of the HAL open archive
oai:https://zenodo.org/oai2d#user-x   a set of an OAI-PMH repository, or without # all of it
sitemap:https://example.org/sitemap.xml
urls:corpus/urls.txt                  one URL a line
"""

from __future__ import annotations

from chatbot.domain import ChatbotError
from chatbot.ingestion.hal import Hal
from chatbot.ingestion.records import Source
from chatbot.settings import Settings, home

KINDS = ("hal", "oai", "sitemap", "urls")


def is_harvested(corpus: str) -> bool:
    """Whether it is asked for over the network, in contrast to a folder."""
    return corpus.partition(":")[0] in KINDS and ":" in corpus


def named(corpus: str, settings: Settings) -> Source:
    """ChatbotError when there is no such kind of archive."""
    kind, _, name = corpus.partition(":")
    if kind == "hal" and name:
        return Hal(str(settings.hal_url), name)
    if kind == "oai" and name:
        from chatbot.ingestion.oai import Repository

        url, _, chosen = name.partition("#")
        return Repository(url, chosen or None, corpus)
    if kind == "sitemap" and name:
        from chatbot.ingestion.web_pages import Sitemap

        return Sitemap(name, corpus)
    if kind == "urls" and name:
        from chatbot.ingestion.web_pages import UrlList

        return UrlList(home() / name, corpus)
    raise ChatbotError(
        f"{corpus} names no archive: write hal:COLLECTION, oai:URL, sitemap:URL or urls:FILE, "
        "as in `chatbot run harvest hal:CIRED`."
    )
