"""What `allow` does not let out: missing tags, unknown prices, budgets, answers that nobody can read, swallowed errors."""

# LangChain's and LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from budgets.fanout import PRICES
from budgets.test_traps import WAYS
from faults.kit import (
    BOTH_WAYS,
    CLOCK,
    EVAL,
    EVERY_WAY,
    FAULTS,
    LENIENT,
    PRODUCTION,
    decisions,
    lenient,
    locked,
)
from scripted import PRICES as TOKEN_PRICES
from scripted import ScriptedModel
from spendgraph import (
    ApprovalRequired,
    BudgetExceeded,
    ContextMissing,
    LedgerBusy,
    LedgerUnavailable,
    Meter,
    Refusal,
    UnboundedCall,
    UnpricedModel,
)
from spendgraph.policy import parse_policy

REFUSED: dict[str, tuple[str, type[Refusal]]] = {
    "context missing": (
        "attribution: {required: [cost_center], on_missing: block}",
        ContextMissing,
    ),
    "price unknown": ("prices: {unpriced: block}", UnpricedModel),
    "too dear": (f"{PRICES}\nbudgets: [{{name: one, per: call, limit_usd: '0.001'}}]", BudgetExceeded),
    "no ceiling": (
        f"{TOKEN_PRICES}\nbudgets: [{{name: strict, limit_usd: 1, reserve: strict}}]",
        UnboundedCall,
    ),
}


@EVERY_WAY
@pytest.mark.parametrize("fault", ["none", "locked", "file gone", "clock back"])
@pytest.mark.parametrize("why", REFUSED)
def test_what_is_no_fault_of_the_ledger_is_refused_in_an_outage_too(
    path: Path, impatient: None, model: ScriptedModel, why: str, fault: str, way: str
) -> None:
    """Missing tags, an unknown price and a call that no budget admits: their own errors, and a decision afterwards."""
    text, error = REFUSED[why]
    with Meter(path, policy=parse_policy(f"{text}\n{LENIENT}"), clock=CLOCK) as meter:
        with FAULTS.get(fault, lambda _: closing(_Nothing()))(path), pytest.raises(error):
            WAYS[way](model, meter.config(EVAL))
        assert model.requests == 0
        meter.ledger.ready()
        assert [outcome for _, outcome in decisions(meter)] == ["refused"]
        assert meter.ledger.verify() == []


class _Nothing:
    def close(self) -> None:
        """Nothing was done."""


@pytest.mark.parametrize(
    "way", ["invoke", "stream", "batch"]
)  # an event loop's ledger thread writes what is queued first
def test_a_budget_that_has_no_room_says_no_although_the_ledger_fails_then(
    path: Path, impatient: None, model: ScriptedModel, way: str
) -> None:
    """Before a no, everything queued is counted; if that fails, the no stands, whatever the policy allows."""
    with Meter(path, policy=lenient(cap="0.01"), clock=CLOCK) as meter:
        WAYS[way](model, meter.config(EVAL))
        meter.flush()
        # Queued, without waking the ledger thread, which has nothing to do any more.
        time.sleep(0.2)
        meter.ledger._writer.queued.append((_a_step(meter),))  # pyright: ignore[reportPrivateUsage]
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA legacy_alter_table = ON")
            other.execute("ALTER TABLE steps RENAME TO away")
            with pytest.raises(LedgerUnavailable) as caught:
                WAYS[way](model, meter.config(EVAL))
            other.execute("ALTER TABLE away RENAME TO steps")
        assert caught.value.had_no_room
        assert model.requests == 1
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(EVAL))


def _a_step(meter: Meter) -> Any:
    from ledger.rows import step

    (booked,) = meter.ledger.steps()
    return step("another", task_id=booked["task_id"], context_id=booked["context_id"])


# Callbacks


class Broken(BaseCallbackHandler):
    """A host's own handler, which fails at every start."""

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        raise ValueError("the host's own handler is broken")


class BrokenToo(AsyncCallbackHandler):
    """The same, asynchronous: LangChain swallows what it raises, on synchronous paths whatever it says."""

    raise_error = True

    async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        raise ValueError("the host's own asynchronous handler is broken")


@EVERY_WAY
@pytest.mark.parametrize("attach", ["config", "install", "task"])
def test_no_path_swallows_what_the_handler_raises(
    meter: Meter, path: Path, model: ScriptedModel, attach: str, way: str
) -> None:
    """However the meter is attached, whichever way the call is made: the error arrives, and nothing is sent."""
    config: Any = meter.config(PRODUCTION) if attach == "config" else {"metadata": PRODUCTION.metadata()}
    config = {} if attach == "task" else config
    if attach == "install":
        meter.install()
    block = meter.task(PRODUCTION) if attach == "task" else nullcontext()
    with locked(path), pytest.raises(LedgerBusy), block:
        WAYS[way](model, config)
    assert model.requests == 0
    meter.uninstall()


