"""The queue in Amazon SQS; QUEUE_URL is the queue's own URL. A message's visibility timeout is its lease.

The region is read from the URL's host, or else found by the SDK, and so are the credentials: environment, shared files,
the role of the container. A URL with user:password (an access key) is for emulators. SQS answers a waiting request
when a message comes; it is asked again every few seconds, which costs about a dollar a month for each idle worker.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chatbot import ports
from chatbot.clients.broker_loop import Message, consume
from chatbot.domain import Unavailable

T = TypeVar("T")

THREADS = 16
"""Of its own: calls that a silent server keeps waiting take none of those that the rest of the process works in."""
WAIT = 2
"""Seconds that SQS waits for a message before it answers that there is none."""
BATCH = 10
"""The most messages that SQS takes or gives in one call."""
RETENTION = 14 * 24 * 3600
"""Seconds: the longest there is."""


def connect(url: str, lease: float) -> SqsQueue:
    return SqsQueue(url, lease)


class SqsQueue:
    def __init__(self, url: str, lease: float) -> None:
        self._at = urlsplit(url)
        self._url = f"{self._at.scheme}://{self._at.netloc.rpartition('@')[2]}{self._at.path}"
        self._lease = lease
        self._opening = threading.Lock()
        self._opened: Any = None
        self._threads = ThreadPoolExecutor(THREADS, "sqs")
        self._asked: asyncio.Task[list[Message]] | None = None
        self._stopped = False

    async def create(self) -> None:
        await self._call(self._create)

    async def send(self, job_id: str) -> None:
        await self._call(lambda: self._there(lambda: self._sqs.send_message(QueueUrl=self._url, MessageBody=job_id)))

    async def run(self, handle: ports.Handle, concurrency: int, stop: asyncio.Event) -> None:
        self._stopped = False
        try:
            await consume(self, handle, concurrency, self._lease, stop)
        finally:
            self._stopped, self._asked = True, None  # what SQS may still answer is given back by `_receive`

    async def receive(self, limit: int, wait: float) -> list[Message]:
        self._asked = self._asked or asyncio.create_task(self._call(lambda: self._there(lambda: self._receive(limit))))
        done, _ = await asyncio.wait({self._asked}, timeout=wait)
        if not done:
            return []
        asked, self._asked = self._asked, None
        return await asked

    async def renew(self, messages: Collection[Message]) -> None:
        await self._call(lambda: self._visible_in(math.ceil(self._lease), [message.receipt for message in messages]))

    async def acknowledge(self, message: Message) -> None:
        await self._call(lambda: self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt))

    async def depth(self) -> int:
        names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
        ask = lambda: self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)  # noqa: E731
        return sum(int(number) for number in (await self._call(ask))["Attributes"].values())

    async def ping(self) -> None:
        await self.depth()

    async def close(self) -> None:
        if self._opened is not None:
            await asyncio.to_thread(self._opened.close)
        threads, self._threads = self._threads, ThreadPoolExecutor(THREADS, "sqs")
        threads.shutdown(wait=False, cancel_futures=True)

    def _receive(self, limit: int) -> list[Message]:
        found = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(limit, BATCH),
            VisibilityTimeout=math.ceil(self._lease),
            WaitTimeSeconds=WAIT,
        ).get("Messages", [])
        if self._stopped:
            self._visible_in(0, [message["ReceiptHandle"] for message in found])
            return []
        return [Message(message["ReceiptHandle"], message["Body"]) for message in found]

    def _visible_in(self, seconds: int, receipts: list[str]) -> None:
        for start in range(0, len(receipts), BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for number, receipt in enumerate(receipts[start : start + BATCH])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def _create(self) -> None:
        name = self._at.path.rpartition("/")[2]
        self._sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": str(RETENTION)})

    def _there(self, do: Callable[[], T]) -> T:
        """Do it; if the queue does not exist, make it first."""
        try:
            return do()
        except self._sqs.exceptions.QueueDoesNotExist:
            self._create()
            return do()

    async def _call(self, do: Callable[[], T]) -> T:
        """Run it in a thread: the SDK blocks."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, do)
        except (BotoCoreError, ClientError, OSError) as error:
            raise Unavailable("The queue", "check QUEUE_URL, the AWS credentials and what they permit") from error

    @property
    def _sqs(self) -> Any:
        with self._opening:
            if self._opened is None:
                import boto3
                from botocore.config import Config

                region = re.match(r"sqs\.([a-z0-9-]+)\.", self._at.hostname or "")
                emulated = {"region_name": "us-east-1"} if self._at.username else {}
                self._opened = boto3.session.Session(
                    self._at.username, self._at.password, **({"region_name": region[1]} if region else emulated)
                ).client(
                    "sqs",
                    endpoint_url=f"{self._at.scheme}://{self._at.netloc.rpartition('@')[2]}",
                    config=Config(connect_timeout=3, read_timeout=WAIT + 5, retries={"total_max_attempts": 2}),
                )
            return self._opened
