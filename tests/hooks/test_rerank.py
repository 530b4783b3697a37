"""Rerankers, which LangChain announces to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.callbacks import Callbacks
from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor

from hooks.conftest import Desk
from spendgraph.context import CostContext
from spendgraph.hooks.rerank import MeteredReranker

DOCUMENTS = [Document("hay"), Document("needle"), Document("straw")]


class ScriptedClient:
    """A reranking service's client, as Cohere's answers."""

    def __init__(self, search_units: float | None) -> None:
        self.search_units = search_units
        self.region = "eu"

    def rerank(self, *, query: str, documents: list[str], model: str) -> dict[str, Any]:
        billed = {} if self.search_units is None else {"billed_units": {"search_units": self.search_units}}
        order = sorted(range(len(documents)), key=lambda i: documents[i] != query)
        return {"results": [{"index": i} for i in order], "meta": billed}


class ScriptedReranker(BaseDocumentCompressor):
    """A compressor that drops what its client's answer says it billed."""

    client: Any = None
    model: str = "rerank-1"

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        assert self.client.region == "eu"
        texts = [document.page_content for document in documents]
        answer = self.client.rerank(query=query, documents=texts, model=self.model)
        ranking: list[int] = [result["index"] for result in answer["results"]]
        return [documents[index] for index in ranking]


class OtherReranker(ScriptedReranker):
    """The same, without an entry under the policy's tools."""


class FailingReranker(ScriptedReranker):
    """A compressor whose service hangs up."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        raise ConnectionResetError("hung up")


def test_billed_search_units_are_priced_by_the_policy(desk: Desk) -> None:
    """Three units at two tenths of a cent, owned by the search team."""
    inner = ScriptedReranker(client=ScriptedClient(3))
    client = inner.client
    reranker = MeteredReranker(desk.meter, inner)
    with desk.meter.task(CostContext(feature="search", tenant="acme")):
        ranked = reranker.compress_documents(DOCUMENTS, "needle")
    assert [document.page_content for document in ranked] == ["needle", "hay", "straw"]
    row = desk.row()
    assert (row["kind"], row["name"], row["tenant"]) == ("rerank", "ScriptedReranker", "acme")
    assert (row["quantity"], row["unit"], row["cost_nanousd"]) == (3, "search_unit", 6_000_000)
    assert (row["owner_team"], row["cost_basis"]) == ("search", "configured")
    assert inner.client is client


@pytest.mark.asyncio
async def test_a_call_whose_units_nobody_sees_is_one_unit(desk: Desk) -> None:
    """The asynchronous twin books the same."""
    reranker = MeteredReranker(desk.meter, ScriptedReranker(client=ScriptedClient(None)))
    await reranker.acompress_documents(DOCUMENTS, "needle")
    await desk.meter.aflush()
    assert (desk.row()["cost_nanousd"], desk.row()["quantity"]) == (2_000_000, None)


def test_without_an_entry_the_models_price_counts(desk: Desk) -> None:
    """`rerank-1` costs $0.0020003 a request; two search units cost it twice."""
    one = MeteredReranker(desk.meter, OtherReranker(client=ScriptedClient(None)))
    two = MeteredReranker(desk.meter, OtherReranker(client=ScriptedClient(2)))
    one.compress_documents(DOCUMENTS, "needle")
    two.compress_documents(DOCUMENTS, "needle")
    assert [row["cost_nanousd"] for row in desk.rows()] == [2_000_300, 4_000_600]


def test_a_reranker_without_any_price_is_marked(desk: Desk) -> None:
    """It is recorded, never silently free."""
    reranker = MeteredReranker(desk.meter, OtherReranker(client=ScriptedClient(1), model="acme-rank"))
    reranker.compress_documents(DOCUMENTS, "needle")
    assert (desk.row()["cost_basis"], desk.row()["cost_nanousd"]) == ("unpriced", 0)


def test_a_failure_is_a_row_and_passes_through(desk: Desk) -> None:
    """Nobody knows whether it was billed: one unit at most."""
    reranker = MeteredReranker(desk.meter, FailingReranker(client=ScriptedClient(1)), name="ScriptedReranker")
    with pytest.raises(ConnectionResetError):
        reranker.compress_documents(DOCUMENTS, "needle")
    row = desk.row()
    assert (row["status"], row["error_class"]) == ("error", "ConnectionResetError")
    assert (row["cost_basis"], row["cost_nanousd"]) == ("upper_bound", 2_000_000)


def test_nothing_to_rank_is_no_step(desk: Desk) -> None:
    """No request is made for no documents."""
    reranker = MeteredReranker(desk.meter, ScriptedReranker(client=ScriptedClient(1)))
    assert list(reranker.compress_documents([], "needle")) == []
    assert desk.rows() == []
