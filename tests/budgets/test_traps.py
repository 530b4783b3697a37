"""What budgets must not do, however a call is made: numbers that naive implementations get wrong."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy
from typing_extensions import TypedDict

from budgets.fanout import ACME, CALL_NANOUSD, capped
from scripted import PRICES, STEP_NANOUSD, ScriptedModel
from spendgraph import BudgetExceeded, LedgerUnavailable, Meter, Refusal, RefusalSwallowed, UnboundedCall
from spendgraph.policy import parse_policy


class State(TypedDict):
    """One answer."""

    answer: str


async def _astream(model: Any, config: Any) -> list[Any]:
    return [chunk async for chunk in model.astream("hi", config)]


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda model, config: model.invoke("hi", config),
    "ainvoke": lambda model, config: asyncio.run(model.ainvoke("hi", config)),
    "stream": lambda model, config: list(model.stream("hi", config)),
    "astream": lambda model, config: asyncio.run(_astream(model, config)),
    "batch": lambda model, config: model.batch(["hi"], config),
    "abatch": lambda model, config: asyncio.run(model.abatch(["hi"], config)),
}


def run(runnable: Any, inputs: Any, config: Any, *, asynchronous: bool) -> Any:
    """Invoke it, on an event loop or not."""
    return asyncio.run(runnable.ainvoke(inputs, config)) if asynchronous else runnable.invoke(inputs, config)


EVERY_WAY = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def model() -> ScriptedModel:
    """Each answer costs $0.0075 under `capped`, $0.00002 under the scripted prices."""
    return ScriptedModel()


def metered(tmp_path: Path, policy: Any) -> Meter:
    """A meter on a ledger of its own."""
    return Meter(tmp_path / "ledger.db", policy=policy)


def counters(meter: Meter) -> tuple[int, int]:
    """What is spent and held in the only window."""
    (row,) = meter.ledger.windows()
    return row["spent_nanousd"], row["held_nanousd"]


@EVERY_WAY
def test_the_call_beyond_the_cap_is_not_sent(tmp_path: Path, model: ScriptedModel, way: str) -> None:
    """The refusal says which budget, whose, how much, and what to do; the decision is a row."""
    with metered(tmp_path, capped(cap="0.01")) as meter:
        WAYS[way](model, meter.config(ACME))
        with pytest.raises(BudgetExceeded) as caught:
            WAYS[way](model, meter.config(ACME))
        refusal = caught.value
        assert (refusal.budget, refusal.owner, refusal.scope) == ("cap", "growth", "tenant=acme")
        assert (refusal.limit, refusal.spent, refusal.held, refusal.asked) == (
            10**7,
            CALL_NANOUSD,
            0,
            CALL_NANOUSD,
        )
        assert "limit_usd" in refusal.hint
        assert model.requests == 1
        assert counters(meter) == (CALL_NANOUSD, 0)
        assert meter.ledger.verify() == []
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        query = "SELECT kind, outcome FROM decisions"
        assert connection.execute(query).fetchall() == [("budget", "refused")]


@EVERY_WAY
def test_a_limit_of_zero_refuses_everything_paid(tmp_path: Path, model: ScriptedModel, way: str) -> None:
    """It does not mean that there is no budget."""
    with metered(tmp_path, capped(cap="0")) as meter:
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(ACME))
        assert model.requests == 0


@EVERY_WAY
def test_a_free_model_goes_out_when_the_budget_is_spent(
    tmp_path: Path, model: ScriptedModel, way: str
) -> None:
    """Zero is not missing."""
    free = PRICES.replace('"1"', "0").replace('"2"', "0")
    with metered(tmp_path, parse_policy(f"{free}\nbudgets: [{{name: b, limit_usd: 0}}]")) as meter:
        WAYS[way](model, meter.config(ACME))
        assert model.requests == 1


@EVERY_WAY
def test_an_unpriced_model_is_not_free(tmp_path: Path, model: ScriptedModel, way: str) -> None:
    """Nobody knows what it costs, and a budget that is spent refuses it."""
    with metered(tmp_path, parse_policy("budgets: [{name: b, limit_usd: 0}]")) as meter:
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(ACME))
        assert model.requests == 0


@EVERY_WAY
def test_strict_admits_only_calls_with_a_ceiling(tmp_path: Path, model: ScriptedModel, way: str) -> None:
    """The refusal names what to set; with it the ceiling is held and the actual is spent."""
    policy = parse_policy(f"{PRICES}\nbudgets: [{{name: b, limit_usd: 1, reserve: strict}}]")
    with metered(tmp_path, policy) as meter:
        with pytest.raises(UnboundedCall, match="max_tokens"):
            WAYS[way](model, meter.config(ACME))
        assert model.requests == 0
        bounded = model.bind(max_tokens=100)
        WAYS[way](bounded, meter.config(ACME))
        (step,) = meter.ledger.steps()
        assert step["cost_nanousd"] == STEP_NANOUSD
        assert step["reserved_nanousd"] > 100 * 2_000
        assert counters(meter) == (STEP_NANOUSD, 0)


def test_a_single_call_that_is_too_dear_is_refused_without_a_window(
    tmp_path: Path, model: ScriptedModel
) -> None:
    """A limit on each call."""
    policy = capped(cap="9", more="  - {name: one, per: call, limit_usd: '0.005'}\n")
    with metered(tmp_path, policy) as meter, pytest.raises(BudgetExceeded, match="budget 'one'"):
        model.invoke("hi", meter.config(ACME))
    assert model.requests == 0


def test_critical_work_may_go_on_beyond_the_limit(tmp_path: Path, model: ScriptedModel) -> None:
    """Up to where the exemption says, and nobody else."""
    policy = parse_policy(
        capped_text
        := f"{PRICES}\nbudgets: [{{name: b, limit_calls: 10, exempt: {{priority: critical, up_to: 120%}}}}]"
    )
    assert capped_text
    with metered(tmp_path, policy) as meter:
        for _ in range(10):
            model.invoke("hi", meter.config(ACME))
        with pytest.raises(BudgetExceeded):
            model.invoke("hi", meter.config(ACME))
        for _ in range(2):
            model.invoke("hi", meter.config(ACME.replace(priority="critical")))
        with pytest.raises(BudgetExceeded):
            model.invoke("hi", meter.config(ACME.replace(priority="critical")))
    assert model.requests == 12


def _graph(node: Callable[[State], State], **options: Any) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("call", node, **options)
    builder.add_edge(START, "call")
    builder.add_edge("call", END)
    return builder.compile()


@pytest.fixture
def spent(tmp_path: Path) -> Iterator[Meter]:
    """A meter whose budget lets nothing paid in."""
    with metered(tmp_path, capped(cap="0")) as meter:
        yield meter


@tool
def ask() -> str:
    """Ask a model."""
    return str(ScriptedModel().invoke("hi").content)


_CALL = {"name": "ask", "args": {}, "id": "1", "type": "tool_call"}

WRAPPED: dict[str, Callable[[ScriptedModel], Any]] = {
    "with_retry": lambda model: model.with_retry(stop_after_attempt=3, wait_exponential_jitter=False),
    "RetryPolicy": lambda model: _graph(
        lambda _: {"answer": str(model.invoke("hi").content)}, retry_policy=RetryPolicy(retry_on=Exception)
    ),
    "ModelRetryMiddleware": lambda model: create_agent(
        model, [], middleware=[ModelRetryMiddleware(on_failure="continue")]
    ),
    "a chain in a graph": lambda model: _graph(
        lambda _: {"answer": str((RunnableLambda(lambda x: x) | model).invoke("hi").content)}
    ),
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("wrapper", WRAPPED)
def test_nothing_sends_a_refused_call_or_makes_an_answer_of_it(
    spent: Meter, model: ScriptedModel, wrapper: str, asynchronous: bool
) -> None:
    """Retries, policies and middleware let the refusal through."""
    runnable = WRAPPED[wrapper](model)
    inputs: Any = "hi" if wrapper == "with_retry" else {"answer": "", "messages": [("user", "hi")]}
    with pytest.raises(BudgetExceeded):
        run(runnable, inputs, spent.config(ACME), asynchronous=asynchronous)
    assert model.requests == 0


def test_a_tool_node_that_handles_errors_does_not_answer_for_a_refused_model(spent: Meter) -> None:
    """No ToolMessage that reads like an answer."""
    node = ToolNode([ask], handle_tool_errors=True)
    builder: Any = StateGraph(State)
    builder.add_node("tools", lambda _: node.invoke([{**_CALL}]))
    builder.add_edge(START, "tools")
    with pytest.raises(BudgetExceeded):
        builder.compile().invoke({"answer": ""}, spent.config(ACME))


_SORRY: Any = RunnableLambda(lambda _: "sorry")

SWALLOWED: dict[str, Callable[[ScriptedModel], Any]] = {
    "a constant in with_fallbacks": lambda model: model.with_fallbacks([_SORRY]).invoke("hi"),
    "batch(return_exceptions=True)": lambda model: model.batch(["hi"], return_exceptions=True),
    "except Exception": lambda model: _swallow(model),
}


def _swallow(model: ScriptedModel) -> str:
    try:
        return str(model.invoke("hi").content)
    except Exception:  # noqa: BLE001 - what users write
        return "sorry"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("how", SWALLOWED)
def test_a_refusal_that_is_swallowed_comes_back_at_the_end(
    spent: Meter, model: ScriptedModel, how: str, asynchronous: bool
) -> None:
    """The run does not look like a success, and its task is refused."""
    graph = _graph(lambda _: {"answer": str(SWALLOWED[how](model))})
    with pytest.raises(RefusalSwallowed) as caught:
        run(graph, {"answer": ""}, spent.config(ACME), asynchronous=asynchronous)
    assert isinstance(caught.value.refusal, BudgetExceeded)
    assert caught.value.budget == "cap"
    assert model.requests == 0
    spent.flush()
    with closing(sqlite3.connect(spent.ledger.place.name)) as connection:
        assert connection.execute("SELECT status FROM tasks").fetchall() == [("refused",)]


def test_a_refusal_that_is_handled_on_purpose_does_not_come_back(spent: Meter, model: ScriptedModel) -> None:
    """`handled()` says so."""

    def node(_: State) -> State:
        try:
            return {"answer": str(model.invoke("hi").content)}
        except Refusal as refusal:
            return {"answer": refusal.handled().reason}

    assert _graph(node).invoke({"answer": ""}, spent.config(ACME)) == {"answer": "budget_exceeded"}


def test_a_cheaper_fallback_that_was_admitted_settles_the_refusal(
    tmp_path: Path, model: ScriptedModel
) -> None:
    """It was reserved itself."""
    free = capped(cap="0").model_copy()
    entry = free.prices.models[0].model_copy(update={"model": "free", "usd_per_request": None})
    prices = free.prices.model_copy(update={"models": (*free.prices.models, entry)})

    class FreeModel(ScriptedModel):
        def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
            return {"ls_provider": "scripted", "ls_model_name": "free", "ls_model_type": "chat"}

    cheap = FreeModel()
    with metered(tmp_path, free.model_copy(update={"prices": prices})) as meter:
        graph = _graph(lambda _: {"answer": str(model.with_fallbacks([cheap]).invoke("hi").content)})
        assert graph.invoke({"answer": ""}, meter.config(ACME)) == {"answer": "ok"}
    assert (model.requests, cheap.requests) == (0, 1)


def test_swallowed_refusals_can_be_a_warning(
    tmp_path: Path, model: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the policy says so."""
    policy = capped(cap="0").model_copy(update={"on_swallowed": "warn"})
    with metered(tmp_path, policy) as meter:
        _graph(lambda _: {"answer": _swallow(model)}).invoke({"answer": ""}, meter.config(ACME))
    assert "A refused call was ignored" in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_ledger_that_cannot_be_written_lets_nothing_out(
    tmp_path: Path, model: ScriptedModel, asynchronous: bool
) -> None:
    """A typed error, and zero provider calls."""
    with metered(tmp_path, capped()) as meter:
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            other.execute("PRAGMA legacy_alter_table = ON")
            other.execute("ALTER TABLE windows RENAME TO away")
            with pytest.raises(LedgerUnavailable):
                WAYS["ainvoke" if asynchronous else "invoke"](model, meter.config(ACME))
            other.execute("ALTER TABLE away RENAME TO windows")
        assert model.requests == 0


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cancelled_call_is_booked_at_all_that_was_held(tmp_path: Path, asynchronous: bool) -> None:
    """Not released: it may have been paid for. The cap still holds."""
    model = ScriptedModel(seconds=30)

    async def cancelled(config: Any) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.ainvoke("hi", config), 0.2)

    with metered(tmp_path, capped(cap="0.01")) as meter:
        asyncio.run(cancelled(meter.config(ACME)))
        assert counters(meter) == (CALL_NANOUSD, 0)
        (step,) = meter.ledger.steps()
        assert (step["cost_basis"], step["status"]) == ("upper_bound", "cancelled")
        with pytest.raises(BudgetExceeded):
            WAYS["ainvoke" if asynchronous else "invoke"](model, meter.config(ACME))
        assert meter.ledger.verify() == []


