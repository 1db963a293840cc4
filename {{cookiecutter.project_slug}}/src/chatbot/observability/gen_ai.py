"""The names of OpenTelemetry's conventions for generative AI, v0.1.0, the first release of their own; all in one place.

https://github.com/open-telemetry/semantic-conventions-genai says what each means. What is said and read (messages,
queries, documents) is opt-in there and never sent here.
"""

from __future__ import annotations

from chatbot.domain import Usage
from chatbot.observability.tracing import Attributes

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
TOP_K = "gen_ai.retrieval.top_k"
"""Of a retrieval; the `gen_ai.request.top_k` of before is a parameter of sampling alone since v0.1.0."""
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"


def chat(model: str) -> Attributes:
    """An answer of a model behind an API of OpenAI's shape, whoever runs it."""
    return {OPERATION: "chat", PROVIDER: "openai", MODEL: model}


def embeddings(model: str) -> Attributes:
    return {OPERATION: "embeddings", MODEL: model}


def retrieval(top_k: int) -> Attributes:
    """A search for so many passages."""
    return {OPERATION: "retrieval", TOP_K: top_k}


def tokens(usage: Usage) -> Attributes:
    """What a call of a model took."""
    return {INPUT_TOKENS: usage.prompt_tokens, OUTPUT_TOKENS: usage.completion_tokens}
