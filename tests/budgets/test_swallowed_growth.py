"""What is remembered of refusals, attempts and answers does not grow with a task or a root that lives long."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from budgets.fanout import ACME
from budgets.test_traps import run
from hooks.graphs import graph_of
from scripted import PRICES, ScriptedModel
from spendgraph import BudgetExceeded, Meter, Refusal, RefusalSwallowed
from spendgraph.hooks.places import Place, Run, Task
from spendgraph.hooks.swallowed import Refused, Swallowed, note_admission, note_refusal_inside
from spendgraph.policy import parse_policy

EITHER_WAY = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
NO_CALLS = parse_policy(f"{PRICES}\nbudgets: [{{name: cap, owner: growth, limit_calls: 0}}]")
PROMPT = "x" * 100_000


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    """No call fits its budget."""
    with Meter(tmp_path / "ledger.db", policy=NO_CALLS) as meter:
        yield meter


def a_root() -> Run:
    """A root and its place."""
    return Run(Place(Task("t", ACME, 0), ACME), None, {})


def below(parent: Run, namespace: str = "") -> Run:
    """A run inside, of a node if it has a namespace."""
    place = parent.place.moved()
    place.checkpoint_ns = namespace or parent.place.checkpoint_ns
    return Run(place, parent, {})


def kept_by(root: Run) -> int:
    """How many refusals a root keeps."""
    assert root.refused is not None
    return len(root.refused.still_open())


@EITHER_WAY
@pytest.mark.parametrize("handled", [True, False], ids=["handled", "ignored"])
def test_a_loop_of_refused_calls_keeps_none_of_their_prompts(
    meter: Meter, handled: bool, asynchronous: bool
) -> None:
    """Each prompt has 100 KB; after 300 of them less than one more of them is in memory than after 100."""
    model = ScriptedModel()
    sizes: list[int] = []

    def caught(refusal: Refusal, n: int) -> None:
        if handled:
            refusal.handled()
        if n in {99, 299}:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])

    def loop(_: Any) -> int:
        for n in range(300):
            try:
                model.invoke(f"{n}{PROMPT}")
            except Refusal as refusal:
                caught(refusal, n)
        return 1

    async def aloop(_: Any) -> int:
        for n in range(300):
            try:
                await model.ainvoke(f"{n}{PROMPT}")
            except Refusal as refusal:
                caught(refusal, n)
        return 1

    tracemalloc.start()
    try:
        chain = RunnableLambda(loop, aloop)
        if handled:
            assert run(chain, 1, meter.config(ACME), asynchronous=asynchronous) == 1
        else:
            with pytest.raises(RefusalSwallowed):
                run(chain, 1, meter.config(ACME), asynchronous=asynchronous)
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < len(PROMPT)


def test_what_comes_back_is_the_refusal_itself_while_somebody_has_it(meter: Meter) -> None:
    """Else all of it but its traceback."""
    caught: list[Refusal] = []

    def node(state: Any) -> dict[str, int]:
        try:
            ScriptedModel().invoke("hi")
        except Refusal as refusal:
            if state["n"]:
                caught.append(refusal)
        gc.collect()  # LangChain has it in a circle of frames
        return {"n": 2}

    with pytest.raises(RefusalSwallowed) as error:
        graph_of(node).invoke({"n": 1}, meter.config(ACME))
    assert error.value.refusal is caught[0]
    with pytest.raises(RefusalSwallowed) as error:
        graph_of(node).invoke({"n": 0}, meter.config(ACME))
    bare = error.value.refusal
    assert isinstance(bare, BudgetExceeded)
    assert (bare.budget, bare.owner, bare.limit, bare.reason) == ("cap", "growth", 0, "budget_exceeded")
    assert str(bare) == str(caught[0])
    assert bare.__traceback__ is None


def test_refusals_that_are_handled_are_dropped() -> None:
    """Whenever that is said; one of a thousand that is not comes back."""
    root = a_root()
    inside = below(root)
    refusals = [Refusal(str(n)) for n in range(1_000)]
    for refusal in refusals:
        note_refusal_inside(inside, refusal)
    assert kept_by(root) == 1_000
    for refusal in refusals:
        if str(refusal) != "700":
            refusal.handled()
    assert kept_by(root) == 1
    error = Swallowed(raises=True).ends_well(root)
    assert error is not None
    assert error.refusal is refusals[700]


def test_of_what_a_run_ignored_for_good_little_is_kept() -> None:
    """Nobody can handle what nobody has; another call of the run settles all of it."""
    root = a_root()
    one, other = below(root), below(root)
    for each in (one, other):
        for n in range(1_000):
            note_refusal_inside(each, Refusal(str(n)))
    assert kept_by(root) < 40
    note_admission(one)
    assert kept_by(root) > 0
    note_admission(other)
    assert kept_by(root) == 0


def test_a_refusal_that_was_noted_does_not_outlive_its_catcher() -> None:
    """Its frames go with it."""
    root = a_root()
    refusal = Refusal("no")
    note_refusal_inside(below(root), refusal)
    gone = weakref.ref(refusal)
    del refusal
    assert gone() is None
    assert kept_by(root) == 1


def test_several_threads_lose_no_refusal() -> None:
    """They tell of them, and settle others, at the same time."""
    root = a_root()
    runs = [below(root, f"node:{n}") for n in range(8)]
    kept: list[list[Refusal]] = [[] for _ in runs]
    ready = threading.Barrier(len(runs))

    def work(n: int) -> None:
        ready.wait()
        settled = below(root, f"settled:{n}")
        for m in range(500):
            kept[n].append(Refusal(f"{n}.{m}"))
            note_refusal_inside(runs[n], kept[n][-1])
            note_refusal_inside(settled, Refusal("settled"))
            note_admission(settled)

    for _ in range(5):
        root.refused = None
        with ThreadPoolExecutor(len(runs)) as pool:
            list(pool.map(work, range(len(runs))))
        assert root.refused is not None
        refused: Refused = root.refused
        assert len(refused.still_open()) == 8 * 500


def test_attempts_of_nodes_that_failed_are_not_counted_for_ever(meter: Meter) -> None:
    """A task that goes on and on; what retries now is counted all the same."""

    def bad(_: Any) -> Any:
        raise ValueError("no")

    graph = graph_of(bad)
    with meter.task(ACME):
        task = meter.attribution.current_task()
        assert task is not None
        for _ in range(1_100):
            with pytest.raises(ValueError, match="no"):
                graph.invoke({"n": 0})
        assert 500 < len(task.attempts) <= 1_024


@EITHER_WAY
def test_answers_are_forgotten_with_the_run_that_brought_them(meter: Meter, asynchronous: bool) -> None:
    """One task, many threads."""

    def ask(_: Any) -> dict[str, int]:
        interrupt("?")
        return {"n": 1}

    def fail(_: Any) -> dict[str, int]:
        raise ValueError(interrupt("?"))

    with meter.task(ACME):
        task = meter.attribution.current_task()
        assert task is not None
        for node in (ask, fail):
            graph = graph_of(node, InMemorySaver())
            for n in range(3):
                config = {"configurable": {"thread_id": str(n)}}
                run(graph, {"n": 0}, config, asynchronous=asynchronous)
                answer: Any = Command(resume="y")
                try:
                    run(graph, answer, config, asynchronous=asynchronous)
                except ValueError:
                    assert node is fail
        assert task.answers == {}
