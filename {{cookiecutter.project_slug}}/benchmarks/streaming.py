"""How many answers a second one web process streams, how soon they begin, and what an answer costs besides the model.

python -m benchmarks.streaming            50 clients, a mock model of 50 tokens; then one client, a model of one token
python -m benchmarks.streaming --json

The model, the floor and the bot are processes of their own, and the same clients ask both. The floor is the least that
a chatbot does: a bare FastAPI application that asks the same model through the same SDK and sends each token on in a
StreamingResponse. The bot also identifies who asks, embeds the question, searches, weighs the evidence, checks each
citation, makes the text safe, and keeps the conversation. They take turns, so that a busy machine slows all; the
ratio is what to compare. Each question is another one, so that nothing is answered from a cache.

« bot » embeds its questions where it asks its model, at the mock: what is measured is the web process. « built in »
embeds them itself, which takes the processor for longer than all else that it does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

from benchmarks.processes import answers
from chatbot import settings
from chatbot.clients.built_in_embedder import BuiltIn
from chatbot.runtime.migrate import migrate
from services import start

CLIENTS, TOKENS, ROUNDS = 50, 50, 4
ANSWERS = 4 * CLIENTS
"""In each round."""
BARE, BOT, BUILT_IN = "floor", "bot", "built in"
ALONE = 100
"""Answers that one client asks for, one after the other."""
PAGES = ("docs/ask.md", "docs/operate.md", "docs/ingest.md")
QUESTION = "What happens when the queue is down, asked for the {}th time?"

MODEL = """
import asyncio, json, os
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
import uvicorn

app = FastAPI()
about = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "mock"}

def chunk(choices, **more):
    return f"data: {json.dumps({**about, 'choices': choices, **more})}\\n\\n".encode()

