"""For whoever runs the process: is it alive, can it serve, what does it do, which version is it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chatbot.bootstrap import Services
from chatbot.deadline import with_timeout
from chatbot.domain import ChatbotError
from chatbot.settings import release
from chatbot.web import problems
from chatbot.web.ops import request_metrics as metrics

TIMEOUT = 2.0
"""Seconds a resource has to answer."""
NEEDED = {"database", "vector_db"}
"""What a question cannot be answered without. Without the queue uploads wait in PostgreSQL; without the model the bot
quotes."""
FRESH = 1.5
"""Seconds for which the result of a check is good: several probes, and their retries, ask once."""
Ping = Callable[[], Coroutine[Any, Any, None]]

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Says nothing of attached resources: restarting the process would not mend them."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it serve?", response_model=dict[str, Any], responses=problems.responses(422, 503))
async def readyz(
    request: Request,
    needed: Annotated[bool, Query(description="Ask only what decides it, as probes of every process should.")] = False,
) -> Any:
    """503, naming what is down, while what answers need does not answer, or the process is about to stop.

    Without the queue or the language model it is ready, but `degraded`: every process lacks the same, so that taking
    this one out of service would help nobody.
    """
    if request.app.state.draining:
        return problems.respond(503, "The process is stopping.")
    pings = _pings(request.app.state.services)
    checks = await request.app.state.checks.results(
        {name: pings[name] for name in pings if name in NEEDED or not needed}
    )
    down = [name for name, state in checks.items() if state != "ok"]
    if NEEDED & {*down}:
        return problems.respond(503, f"Not ready: {', '.join(down)}.", checks=checks)
    return {"status": "degraded" if down else "ready", "checks": checks}


class Checks:
    """The state of the attached resources, each asked at most once in FRESH seconds however many want to know."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Ping, asyncio.Future[str]]] = {}

    async def results(self, pings: Mapping[str, Ping]) -> dict[str, str]:
        """Resource -> "ok", or what is wrong in one sentence."""
        asked = [self._asked(name, ping) for name, ping in pings.items()]
        return dict(zip(pings, await asyncio.shield(asyncio.gather(*asked)), strict=True))

    def _asked(self, name: str, ping: Ping) -> asyncio.Future[str]:
        now = asyncio.get_running_loop().time()
        moment, former, found = self._known.get(name, (-math.inf, None, None))
        if found is None or former != ping or now - moment > FRESH:
            found = asyncio.ensure_future(_check(ping))
            self._known[name] = now, ping, found
        return found


def _pings(services: Services) -> dict[str, Ping]:
    pings: dict[str, Ping] = {
        "database": services.database.ping,
        "vector_db": services.vectors.ping,
        "queue": services.queue.ping,
    }
    return pings | ({"model": services.model.ping} if services.settings.llm_url else {})


async def _check(ping: Ping) -> str:
    """ "ok", or what is wrong in one sentence."""
    try:
        await with_timeout(TIMEOUT, ping())
    except ChatbotError as error:
        return str(error)
    except TimeoutError:
        return f"No answer within {TIMEOUT:g} s."
    except Exception as error:
        problems.logger.error("a readiness check failed", exc_info=error)
        return "The check failed; the log says why."
    return "ok"


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(request: Request) -> Response:
    await metrics.refresh(request.app.state.services)
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get("/version", summary="Which version is it?")
async def version(request: Request) -> dict[str, str]:
    return {"name": request.app.title, "version": release()}
