"""Settings in, services out: the one place that wires adapters to the logic. The same in every combination of choices.

    services = bootstrap(settings.load())
    try:
        print(await services.answerer.answer(question))
    finally:
        await services.aclose()

Nothing is opened here: each adapter connects when it is first used, so a process starts although a resource is down.
Tests hand in their own adapters: `bootstrap(settings, vectors=FakeVectors())`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatbot import ports
from chatbot.answering.answer import Answerer
from chatbot.answering.conversation import ChatService
from chatbot.answering.extractive import Extractive
from chatbot.answering.generate import Generator
from chatbot.answering.retrieve import Retriever
from chatbot.chosen import queue, vector_store
from chatbot.clients import embedder, oidc
from chatbot.clients.fetch import Fetcher
from chatbot.clients.language_model import GenerationLimits, OpenAICompatible
from chatbot.domain import InvalidConfiguration
from chatbot.ingestion.ingest import Ingester
from chatbot.ingestion.parsing.sandbox import Sandbox
from chatbot.ingestion.reconcile import Reconciler
from chatbot.ingestion.vector_index import VectorIndex
from chatbot.settings import Settings, scopes
from chatbot.storage.api_keys import ApiKeys
from chatbot.storage.bm25 import LexicalIndex
from chatbot.storage.catalogue import Catalogue
from chatbot.storage.conversations import Conversations
from chatbot.storage.database import Database
from chatbot.storage.documents import Documents
from chatbot.storage.embeddings import Embeddings
from chatbot.storage.indexes import Indexes
from chatbot.storage.jobs import Jobs
from chatbot.storage.limits import Limits
from chatbot.storage.personal import Personal
from chatbot.storage.reviews import Reviews
from chatbot.storage.streams import OpenAnswers


@dataclass(frozen=True, slots=True)
class Services:
    """All that a process works with; `aclose` gives every connection back."""

    settings: Settings
    database: Database
    documents: Documents
    catalogue: Catalogue
    indexes: Indexes
    embeddings: Embeddings
    jobs: Jobs
    lexical: LexicalIndex
    vectors: ports.VectorStore
    queue: ports.Queue
    embedder: ports.Embedder
    index: VectorIndex
    model: ports.LanguageModel
    retriever: Retriever
    answerer: Answerer
    sandbox: Sandbox
    ingester: Ingester
    reconciler: Reconciler
    keys: ApiKeys
    limits: Limits
    issuer: oidc.Issuer | None
    conversations: Conversations
    open_answers: OpenAnswers
    chat: ChatService
    personal: Personal
    fetcher: Fetcher
    reviews: Reviews

    async def aclose(self) -> None:
        self.sandbox.close()
        await self.model.close()
        await self.embedder.close()
        await self.queue.close()
        await self.vectors.close()
        await self.database.close()


def bootstrap(settings: Settings, **overrides: Any) -> Services:
    """Build the services that `settings` describes; `overrides` replaces any of them by its field name."""

    def part(name: str, build: Any) -> Any:
        return overrides[name] if name in overrides else build()

    s = settings
    database = part("database", lambda: Database(s.database_url.get_secret_value(), s.database_pool_size))
    documents = part("documents", lambda: Documents(database))
    indexes = part("indexes", lambda: Indexes(database))
    embeddings = part("embeddings", lambda: Embeddings(database))
    jobs = part("jobs", lambda: Jobs(database, s.job_attempts, s.job_lease, s.job_outage_budget))
    lexical = part("lexical", lambda: LexicalIndex(database))
    vectors = part("vectors", lambda: vector_store.connect(s.vector_db_url.get_secret_value()))
    broker = part("queue", lambda: queue.connect(s.queue_url.get_secret_value(), s.job_lease))
    embed = part(
        "embedder",
        lambda: embedder.connect(_text(s.embeddings_url), s.embeddings_model, s.embeddings_api_key.get_secret_value()),
    )
    bounds = GenerationLimits(
        s.llm_timeout, s.llm_first_token_timeout, s.llm_max_tokens, s.llm_price_input, s.llm_price_output
    )
    quoting = Extractive(embed)
    model = part(
        "model",
        lambda: language_model(_text(s.llm_url), s.llm_model, s.llm_api_key.get_secret_value(), bounds, quoting),
    )
    index = part("index", lambda: VectorIndex(indexes, embeddings, vectors, embed))
    retriever = part("retriever", lambda: Retriever(documents, lexical, index, embed, s.lexical_weight))
    answerer = part("answerer", lambda: Answerer(retriever, model, s.passages, quoting))
    max_bytes = int(s.max_document_mb * 1_000_000)
    sandbox = part("sandbox", lambda: Sandbox(s.parse_memory_mb, s.parse_seconds, s.parse_drawing_seconds))
    fetcher = part("fetcher", lambda: _fetcher(s, max_bytes))
    ingester = part(
        "ingester",
        lambda: Ingester(documents, index, s.chunk_chars, s.chunk_overlap, max_bytes, sandbox.parse, fetcher),
    )
    keys = part("keys", lambda: ApiKeys(database))
    limits = part("limits", lambda: Limits(database, s.rate_limit_per_minute, s.daily_tokens))
    granted = oidc.Granted(s.oidc_scopes_claim, s.oidc_scopes_prefix, scopes(s.oidc_default_scopes))
    issuer = part("issuer", lambda: oidc.connect(s.oidc_issuer, s.oidc_audience, granted))
    conversations = part("conversations", lambda: Conversations(database))
    chat = part("chat", lambda: ChatService(answerer, model, conversations))
    return Services(
        settings=settings,
        database=database,
        documents=documents,
        catalogue=part("catalogue", lambda: Catalogue(database)),
        indexes=indexes,
        embeddings=embeddings,
        jobs=jobs,
        lexical=lexical,
        vectors=vectors,
        queue=broker,
        embedder=embed,
        index=index,
        model=model,
        retriever=retriever,
        answerer=answerer,
        sandbox=sandbox,
        ingester=ingester,
        reconciler=part("reconciler", lambda: Reconciler(documents, jobs, index, indexes, embeddings, vectors)),
        keys=keys,
        limits=limits,
        issuer=issuer,
        conversations=conversations,
        open_answers=part("open_answers", lambda: OpenAnswers(database)),
        chat=chat,
        personal=part("personal", lambda: Personal(database, conversations)),
        fetcher=fetcher,
        reviews=part("reviews", lambda: Reviews(database)),
    )


def language_model(
    url: str | None, model: str, api_key: str, limits: GenerationLimits, quoting: Extractive | None = None
) -> ports.LanguageModel:
    """Any OpenAI-compatible model, or without a URL the quoting one. InvalidConfiguration for a URL without a model."""
    if url is None:
        return quoting or Extractive()
    if not model:
        raise InvalidConfiguration("LLM_URL is set but LLM_MODEL is not: which of its models should answer?")
    return Generator(OpenAICompatible(url, model, api_key, limits))


def _fetcher(s: Settings, max_bytes: int) -> Fetcher:
    hosts = [host for host in s.fetch_allowed_hosts.split(",") if host]
    return Fetcher(max_bytes, s.fetch_timeout, hosts, [int(port) for port in s.fetch_ports.split(",")])


def _text(url: object | None) -> str | None:
    return None if url is None else str(url)
