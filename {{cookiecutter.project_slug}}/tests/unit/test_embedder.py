"""Both embedders without a model: when they load what, and how an OpenAI-compatible API is spoken to."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatbot.clients import embedder
from chatbot.clients.built_in_embedder import NAME
from chatbot.domain import InvalidConfiguration, Unavailable
from tests.unit import openai_server

pytestmark = pytest.mark.slow


async def test_no_text_no_vector() -> None:
    assert await embedder.connect(None, NAME, "").embed_passages([]) == []


def test_the_sdks_are_loaded_only_when_used() -> None:
    code = "import sys, chatbot.clients.embedder, chatbot.clients.language_model as m; "
    code += "m.OpenAICompatible('http://127.0.0.1:1', '', '', 1); "
    code += "print([name for name in ('openai', 'onnxruntime', 'numpy', 'httpx') if name in sys.modules])"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == "[]"


def test_nothing_is_told_to_whoever_made_the_engine(tmp_path: Path) -> None:
    """ONNX Runtime keeps an identifier of the machine in the home folder, and sends it, where it is not told not to."""
    code = "from chatbot.clients.built_in_embedder import _load; _load().embed('query: slate')"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "HOME": str(tmp_path)}, check=True)
    assert [*tmp_path.rglob("*")] == []


LOADED = """
import asyncio, sys, threading

class Watch:
    def find_spec(self, name, *_):
        if name == "openai":
            print(threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())
from chatbot.clients import embedder
asyncio.run(embedder.connect("http://127.0.0.1:1", "some-model", "").embed_query("a"))
"""


def test_the_loop_turns_while_the_sdk_is_loaded() -> None:
    """It takes a second or two, and much longer on a machine that is busy: no sign of life came from a worker then."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, env=environ)
    assert done.stdout.splitlines() == ["False"]
    assert "Unavailable" in done.stderr


def test_another_model_wants_a_url() -> None:
    with pytest.raises(InvalidConfiguration, match="EMBEDDINGS_URL"):
        embedder.connect(None, "some-model", "")


async def test_where_there_are_no_wheels_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.clients.e5.weights.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InvalidConfiguration, match="set EMBEDDINGS_URL"):
        await embedder.connect(None, NAME, "").embed_query("a")


def test_vectors_of_the_wheels_own_engine_are_another_model() -> None:
    """An index made with them is built anew, not searched with vectors that differ a little."""
    with pytest.raises(InvalidConfiguration, match=f"only {NAME} is built in"):
        embedder.connect(None, "multilingual-e5-small", "")


async def test_vectors_of_an_api_are_in_order_and_of_unit_length() -> None:
    with openai_server.running() as server:
        remote = embedder.connect(server.url, "some-model", "the-key")
        assert await remote.embed_passages(["a", "b"] * 40) == [[0.6, 0.8]] * 80
        assert (remote.model, remote.dimension) == ("some-model", 2)
    assert [len(request["input"]) for request in server.requests] == [64, 16]


async def test_e5_models_are_told_what_a_text_is() -> None:
    with openai_server.running() as server:
        remote = embedder.connect(server.url, "intfloat/multilingual-e5-base", "")
        await remote.embed_query("a")
        await remote.embed_passages(["b"])
    assert [request["input"] for request in server.requests] == [["query: a"], ["passage: b"]]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [[3.0, 4.0]],
        [[3.0, 4.0], [3.0]],
        [[3.0, 4.0], []],
        [[3.0, 4.0], None],
        [[3.0, 4.0], [float("nan"), 1]],
    ],
)
async def test_nonsense_of_an_api_is_an_outage_of_it_and_no_fault_of_the_document(data: Any) -> None:
    """The document would fail for good, or its job use up its attempts."""
    with openai_server.running() as server:
        each = data and [{"index": number, "embedding": vector} for number, vector in enumerate(data)]
        server.embeddings = lambda body: {"object": "list", "data": each, "model": "m"}  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="not that of an OpenAI-compatible API"):
            await embedder.connect(server.url, "some-model", "").embed_passages(["a", "b"])


async def test_vectors_of_another_length_are_not_taken_for_those_of_the_same_model() -> None:
    with openai_server.running() as server:
        remote = embedder.connect(server.url, "some-model", "")
        await remote.embed_query("a")
        usual = server.embeddings
        longer = {"object": "list", "data": [{"index": 0, "embedding": [1.0, 2.0, 3.0]}], "model": "m"}
        server.embeddings = lambda body: longer  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await remote.embed_query("a")
        assert remote.dimension == 2
        server.embeddings = usual  # type: ignore[method-assign]
        await remote.embed_query("a")


async def test_an_outage_says_what_to_look_at() -> None:
    with openai_server.running() as server:
        server.status = 401
        with pytest.raises(Unavailable, match="EMBEDDINGS_API_KEY"):
            await embedder.connect(server.url, "some-model", "").embed_query("a")
