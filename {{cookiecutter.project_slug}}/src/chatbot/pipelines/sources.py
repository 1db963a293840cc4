"""From the name of a corpus to the archive behind it, for `run harvest`.

hal:CIRED                             a collection of the HAL open archive
oai:https://zenodo.org/oai2d#user-x   a set of an OAI-PMH repository, or without # all of it
sitemap:https://example.org/sitemap.xml
urls:corpus/urls.txt                  one URL a line
folder:papers                         its files
s3://bucket/prefix                    the objects of a bucket, by S3's protocol
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbot.domain import ChatbotError
from chatbot.ingestion.records import Source
from chatbot.settings import home

if TYPE_CHECKING:
    from chatbot.bootstrap import Services

KINDS = ("hal", "oai", "sitemap", "urls", "folder", "s3")


def is_harvested(corpus: str) -> bool:
    """Whether it is asked what has changed, in contrast to a folder that is simply read."""
    return corpus.partition(":")[0] in KINDS and ":" in corpus


def named(corpus: str, services: Services) -> Source:
    """ChatbotError when there is no such kind of archive. What only one kind needs is imported for that kind alone."""
    kind, _, name = corpus.partition(":")
    name = name.removeprefix("//") if kind == "s3" else name
    if not name or kind not in KINDS:
        raise ChatbotError(
            f"{corpus} names no archive: write hal:COLLECTION, oai:URL, sitemap:URL, urls:FILE, folder:PATH or "
            "s3://BUCKET/PREFIX, as in `chatbot run harvest hal:CIRED`."
        )
    if kind == "hal":
        from chatbot.ingestion.hal import Hal

        return Hal(str(services.settings.hal_url), name)
    if kind == "oai":
        from chatbot.ingestion.oai import Repository

        url, _, chosen = name.partition("#")
        return Repository(url, chosen or None, corpus)
    if kind == "folder":
        from chatbot.ingestion.folder import Folder

        return Folder(home() / name, home(), corpus)
    if kind == "s3":
        from chatbot.pipelines.bucket import Bucket

        bucket, _, prefix = name.partition("/")
        return Bucket(bucket, prefix, str(services.settings.s3_url or ""), corpus)
    from chatbot.ingestion import web_pages

    through = (services.fetcher, services.ingester.download, corpus)
    if kind == "sitemap":
        return web_pages.Sitemap(name, *through)
    return web_pages.UrlList(home() / name, *through)
