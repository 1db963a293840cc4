"""Files as an archive: a folder of this machine, or a bucket that speaks S3's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from chatbot.domain import InvalidConfiguration, Unavailable, UnreadableDocument
from chatbot.ingestion import corpus
from chatbot.ingestion.parsing.parse import SUFFIXES
from chatbot.ingestion.records import Item, Record

if TYPE_CHECKING:
    from obstore.store import S3Store


class Folder:
    """Its supported files, under the names that `chatbot ingest` gives them; see `records.Source`."""

    def __init__(self, path: Path, base: Path, collection: str) -> None:
        self._path, self._base, self._collection = path, base, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        for item in await asyncio.to_thread(self._files):
            yield _record(item.source, self._collection, await asyncio.to_thread(_modified, item))

    async def present(self) -> None:
        return None

    async def item(self, record: Record) -> Item:
        for item in await asyncio.to_thread(self._files):
            if item.source == record.source:
                return replace(item, metadata=record.metadata)
        raise UnreadableDocument("The file is gone.")

    def _files(self) -> Sequence[Item]:
        return corpus.files([self._path], self._base).items


class Bucket:
    """The supported objects below a prefix, each called `s3://BUCKET/KEY`; see `records.Source`.

    Keys, region and roles are found by the SDK, as the platform gives them: AWS_ACCESS_KEY_ID and its siblings, or the
    role of the machine or the container.
    """

    def __init__(self, bucket: str, prefix: str, endpoint: str, collection: str) -> None:
        self._bucket, self._prefix, self._endpoint, self._collection = bucket, prefix, endpoint, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        with self._errors():
            async for page in self._store().list(self._prefix):
                for each in page:
                    if PurePosixPath(each["path"].lower()).suffix in SUFFIXES:
                        source = f"s3://{self._bucket}/{each['path']}"
                        yield _record(source, self._collection, _iso(each["last_modified"]))

    async def present(self) -> None:
        return None

    async def item(self, record: Record) -> Item:
        with self._errors():
            found = await self._store().get_async(record.source.removeprefix(f"s3://{self._bucket}/"))
            content = bytes(await found.bytes_async())
        return Item(record.source, record.name, lambda: content, record.metadata)

    def _store(self) -> S3Store:
        from obstore.store import S3Store

        endpoint = {"endpoint": self._endpoint} if self._endpoint else {}
        options = {"allow_http": self._endpoint.startswith("http://")}
        return S3Store(self._bucket, config=endpoint, client_options=options)  # type: ignore[arg-type]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            from obstore import exceptions
        except ModuleNotFoundError:
            raise InvalidConfiguration(
                "Harvesting a bucket needs obstore: use the image's target `pipelines`, or install the extra `bucket`."
            ) from None
        try:
            yield
        except FileNotFoundError:
            raise UnreadableDocument(f"There is no such object, or no bucket {self._bucket}.") from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError):
            raise InvalidConfiguration(f"The bucket {self._bucket} refuses these keys, or does not exist.") from None
        except exceptions.BaseError:
            raise Unavailable(f"The bucket {self._bucket}", "check its name, keys, region and S3_URL.") from None


def _record(source: str, collection: str, modified: str) -> Record:
    return Record(source, PurePosixPath(source).name, "", {"collection": collection}, modified=modified)


def _modified(item: Item) -> str:
    return _iso(datetime.fromtimestamp(item.path.stat().st_mtime, UTC)) if item.path else ""


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
