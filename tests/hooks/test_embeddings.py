"""Embeddings, which LangChain announces to nobody."""

from __future__ import annotations

from typing import Any, TypedDict

import openai
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]

from hooks.conftest import Desk
from provider import ask
from spendgraph.context import CostContext
from spendgraph.hooks.embeddings import MeteredEmbeddings
from spendgraph.hooks.refusals import UnpricedModel
from spendgraph.meter import Meter
from spendgraph.policy import parse_policy


def openai_embeddings(desk: Desk, **options: Any) -> OpenAIEmbeddings:
    """Real OpenAI embeddings that send texts, not tokens."""
    return OpenAIEmbeddings(
        model="text-embedding-3-small",
        api_key=desk.key,
        base_url=f"{desk.provider.url}/v1",
        check_embedding_ctx_length=False,
        max_retries=0,
        **options,
    )


def test_a_million_tokens_cost_two_cents(desk: Desk, meter: Meter) -> None:
    """The usage the server returned is booked, though OpenAIEmbeddings drops it."""
    policy = parse_policy(
        'prices: {models: [{provider: openai, model: "text-*", input_usd_per_mtok: "0.02", '
        'output_usd_per_mtok: "0"}]}'
    )
    with Meter(meter.ledger, policy=policy) as cheap:
        MeteredEmbeddings(cheap, openai_embeddings(desk)).embed_documents([ask(input=1_000_000)])
        row = next(iter(cheap.ledger.steps()))
    assert (row["input_tokens"], row["cost_nanousd"]) == (1_000_000, 20_000_000)
    assert (row["kind"], row["name"], row["cost_basis"]) == ("embedding", "OpenAIEmbeddings", "reported")


def test_each_request_to_the_provider_is_one_row(desk: Desk) -> None:
    """Five texts in chunks of two are three requests, on the invoice and in the ledger."""
    embeddings = MeteredEmbeddings(desk.meter, openai_embeddings(desk, chunk_size=2))
    assert len(embeddings.embed_documents(["a", "b", "c", "d", "e"])) == 5
    embeddings.embed_query("f")
    assert [row["cost_nanousd"] for row in desk.rows()] == [line.amount for line in desk.invoice.lines]
    assert len(desk.invoice.lines) == 4


@pytest.mark.asyncio
async def test_the_asynchronous_twins_book_the_same(desk: Desk) -> None:
    """Documents and a query."""
    inner = openai_embeddings(desk)
    embeddings = MeteredEmbeddings(desk.meter, inner)
    await embeddings.aembed_documents(["a", "b"])
    await embeddings.aembed_query("c")
    await inner.async_client._client.close()
    await desk.meter.aflush()
    assert [row["cost_nanousd"] for row in desk.rows()] == [line.amount for line in desk.invoice.lines]
    assert len(desk.invoice.lines) == 2


def test_the_wrapped_object_stays_as_it_was(desk: Desk) -> None:
    """Its own calls are not booked, its attributes are reachable."""
    inner = openai_embeddings(desk)
    client = inner.client
    metered = MeteredEmbeddings(desk.meter, inner)
    assert inner.client is client
    assert metered.embeddings is inner
    assert metered.chunk_size == 1_000
    inner.embed_query("not metered")
    assert desk.rows() == []


class Lengths(Embeddings):
    """Embeddings of another kind, which say nothing of usage."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [float(len(text)), 0.0, 0.0, 1.0]


def test_other_embeddings_are_one_estimated_row_a_call(desk: Desk) -> None:
    """The texts' length is all there is."""
    embeddings = MeteredEmbeddings(desk.meter, Lengths(), model="text-embedding-3-small", provider="openai")
    assert len(embeddings.embed_documents(["x" * 400, "y" * 40])) == 2
    assert len(embeddings.embed_query("z" * 8)) == 4
    assert embeddings.embed_documents([]) == []
    rows = desk.rows()
    assert [(row["input_tokens"], row["cost_basis"]) for row in rows] == [
        (110, "estimated"),
        (2, "estimated"),
    ]


def test_the_node_that_embedded_pays(desk: Desk) -> None:
    """A vector store in a graph's node charges that node and its task."""
    embeddings = MeteredEmbeddings(desk.meter, openai_embeddings(desk))

    class State(TypedDict):
        found: str

    def look_up(state: State) -> dict[str, str]:
        store = InMemoryVectorStore(embeddings)
        store.add_documents([Document("needle"), Document("hay")])
        return {"found": str(len(embeddings.embed_query("needle")))}

    graph: Any = StateGraph(State)
    graph = graph.add_node("look_up", look_up).add_edge(START, "look_up").compile()
    graph.invoke({"found": ""}, desk.meter.config(CostContext(feature="search", tenant="acme")))
    rows = desk.rows()
    assert [(row["node"], row["tenant"]) for row in rows] == [("look_up", "acme"), ("look_up", "acme")]
    assert sum(row["cost_nanousd"] for row in rows) == desk.invoice.total


def test_a_failed_request_is_a_row_that_costs_nothing(desk: Desk) -> None:
    """The error passes through unchanged."""
    embeddings = MeteredEmbeddings(desk.meter, openai_embeddings(desk))
    with pytest.raises(openai.InternalServerError):
        embeddings.embed_query(ask(purpose="fails", fail=[500]))
    assert (desk.row()["status"], desk.row()["cost_nanousd"]) == ("error", 0)


class Failing(Embeddings):
    """Embeddings that are out of order."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise RuntimeError("out of order")

    def embed_query(self, text: str) -> list[float]:
        raise RuntimeError("out of order")


@pytest.mark.asyncio
async def test_a_failure_of_other_embeddings_is_a_row_too(desk: Desk) -> None:
    """All four methods."""
    embeddings = MeteredEmbeddings(desk.meter, Failing())
    for call in (lambda: embeddings.embed_documents(["a"]), lambda: embeddings.embed_query("a")):
        with pytest.raises(RuntimeError, match="out of order"):
            call()
    for made in (embeddings.aembed_documents(["a"]), embeddings.aembed_query("a")):
        with pytest.raises(RuntimeError, match="out of order"):
            await made
    await desk.meter.aflush()
    assert [(row["status"], row["error_class"]) for row in desk.rows()] == [("error", "RuntimeError")] * 4


def test_an_unpriced_model_is_refused_before_anything_is_sent(desk: Desk) -> None:
    """`unpriced: block` holds for embeddings too."""
    with Meter(desk.ledger, policy=parse_policy("prices: {unpriced: block}")) as strict:
        inner = openai_embeddings(desk).model_copy(update={"model": "acme-1"})
        with pytest.raises(UnpricedModel):
            MeteredEmbeddings(strict, inner).embed_query("hello")
    assert desk.invoice.lines == ()
