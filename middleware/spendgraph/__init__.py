"""spendgraph gives every dollar an agent spends an owner.

Handlers carry a `CostContext` through every subgraph, tool and fan-out of LangChain and LangGraph; every step
lands in a ledger, a SQLite file, with its exact cost. A `Meter` is the one object to hold:

    meter = Meter("ledger.db", policy="spendgraph.yaml")
    with meter.task(CostContext(feature="inbox-triage", team="support")):
        graph.invoke(inputs)

Importing this package loads nothing heavy: each public name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers take for true; typing's own costs 20 ms to import
if TYPE_CHECKING:
    from spendgraph.context import CostContext
    from spendgraph.errors import (
        ApprovalError,
        ContextError,
        GateError,
        LedgerBusy,
        LedgerError,
        LedgerUnavailable,
        PolicyError,
        PriceError,
        SpendgraphError,
    )
    from spendgraph.hooks.agent import BudgetMiddleware
    from spendgraph.hooks.embeddings import MeteredEmbeddings
    from spendgraph.hooks.gate import BudgetGate
    from spendgraph.hooks.handler import SpendCallbackHandler
    from spendgraph.hooks.refusals import (
        ApprovalRequired,
        BreakerOpen,
        BudgetExceeded,
        ContextMissing,
        Refusal,
        RefusalSwallowed,
        UnboundedCall,
        UnpricedModel,
    )
    from spendgraph.hooks.rerank import MeteredReranker
    from spendgraph.meter import Meter

    __version__: str

__all__ = [
    "ApprovalError",
    "ApprovalRequired",
    "BreakerOpen",
    "BudgetExceeded",
    "BudgetGate",
    "BudgetMiddleware",
    "ContextError",
    "ContextMissing",
    "CostContext",
    "GateError",
    "LedgerBusy",
    "LedgerError",
    "LedgerUnavailable",
    "Meter",
    "MeteredEmbeddings",
    "MeteredReranker",
    "PolicyError",
    "PriceError",
    "Refusal",
    "RefusalSwallowed",
    "SpendCallbackHandler",
    "SpendgraphError",
    "UnboundedCall",
    "UnpricedModel",
    "__version__",
]

_HOMES = {
    "ApprovalError": "spendgraph.errors",
    "ApprovalRequired": "spendgraph.hooks.refusals",
    "BreakerOpen": "spendgraph.hooks.refusals",
    "BudgetExceeded": "spendgraph.hooks.refusals",
    "BudgetGate": "spendgraph.hooks.gate",
    "BudgetMiddleware": "spendgraph.hooks.agent",
    "ContextError": "spendgraph.errors",
    "ContextMissing": "spendgraph.hooks.refusals",
    "CostContext": "spendgraph.context",
    "GateError": "spendgraph.errors",
    "LedgerBusy": "spendgraph.errors",
    "LedgerError": "spendgraph.errors",
    "LedgerUnavailable": "spendgraph.errors",
    "Meter": "spendgraph.meter",
    "MeteredEmbeddings": "spendgraph.hooks.embeddings",
    "MeteredReranker": "spendgraph.hooks.rerank",
    "PolicyError": "spendgraph.errors",
    "PriceError": "spendgraph.errors",
    "Refusal": "spendgraph.hooks.refusals",
    "RefusalSwallowed": "spendgraph.hooks.refusals",
    "SpendCallbackHandler": "spendgraph.hooks.handler",
    "SpendgraphError": "spendgraph.errors",
    "UnboundedCall": "spendgraph.hooks.refusals",
    "UnpricedModel": "spendgraph.hooks.refusals",
}

if not TYPE_CHECKING:  # a checker that saw this function would accept every misspelt name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            return version("spendgraph")
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(
                f"module 'spendgraph' has no attribute {name!r}; it has {', '.join(__all__)}"
            )
        from importlib import import_module

        value: object = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