def test_what_was_recorded_counts_and_is_never_refused(spent: Meter, model: ScriptedModel) -> None:
    """The money is gone already."""
    with spent.task(ACME), spent.cap(usd=1):
        spent.record("human_review", usd="2.50")
        with pytest.raises(BudgetExceeded):
            model.invoke("hi")
    assert counters(spent) == (2_500_000_000, 0)


def test_priced_tools_are_reserved_and_free_ones_are_not_asked(tmp_path: Path) -> None:
    """A tool with a price per call is refused before it runs."""
    ran: list[str] = []

    @tool
    def web_search() -> str:
        """Search."""
        ran.append("search")
        return "found"

    @tool
    def clock() -> str:
        """Tell the time."""
        return "noon"

    policy = capped(cap="0.006", more="tools: {web_search: {usd_per_call: '0.005'}}")
    with metered(tmp_path, policy) as meter:
        web_search.invoke({}, meter.config(ACME))
        with pytest.raises(BudgetExceeded):
            web_search.invoke({}, meter.config(ACME))
        assert clock.invoke({}, meter.config(ACME)) == "noon"
        assert counters(meter) == (5_000_000, 0)
    assert ran == ["search"]


def test_a_reservation_does_not_rely_on_what_is_only_queued(tmp_path: Path, model: ScriptedModel) -> None:
    """A new task of a payer whose first row, of a free tool, still waits for its commit."""

    @tool
    def clock() -> str:
        """Tell the time."""
        return "noon"

    with metered(tmp_path, capped(cap="1")) as meter:
        writer = meter.ledger._writer  # pyright: ignore[reportPrivateUsage]
        with writer._lock:  # pyright: ignore[reportPrivateUsage] - nobody else can commit
            with meter.task(ACME):
                clock.invoke({})
            with meter.task(ACME):
                model.invoke("hi")
        assert meter.ledger.verify() == []
    assert model.requests == 1
