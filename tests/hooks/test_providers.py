"""Who consumed and who provided: every row has a payer and an owner beside it."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool

from hooks.graphs import State, graph_of, rows
from scripted import STEP_NANOUSD, ScriptedModel, scripted_policy
from spendgraph import CostContext, Meter

ACME = CostContext(feature="triage", team="support", tenant="acme")
POLICY = """
tools:
  "billing-mcp/*": {owner: payments, usd_per_call: "0.01"}
owners:
  - {kind: retriever, name: "Kb*", team: search}
  - {name: "Scripted*", node: work, team: agent-framework}
"""


class KbShelf(BaseRetriever):
    """A retriever whose team the policy names."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return []


class Attic(KbShelf):
    """A retriever nobody names."""


def test_the_caller_pays_and_each_step_names_its_provider(tmp_path: Path) -> None:
    """An MCP server's tool, the model inside it, retrievers by name: the payer is the caller's team throughout."""
    model = ScriptedModel()

    @tool
    def refund(order: str) -> str:
        """Refund an order."""
        return str(model.invoke(order).content)

    def work(state: State) -> State:
        refund.invoke({"order": "7"})
        KbShelf().invoke("q")
        Attic().invoke("q")
        return state

    with Meter(tmp_path / "ledger.db", policy=scripted_policy(POLICY)) as meter:
        meter.tools.mcp("billing-mcp", [refund])
        graph_of(work).invoke({"n": 0}, meter.config(ACME))
        model.invoke("outside of the node", meter.config(ACME))
        booked: list[tuple[Any, ...]] = [
            (row["kind"], row["name"], row["owner_team"], row["cost_nanousd"]) for row in rows(meter)
        ]
        assert booked == [
            ("model", "ScriptedModel", "agent-framework", STEP_NANOUSD),
            ("tool", "billing-mcp/refund", "payments", 10_000_000),
            ("retriever", "KbShelf", "search", 0),
            ("retriever", "Attic", "support", 0),
            ("model", "ScriptedModel", "support", STEP_NANOUSD),
        ]
        assert {(row["feature"], row["team"]) for row in rows(meter)} == {("triage", "support")}
        inner, outer = rows(meter)[:2]
        assert inner["parent_step_id"] == outer["step_id"]
