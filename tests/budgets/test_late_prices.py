"""Tools and steps whose cost is known only once they run count in every budget, and stop the next call."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUntypedFunctionDecorator=false
from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.tools import tool

from budgets.fanout import ACME
from scripted import scripted_policy
from spendgraph import BreakerOpen, BudgetExceeded, Meter, UnboundedCall

FIVE = 5_000_000_000


def metered(tmp_path: Path, more: str = "", reserve: str = "expected") -> Meter:
    """A dollar for all."""
    cap = f'budgets: [{{name: cap, limit_usd: "1", reserve: {reserve}}}]'
    return Meter(tmp_path / "ledger.db", policy=scripted_policy(f"{cap}\n{more}"))


def spent(meter: Meter) -> list[tuple[str, int, int, int]]:
    """Each window's budget, and what is spent and held in it."""
    meter.flush()
    assert meter.ledger.verify() == []
    return [
        (window["budget"], window["spent_nanousd"], window["held_nanousd"], window["spent_calls"])
        for window in meter.ledger.windows()
    ]


def test_a_tool_under_another_name_counts_from_its_first_run(tmp_path: Path) -> None:
    """LangChain knows the function by a name that nobody has priced: the run itself teaches it."""
    ran: list[str] = []
    with metered(tmp_path) as meter:

        @tool("lookup")
        @meter.tool(price="5")
        def search(q: str) -> str:
            """Search."""
            ran.append(q)
            return q

        with meter.task(ACME):
            search.invoke({"q": "a"})
        assert spent(meter) == [("cap", FIVE, 0, 1)]
        with meter.task(ACME), pytest.raises(BudgetExceeded, match="is spent"):
            search.invoke({"q": "b"})
        with meter.task(ACME), pytest.raises(BudgetExceeded), meter.step("other", reserve="0.1"):
            ran.append("other")
    assert ran == ["a"]


@pytest.mark.parametrize("kind", ["tool", "retriever", "sandbox"])
def test_a_step_that_is_told_its_cost_stops_the_next(tmp_path: Path, kind: str) -> None:
    """The first goes out for a nano-dollar, as nobody knows what it costs; the second is refused."""
    with metered(tmp_path) as meter, meter.task(ACME):
        with meter.step(kind, name="crawl") as step:
            step.cost(usd="5")
        with pytest.raises(BudgetExceeded), meter.step(kind, name="crawl"):
            pytest.fail("it ran")
        assert spent(meter) == [("cap", FIVE, 0, 1)]


def test_a_strict_budget_wants_to_know_what_a_step_may_cost(tmp_path: Path) -> None:
    """Its `reserve`, or a price of its name, says so."""
    priced = 'tools: {priced: {usd_per_call: "0.25"}}'
    with metered(tmp_path, priced, "strict") as meter, meter.task(ACME):
        with pytest.raises(UnboundedCall, match="a price that is known"), meter.step("tool", name="crawl"):
            pytest.fail("it ran")
        for kind in ("tool", "sandbox"):
            with meter.step(kind, name="priced") as step:
                step.cost(quantity=1)
        with meter.step("tool", name="crawl", reserve="0.5") as step:
            step.cost(usd="0.5")
        with pytest.raises(BudgetExceeded), meter.step("tool", name="priced"):
            pytest.fail("it ran")
        assert spent(meter) == [("cap", 1_000_000_000, 0, 3)]


def test_what_is_known_late_counts_for_breakers_too(tmp_path: Path) -> None:
    """The tool's first run is more than the breaker allows in all: the next call trips it."""
    breaker = 'breakers: [{name: most, per: [tenant], limit_usd: "2", period: total}]'
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(breaker)) as meter:

        @tool("lookup")
        @meter.tool(price="5")
        def search(q: str) -> str:
            """Search."""
            return q

        with meter.task(ACME):
            search.invoke({"q": "a"})
            with pytest.raises(BreakerOpen, match="'most'"):
                search.invoke({"q": "b"})
        assert meter.ledger.verify() == []


def test_a_late_end_counts_what_its_cancellation_did_not(tmp_path: Path) -> None:
    """A tool without a price that was settled at nothing, and then ends with a cost: the correction counts."""
    with metered(tmp_path) as meter, meter.task(ACME):
        recorder = meter.recorder
        step = recorder.open("s1", recorder.here(), "tool", "crawl")
        recorder.settle([step])
        recorder.close(step, cost_nanousd=FIVE)
        assert spent(meter) == [("cap", FIVE, 0, 0)]
        with pytest.raises(BudgetExceeded), meter.step("tool", name="other", reserve="0.1"):
            pytest.fail("it ran")
