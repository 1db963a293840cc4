"""A bucket as an archive, by S3's protocol: its supported objects below a prefix, each called `s3://BUCKET/KEY`.

Keys, region and roles are found by the SDK, as the platform gives them: AWS_ACCESS_KEY_ID and its siblings, or the role
of the machine or the container.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from chatbot.domain import InvalidConfiguration, Unavailable, UnreadableDocument
from chatbot.ingestion.parsing.parse import SUFFIXES
from chatbot.ingestion.records import Item, Record

if TYPE_CHECKING:
    from obstore.store import S3Store


class Bucket:
    """See `records.Source`."""

    def __init__(self, bucket: str, prefix: str, endpoint: str, collection: str) -> None:
        """`endpoint`: a URL; "" for Amazon's own."""
        self._bucket, self._prefix, self._endpoint, self._collection = bucket, prefix, endpoint, collection

    async def changed(self, since: str) -> AsyncIterator[Record]:
        metadata = {"collection": self._collection}
        with self._errors():
            async for page in self._store().list(self._prefix):
                for each in page:
                    path, modified = PurePosixPath(each["path"]), each["last_modified"].isoformat()
                    if path.suffix.lower() in SUFFIXES:
                        yield Record(f"s3://{self._bucket}/{path}", path.name, "", metadata, modified=modified)

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
