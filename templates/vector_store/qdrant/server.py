"""Qdrant's own local mode behind the few HTTP calls that the bot makes: for development and tests, not the server.

python -m services.qdrant --port 6333 --data FOLDER

The bot's processes share one store, which the client's local mode alone does not allow. It compares every vector, so
what it finds is exact; a real server is what production has, and what VECTOR_DB_URL names.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from qdrant_client import QdrantClient, models


def application(folder: Path) -> FastAPI:
    client = QdrantClient(path=str(folder))
    turn = threading.Lock()  # the local mode is not made for threads
    app = FastAPI()

    def answered(result: Any) -> dict[str, Any]:
        return {"result": result, "status": "ok", "time": 0.0}

    def there(name: str) -> str:
        if not client.collection_exists(name):
            raise HTTPException(404, f"Not found: Collection `{name}` doesn't exist!")
        return name

    @app.get("/readyz")
    def ready() -> str:
        return "all shards are ready"

    @app.get("/collections")
    def collections() -> dict[str, Any]:
        with turn:
            return answered(client.get_collections())

    @app.get("/collections/{name}/exists")
    def exists(name: str) -> dict[str, Any]:
        with turn:
            return answered({"exists": client.collection_exists(name)})

    @app.get("/collections/{name}")
    def collection(name: str) -> dict[str, Any]:
        with turn:
            return answered(client.get_collection(there(name)))

    @app.put("/collections/{name}")
    def create(name: str, asked: models.CreateCollection) -> dict[str, Any]:
        with turn:
            if client.collection_exists(name):
                raise HTTPException(409, f"Wrong input: Collection `{name}` already exists!")
            return answered(client.create_collection(name, vectors_config=asked.vectors))

    @app.delete("/collections/{name}")
    def drop(name: str) -> dict[str, Any]:
        with turn:
            return answered(client.delete_collection(name) if client.collection_exists(name) else False)

    @app.put("/collections/{name}/index")
    def index(name: str) -> dict[str, Any]:
        return answered({"operation_id": 0, "status": "completed"})  # the local mode filters without any

    @app.put("/collections/{name}/points")
    def upsert(name: str, asked: models.PointsList) -> dict[str, Any]:
        with turn:
            _hurry(client, there(name))
            return answered(client.upsert(name, asked.points))

    @app.post("/collections/{name}/points/query")
    def query(name: str, asked: models.QueryRequest) -> dict[str, Any]:
        with turn:
            found = client.query_points(
                there(name),
                query=asked.query,
                query_filter=asked.filter,
                limit=asked.limit or 10,
                with_payload=asked.with_payload or False,
            )
            return answered(found)

    @app.post("/collections/{name}/points/delete")
    def delete(name: str, asked: models.PointIdsList) -> dict[str, Any]:
        with turn:
            return answered(client.delete(there(name), points_selector=asked))

    @app.post("/collections/{name}/points/scroll")
    def scroll(name: str, asked: models.ScrollRequest) -> dict[str, Any]:
        with turn:
            points, following = client.scroll(
                there(name), limit=asked.limit or 10, offset=asked.offset, with_payload=asked.with_payload or False
            )
            return answered({"points": points, "next_page_offset": following})

    @app.post("/collections/{name}/points/count")
    def count(name: str, asked: models.CountRequest) -> dict[str, Any]:
        with turn:
            return answered(client.count(there(name), count_filter=asked.filter, exact=True))

    return app


def _hurry(client: QdrantClient, name: str) -> None:
    """The local mode commits each point; waiting for the disk each time would take minutes, and this is no archive."""
    local: Any = client._client
    storage = local.collections[name].storage
    storage.storage.execute("PRAGMA synchronous = OFF")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    uvicorn.run(application(options.data), host="127.0.0.1", port=options.port, log_level="warning")
