"""A reranker whose price per call is configured under `tools` reserves it, and is a priced one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import Callbacks
from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor

from budgets.fanout import ACME
from spendgraph import BudgetExceeded, Meter, MeteredReranker, UnpricedModel
from spendgraph.policy import parse_policy

CENT = 10_000_000


class Reranker(BaseDocumentCompressor):
    """Hands its documents back; says what it is asked to say in between."""

    model: str = "acme-rank"
    meanwhile: Callable[[], object] | None = None

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        if self.meanwhile is not None:
            self.meanwhile()
        return documents


def metered(tmp_path: Path, reserve: str, more: str = "") -> Meter:
    """A cent for all, which is what one call costs."""
    tools = 'tools: {Reranker: {usd_per_call: "0.01"}}'
    budgets = f'budgets: [{{name: cap, limit_usd: "0.01", reserve: {reserve}}}]'
    return Meter(tmp_path / "ledger.db", policy=parse_policy(f"{tools}\n{budgets}\n{more}"))


def rerank(meter: Meter, **more: Any) -> None:
    """One call."""
    MeteredReranker(meter, Reranker(**more)).compress_documents([Document("a")], "q")


@pytest.mark.parametrize("reserve", ["expected", "strict"])
def test_the_configured_price_is_held(tmp_path: Path, reserve: str) -> None:
    """A second call has no room beside the first."""
    refused: list[bool] = []
    with metered(tmp_path, reserve) as meter, meter.task(ACME):

        def again() -> None:
            with pytest.raises(BudgetExceeded):
                rerank(meter)
            refused.append(True)

        rerank(meter, meanwhile=again)
        (row,) = meter.ledger.steps()
        assert meter.ledger.verify() == []
    assert refused == [True]
    assert (row["reserved_nanousd"], row["cost_nanousd"]) == (CENT, CENT)


def test_a_configured_price_is_a_price(tmp_path: Path) -> None:
    """`unpriced: block` lets it through, and nothing else."""
    with metered(tmp_path, "expected", "prices: {unpriced: block}") as meter, meter.task(ACME):
        rerank(meter)
        with pytest.raises(UnpricedModel):
            MeteredReranker(meter, Reranker(), name="Other").compress_documents([Document("a")], "q")
        assert len(list(meter.ledger.steps())) == 1
