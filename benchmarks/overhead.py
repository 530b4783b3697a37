"""Microseconds added per model step, beside langchain-core's own UsageMetadataCallbackHandler.

    python benchmarks/overhead.py [--rounds N] [--json]

One process, the same graph (ten nodes, one model call each, a model that answers at once), variants
interleaved in random order; p50 over rounds of the time of one invoke divided by ten. The usage handler
writes nothing; spendgraph writes a durable row per step (WAL, synchronous=NORMAL). Machines are noisy: read
the ratio, not the microseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langgraph.graph import END, START, StateGraph
from models import InstantModel
from typing_extensions import TypedDict

from spendgraph import CostContext, Meter

STEPS = 10
CONTEXT = CostContext(
    feature="inbox-triage",
    team="support",
    tenant="acme",
    workload_class="interactive",
    environment="production",
)


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

    def installed() -> None:
        meter.install()
        try:
            with meter.task(CONTEXT):
                run(None)
        finally:
            meter.uninstall()

    def task() -> None:
        with meter.task(CONTEXT):
            run(None)

    return {
        "no handler": lambda: run(None),
        "usage handler": lambda: run({"callbacks": [UsageMetadataCallbackHandler()]}),
        "spendgraph config": lambda: run(meter.config(CONTEXT)),
        "spendgraph task": task,
        "spendgraph install": installed,
    }


def measure(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """p50 of one step in microseconds, by variant."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    clock = time.process_time_ns
    for way in ways.values():
        for _ in range(5):
            way()
    order = list(ways)
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            begun = clock()
            ways[name]()
            times[name].append((clock() - begun) / STEPS / 1000)
        gc.collect(0)
    gc.enable()
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = InstantModel()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        meter = Meter(Path(folder) / "ledger.db")
        graph = build_graph(model, is_async=False)
        results["sync"] = measure(
            variants(meter, lambda config: graph.invoke({"n": 0}, config)), options.rounds
        )
        agraph = build_graph(model, is_async=True)
        with asyncio.Runner() as runner:

            def arun(config: Any) -> None:
                runner.run(agraph.ainvoke({"n": 0}, config))

            results["async"] = measure(variants(meter, arun), options.rounds)
        meter.close()
    if options.json:
        print(json.dumps(results))
        return
    for mode, p50 in results.items():
        bare, usage = p50["no handler"], p50["usage handler"]
        print(f"{mode}: a step without a handler takes {bare:.0f} us")
        for name, each in p50.items():
            if name != "no handler":
                added = each - bare
                print(
                    f"  {name:20} adds {added:6.1f} us a step, {added / (usage - bare):5.2f} x the usage handler"
                )


if __name__ == "__main__":
    main()
