"""Microseconds added per model step, beside langchain-core's own UsageMetadataCallbackHandler.

    python benchmarks/overhead.py [--rounds N] [--json]

One process, the same graph (ten nodes, one model call each, a model that answers at once), the ways interleaved
in random order; per way the p50 over rounds of its time less that of the bare graph in the same round, divided
by the steps. The usage handler writes nothing. spendgraph has every step in its journal before the next one starts, and
some 50 ms later in its tables, written by a thread beside. So there are two figures: *in the path*, what a step waits for (one run of the
graph, what is queued is written before the next way runs), and *in all* (sixteen runs in a row, and the time lasts until every
row is in its table). Machines are noisy: read the ratios, not the microseconds.
"""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from instant import CONTEXT, InstantModel
from spendgraph import Meter

STEPS = 10
IN_A_ROW = 16
"""Runs of the graph whose rows are all written within the time that is measured."""
PATH, ALL = "in the path", "in all"
BARE = "no handler"
USAGE = "usage handler"


class State(TypedDict):
    """Nothing but a counter."""

    n: int


def build_graph(model: InstantModel, *, is_async: bool) -> Any:
    """Ten nodes in a row, one model call each."""

    def call(state: State) -> State:
        model.invoke("hello")
        return {"n": state["n"] + 1}

    async def acall(state: State) -> State:
        await model.ainvoke("hello")
        return {"n": state["n"] + 1}

    builder = StateGraph(State)
    previous = START
    for i in range(STEPS):
        builder.add_node(f"n{i}", acall if is_async else call)
        builder.add_edge(previous, f"n{i}")
        previous = f"n{i}"
    builder.add_edge(previous, END)
    return builder.compile()


def variants(meter: Meter, run: Callable[[Any], None]) -> dict[str, Callable[[], None]]:
    """The ways to run it, by name."""

    def task() -> None:
        with meter.task(CONTEXT):
            run(None)

    def installed() -> None:
        meter.install()
        try:
            task()
        finally:
            meter.uninstall()

    return {
        BARE: lambda: run(None),
        "no-op handler": lambda: run({"callbacks": [BaseCallbackHandler()]}),
        USAGE: lambda: run({"callbacks": [UsageMetadataCallbackHandler()]}),
        "spendgraph, config": lambda: run(meter.config(CONTEXT)),
        "spendgraph, task": task,
        "spendgraph, install": installed,
    }


def sample(
    ways: dict[str, Callable[[], None]],
    rounds: int,
    *,
    steps: int = STEPS,
    repeat: int = 1,
    settle: Callable[[], None] = lambda: None,
) -> dict[str, list[float]]:
    """Microseconds of one step of each way, by round: in each, every way runs in random order.

    Args:
        ways: What is run.
        rounds: How often.
        steps: How many steps one run has.
        repeat: How many runs in a row. If it is more than one, the time includes the writing of what they left queued.
        settle: Writes what is queued, so that no way is charged with another's rows.
    """
    for way in ways.values():
        for _ in range(5):
            way()
    order = list(ways)
    times: dict[str, list[float]] = {name: [] for name in ways}
    settle()
    gc.collect()
    gc.disable()
    for done in range(rounds):
        random.shuffle(order)
        for name in order:
            begun = time.perf_counter_ns()
            for _ in range(repeat):
                ways[name]()
            if repeat > 1:
                settle()
            times[name].append((time.perf_counter_ns() - begun) / steps / repeat / 1000)
            settle()
        if done % 20 == 0:
            gc.collect()
            if sys.stderr.isatty():
                print(f"\r{done} of {rounds} rounds", end="", file=sys.stderr, flush=True)
    gc.enable()
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    return times


def added(times: dict[str, list[float]]) -> dict[str, float]:
    """What each way adds to a step of the bare graph: p50 of paired differences; and what that takes."""
    bare = times[BARE]
    more = {
        name: statistics.median(each - base for each, base in zip(taken, bare, strict=True))
        for name, taken in times.items()
        if name != BARE
    }
    return {BARE: statistics.median(bare), **more}


def measure(
    ways: dict[str, Callable[[], None]], rounds: int, settle: Callable[[], None]
) -> dict[str, dict[str, float]]:
    """What each way adds in the path and in all."""
    in_all = max(rounds // IN_A_ROW, 5)
    return {
        PATH: added(sample(ways, rounds, settle=settle)),
        ALL: added(sample(ways, in_all, repeat=IN_A_ROW, settle=settle)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="how often each way runs")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    model = InstantModel()
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, Meter(Path(folder) / "ledger.db") as meter:

        def settle() -> None:
            meter.flush()

        graph = build_graph(model, is_async=False)
        ways = variants(meter, lambda config: graph.invoke({"n": 0}, config))
        results["sync"] = measure(ways, options.rounds, settle)
        agraph = build_graph(model, is_async=True)
        with asyncio.Runner() as runner:

            def arun(config: Any) -> None:
                runner.run(agraph.ainvoke({"n": 0}, config))

            results["async"] = measure(variants(meter, arun), options.rounds, settle)
    if options.json:
        print(json.dumps(results))
        return
    for mode, found in results.items():
        print(f"{mode}: a step without a handler takes {found[PATH][BARE]:.0f} us")
        for name in found[PATH]:
            if name != BARE:
                figures = (
                    f"{figure[name]:7.1f} us {where}, {figure[name] / figure[USAGE]:5.2f} x"
                    for where, figure in found.items()
                )
                print(f"  {name:20} adds a step {'; '.join(figures)} the usage handler")


if __name__ == "__main__":
    main()