def pieces(tokens):
    words = ["Jobs ", "wait [1]. "] + ["word "] * (tokens - 2) if tokens > 1 else ["Jobs wait [1]."]
    for word in words:
        yield chunk([{"index": 0, "delta": {"content": word}, "finish_reason": None}])
    yield chunk([], usage={"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens})
    yield b"data: [DONE]\\n\\n"

READY = {number: list(pieces(number)) for number in (1, int(os.environ["TOKENS"]))}

@app.post("/v1/chat/completions")
async def complete(request: Request):
    body = await request.json()
    async def stream():
        for piece in READY[1 if body["model"] == "short" else int(os.environ["TOKENS"])]:
            yield piece
            await asyncio.sleep(0)
    return StreamingResponse(stream(), media_type="text/event-stream")

@app.post("/v1/embeddings")
async def embed(request: Request):
    texts = (await request.json())["input"]
    vector = json.loads(os.environ["VECTOR"])
    data = [{"object": "embedding", "index": number, "embedding": vector} for number in range(len(texts))]
    return {"object": "list", "model": "mock", "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}

@app.get("/readyz")
async def readyz():
    return {}

uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error")
"""
FLOOR = """
import json, os
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
import uvicorn

app = FastAPI()
client = AsyncOpenAI(base_url=os.environ["LLM_URL"], api_key="none")

@app.post("/v1/chat")
async def chat(request: Request):
    question = (await request.json())["question"]
    messages = [{"role": "user", "content": question}]
    async def stream():
        chunks = await client.chat.completions.create(model=os.environ["LLM_MODEL"], messages=messages, stream=True)
        async for chunk in chunks:
            if chunk.choices:
                yield f"event: token\\ndata: {json.dumps({'text': chunk.choices[0].delta.content})}\\n\\n"
        yield "event: done\\ndata: {}\\n\\n"
    return StreamingResponse(stream(), media_type="text/event-stream")

@app.get("/readyz")
async def readyz():
    return {}

uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error")
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds to the first token and to the end."""

    first: float
    whole: float


@dataclass(frozen=True, slots=True)
class Server:
    """A process that streams answers on this port."""

    process: subprocess.Popen[bytes]
    port: int

    def processor_seconds(self) -> float:
        spent = psutil.Process(self.process.pid).cpu_times()
        return spent.user + spent.system


@dataclass
class Round:
    """What the clients of one server saw."""

    seconds: float
    processor: float
    answers: list[Answer]


@contextmanager
def serving(command: Sequence[str], **environ: str) -> Iterator[Server]:
    """The process, once it answers /readyz."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *command], env={**os.environ, **environ, "PORT": str(port)}, stdout=subprocess.DEVNULL
    )
    try:
        while not answers(Path(), port):
            if process.poll() is not None:
                sys.exit(f"{' '.join(command)[:60]} did not start")
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait()


async def ask(server: Server, question: str) -> Answer:
    """One answer, over a connection of its own; as little work for the client as can be."""
    body = json.dumps({"question": question, "stream": True}).encode()
    head = "POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    began, first, read = time.perf_counter(), 0.0, b""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    while piece := await reader.read(65536):
        read += piece
        if not first and b"event: token" in read:
            first = time.perf_counter() - began
    writer.close()
    if b"event: done" not in read or b"Jobs " not in read:
        sys.exit(f"an answer broke off: {read[-500:].decode(errors='replace')}")
    return Answer(first, time.perf_counter() - began)


async def asked(server: Server, questions: Iterator[int], clients: int, number: int) -> Round:
    """So many answers to so many clients at once."""
    left, found = iter(range(number)), list[Answer]()

    async def client() -> None:
        for _ in left:
            found.append(await ask(server, QUESTION.format(next(questions))))

    processor, began = server.processor_seconds(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Round(time.perf_counter() - began, server.processor_seconds() - processor, found)


def compared(servers: Mapping[str, Server], rounds: int, clients: int, number: int) -> dict[str, list[Round]]:
    """Each server's rounds, in turns, after one that warms it up."""
    questions = count()
    for server in servers.values():
        asyncio.run(asked(server, questions, clients, clients))
    found: dict[str, list[Round]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            found[name].append(asyncio.run(asked(server, questions, clients, number)))
    return found


def under_load(rounds: Sequence[Round]) -> dict[str, float]:
    first = sorted(answer.first for each in rounds for answer in each.answers)
    return {
        "answers_per_second": median(len(each.answers) / each.seconds for each in rounds),
        "first_token_p50_ms": 1000 * median(first),
        "first_token_p95_ms": 1000 * first[int(0.95 * len(first))],
        "processor_ms_per_answer": 1000 * median(each.processor / len(each.answers) for each in rounds),
    }


def alone(rounds: Sequence[Round]) -> dict[str, float]:
    cuts = quantiles((1000 * answer.whole for each in rounds for answer in each.answers), n=100)
    return {"answer_p50_ms": cuts[49], "answer_p99_ms": cuts[98]}


def measure(rounds: int) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = stack.enter_context(start(Path(folder), {}))
        os.environ.update(urls, PYTHONPATH=str(settings.home() / "src"), HOST="127.0.0.1", LOG_LEVEL="INFO")
        asyncio.run(migrate(settings.load()))
        subprocess.run([sys.executable, "-m", "chatbot", "ingest", *PAGES], check=True, stdout=subprocess.DEVNULL)
        vector = asyncio.run(BuiltIn().embed_query(QUESTION))
        model = stack.enter_context(serving(["-c", MODEL], TOKENS=str(TOKENS), VECTOR=json.dumps(vector)))
        url = f"http://127.0.0.1:{model.port}/v1"

        def all_three(name: str) -> dict[str, Server]:
            named, bot = {"LLM_URL": url, "LLM_MODEL": name}, ["-m", "chatbot", "web"]
            return {
                BARE: stack.enter_context(serving(["-c", FLOOR], **named)),
                BOT: stack.enter_context(serving(bot, **named, EMBEDDINGS_URL=url)),
                BUILT_IN: stack.enter_context(serving(bot, **named)),
            }

        loaded = compared(all_three("long"), rounds, CLIENTS, ANSWERS)
        short = compared(all_three("short"), rounds, 1, ALONE // rounds)
    return {
        "load": {who: under_load(found) for who, found in loaded.items()},
        "alone": {who: alone(found) for who, found in short.items()},
    }


def concluded(found: dict[str, Any]) -> dict[str, Any]:
    """With the ratio to the floor, and what an answer costs more than the floor's."""
    least, short = found["load"][BARE]["answers_per_second"], found["alone"]
    ratio = {who: values["answers_per_second"] / least for who, values in found["load"].items()}
    overhead = {who: {name: values[name] - short[BARE][name] for name in values} for who, values in short.items()}
    return {**found, "ratio": ratio, "overhead": overhead}


def show(found: Mapping[str, Any]) -> None:
    print(
        f"{CLIENTS} clients, {TOKENS} tokens: answers/s, of the floor's, first token p50 and p95, processor an answer"
    )
    for who, each in found["load"].items():
        rate = f"{each['answers_per_second']:6.1f}   {found['ratio'][who]:.2f}"
        first = f"{each['first_token_p50_ms']:6.0f} {each['first_token_p95_ms']:6.0f} ms"
        print(f"  {who:<16}{rate}   {first}   {each['processor_ms_per_answer']:6.1f} ms")
    print("1 client, 1 token: answer p50 and p99, of which more than the floor's")
    for who, each in found["alone"].items():
        more = found["overhead"][who]
        print(
            f"  {who:<16}{each['answer_p50_ms']:6.1f} {each['answer_p99_ms']:6.1f} ms"
            f"   {more['answer_p50_ms']:6.1f} {more['answer_p99_ms']:6.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each (default {ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print the figures for a script")
    arguments = parser.parse_args()
    found = concluded(measure(arguments.rounds))
    print(json.dumps(found)) if arguments.json else show(found)


if __name__ == "__main__":
    main()
