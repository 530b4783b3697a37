"""`import spendgraph` is quick and loads nothing heavy; every public name is there when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import spendgraph

HEAVY = (
    "pydantic",
    "langchain_core",
    "langgraph",
    "sqlite_utils",
    "pandas",
    "genai_prices",
    "typer",
    "rich",
    "yaml",
)

CPU_OF_IMPORT = """
import time
before = time.process_time()
import spendgraph
print(time.process_time() - before)
"""


def run(code: str) -> str:
    """The output of a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_spendgraph_loads_nothing_heavy() -> None:
    """An agent's server pays for LangGraph, pydantic or a price list when it uses them, not at import."""
    loaded = run("import sys, spendgraph; print(*sys.modules)").split()
    assert [name for name in HEAVY if name in loaded] == []


def test_importing_spendgraph_takes_less_than_60_ms_of_cpu() -> None:
    """The best of five fresh interpreters: a busy machine slows some of them, never all for this reason."""
    assert min(float(run(CPU_OF_IMPORT)) for _ in range(5)) < 0.060


def test_the_public_names_are_these() -> None:
    """The contract of this release, sorted."""
    assert spendgraph.__all__ == [
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


@pytest.mark.parametrize("name", spendgraph.__all__)
def test_a_public_name_is_there_when_asked_for(name: str) -> None:
    """`from spendgraph import name` works in a fresh interpreter, whatever was imported before."""
    assert run(f"from spendgraph import {name}; print({name!r} in dir(__import__('spendgraph')))") == "True"


def test_an_unknown_name_says_which_names_there_are() -> None:
    """A misspelt name is an AttributeError that lists the right ones."""
    with pytest.raises(AttributeError, match=r"no attribute 'Metre'; it has ApprovalError, .*Meter"):
        getattr(spendgraph, "Metre")  # noqa: B009