@EVERY_WAY
@pytest.mark.parametrize("handler", [Broken, BrokenToo])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_another_handlers_failure_does_not_send_what_ours_refuses(
    path: Path, impatient: None, model: ScriptedModel, handler: Callable[[], BaseCallbackHandler], way: str
) -> None:
    """LangChain logs and swallows it, or raises it; the refused call is not sent."""
    policy = parse_policy(f"{PRICES}\nbudgets: [{{name: none, limit_usd: 0}}]")
    with Meter(path, policy=policy) as meter:
        config = meter.config(PRODUCTION, {"callbacks": [handler()]})
        with pytest.raises((BudgetExceeded, ValueError)):
            WAYS[way](model, config)
        assert model.requests == 0
    gc.collect()  # LangChain leaves the other handler's coroutine: its warning belongs here


_SORRY: Any = RunnableLambda(lambda _: "sorry")


def _swallowing(model: ScriptedModel) -> str:
    try:
        return str(model.invoke("hi").content)
    except Exception:  # noqa: BLE001 - what users write
        return "sorry"


SWALLOWED: dict[str, Callable[[ScriptedModel], Any]] = {
    "with_retry": lambda model: model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False),
    "with_fallbacks": lambda model: model.with_fallbacks([_SORRY]),
    "except Exception": lambda model: RunnableLambda(lambda _: _swallowing(model)),
}


@BOTH_WAYS
@pytest.mark.parametrize("how", SWALLOWED)
def test_retries_and_fallbacks_do_not_send_it_either(
    meter: Meter, path: Path, model: ScriptedModel, how: str, way: str
) -> None:
    """A ledger error is a plain error: it may be caught, and a retry asks the ledger again."""
    runnable = SWALLOWED[how](model)
    with locked(path):
        try:
            WAYS[way](runnable, meter.config(PRODUCTION))
        except LedgerBusy:
            assert how == "with_retry"
    assert model.requests == 0


# Answers


class State(TypedDict):
    """One answer."""

    answer: str


NONSENSE: dict[str, Any] = {
    "text": "yes",
    "a truth": True,
    "nothing": None,
    "no decision": {"decisions": []},
    "two decisions": {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    "another type": {"decisions": [{"type": "response"}]},
    "a list": [{"type": "approve"}],
    "an edit of nothing": {"decisions": [{"type": "edit"}]},
    "a negative amount": {
        "decisions": [{"type": "edit", "edited_action": {"name": "spend", "args": {"amount": "-5"}}}]
    },
    "another action": {
        "decisions": [{"type": "edit", "edited_action": {"name": "pay", "args": {"amount": "5"}}}]
    },
}

ASKS = parse_policy(
    f"{PRICES}\n{LENIENT}\nbudgets: [{{name: asks, limit_usd: 0, thresholds: [{{at: 100%, do: [approve]}}]}}]"
)


@pytest.fixture
def asking(path: Path, impatient: None) -> Iterator[Meter]:
    """A meter whose budget asks a person for everything."""
    with Meter(path, policy=ASKS, clock=CLOCK) as meter:
        yield meter


def _asking_graph(model: ScriptedModel) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("call", lambda _: {"answer": str(model.invoke("hi").content)})
    builder.add_edge(START, "call")
    return builder.compile(checkpointer=InMemorySaver())


def _run(graph: Any, way: str, inputs: Any, config: Any) -> Any:
    return asyncio.run(graph.ainvoke(inputs, config)) if way == "ainvoke" else graph.invoke(inputs, config)


@BOTH_WAYS
@pytest.mark.parametrize("answer", NONSENSE)
def test_an_answer_that_cannot_be_read_means_no(
    asking: Meter, model: ScriptedModel, answer: str, way: str
) -> None:
    """Nothing is sent, now or on the next try."""
    graph, config = _asking_graph(model), asking.config(EVAL, thread_id="1")
    assert "__interrupt__" in _run(graph, way, {"answer": ""}, config)
    value = NONSENSE[answer]
    resumed: Any = Command(resume=value) if value is not None else Command(resume="")
    for _ in range(2):
        with pytest.raises(ApprovalRequired):
            _run(graph, way, resumed, config)
    assert model.requests == 0


@BOTH_WAYS
def test_nobody_is_asked_and_nothing_is_let_out_where_the_ledger_fails_before_the_question(
    path: Path, impatient: None, model: ScriptedModel, way: str
) -> None:
    """The budget has said no: only the ledger can say yes, so `allow` does not apply."""
    with Meter(path, policy=ASKS, clock=CLOCK) as meter:
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA legacy_alter_table = ON")
            other.execute("ALTER TABLE approvals RENAME TO away")
            with pytest.raises(LedgerUnavailable):
                WAYS[way](model, meter.config(EVAL))
            other.execute("ALTER TABLE away RENAME TO approvals")
        assert model.requests == 0
        with pytest.raises(ApprovalRequired):
            WAYS[way](model, meter.config(EVAL))
