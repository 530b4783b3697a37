"""Microseconds added per model step with four budgets that match, beside raw sqlite3 and other people's tracers.

    python benchmarks/reservations.py [--rounds N] [--mode MODE] [--json]

One process, the graph of overhead.py, three ways to run it: `invoke`, `ainvoke`, and eight `ainvoke` at once on one event loop. In
each round every handler runs in random order; what it adds is its time less that of the bare graph in the same
round, divided by the steps: *in the path* and *in all*, as overhead.py explains. Raw sqlite3 (raw.py) makes the reservation in one transaction and books the row in another. On
an event loop it does so once on the loop's own thread, which spendgraph never does, and once handed over to a thread and back,
which is what spendgraph is compared with there. Langfuse and LangSmith (tracers.py) write nothing to a disk and send nothing.

Machines are noisy: read the ratios. Behind each median stands its least and greatest over five parts of the rounds.
"""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import UsageMetadataCallbackHandler

from instant import CONTEXT, InstantModel
from overhead import ALL, BARE, IN_A_ROW, PATH, STEPS, build_graph, sample
from raw import HandedOverHandler, RawHandler, RawReservations, make_ledger
from spendgraph import Meter
from spendgraph.policy import parse_policy
from tracers import LANGFUSE, tracers

RAW = "raw sqlite3"
HANDED_OVER = "raw, handed over"
OURS = "spendgraph, four budgets"
AT_ONCE = 8
MODES = ("invoke", "ainvoke", f"{AT_ONCE} x ainvoke")
PARTS = 5
FOUR_BUDGETS = parse_policy("""
budgets:
  - {name: organisation, period: month, limit_usd: 100000}
  - {name: tenant, per: tenant, period: month, limit_usd: 100000}
  - {name: feature, per: feature, period: day, limit_usd: 100000}
  - {name: task, per: task, limit_usd: 1000}
""")


class Bench:
    """The handlers to compare, on ledgers of their own.

    Args:
        folder: Where the ledgers are made.
    """

    def __init__(self, folder: Path) -> None:
        windows = [f"raw {n}" for n in range(4)]
        make_ledger(folder / "raw.db", windows)
        raw = RawHandler(RawReservations(folder / "raw.db", windows))
        make_ledger(folder / "thread.db", windows)
        handed_over = HandedOverHandler(RawReservations(folder / "thread.db", windows))
        self.plain = Meter(folder / "plain.db")
        self.budgets = Meter(folder / "budgets.db", policy=FOUR_BUDGETS)
        self.configs: dict[str, Callable[[], Any]] = {
            BARE: lambda: None,
            "usage handler": lambda: {"callbacks": [UsageMetadataCallbackHandler()]},
            RAW: lambda: {"callbacks": [raw]},
            HANDED_OVER: lambda: {"callbacks": [handed_over]},
            **{name: _callbacks(make) for name, make in tracers().items()},
            "spendgraph, no budgets": lambda: self.plain.config(CONTEXT),
            OURS: lambda: self.budgets.config(CONTEXT),
        }

    def times(self, mode: str, rounds: int) -> dict[str, dict[str, list[float]]]:
        """Microseconds a step by handler, one for each round, in the path and in all."""
        graph = build_graph(InstantModel(), is_async=mode != "invoke")
        if mode == "invoke":
            ways = {
                name: _calling(lambda config: graph.invoke({"n": 0}, config), make)
                for name, make in self.configs.items()
                if name != HANDED_OVER
            }
            return self._sample(ways, rounds, 1)
        at_once = 1 if mode == "ainvoke" else AT_ONCE

        async def run(make: Callable[[], Any]) -> None:
            await asyncio.gather(*(graph.ainvoke({"n": 0}, make()) for _ in range(at_once)))

        with asyncio.Runner() as runner:

            def running(make: Callable[[], Any]) -> Callable[[], None]:
                return lambda: runner.run(run(make))

            ways = {name: running(make) for name, make in self.configs.items()}
            return self._sample(ways, rounds, at_once)

    def _sample(
        self, ways: dict[str, Callable[[], None]], rounds: int, at_once: int
    ) -> dict[str, dict[str, list[float]]]:
        steps, repeat = STEPS * at_once, max(IN_A_ROW // at_once, 2)
        return {
            PATH: sample(ways, max(rounds // at_once, 4 * PARTS), steps=steps, settle=self._settle),
            ALL: sample(ways, rounds // 4, steps=steps, repeat=repeat, settle=self._settle),
        }

    def _settle(self) -> None:
        self.plain.flush()
        self.budgets.flush()

    def close(self) -> None:
        """Close the meters."""
        self.plain.close()
        self.budgets.close()


def _callbacks(make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: {"callbacks": [make()]}


def _calling(act: Callable[[Any], Any], argument: Callable[[], Any]) -> Callable[[], None]:
    def call() -> None:
        act(argument())

    return call


def added(times: dict[str, list[float]], name: str) -> list[float]:
    """What a handler adds to a step: the median of all rounds, then of each of five parts."""
    paired = [each - base for each, base in zip(times[name], times[BARE], strict=True)]
    size = len(paired) // PARTS
    parts = [paired[n * size : (n + 1) * size] for n in range(PARTS)]
    return [statistics.median(part) for part in (paired, *parts)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=80, help="how often each handler runs, at most")
    parser.add_argument(
        "--mode", action="append", choices=MODES, help="only this way to run it; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        for mode in options.mode or MODES:
            found = bench.times(mode, max(options.rounds, 8 * PARTS))
            results[mode] = {
                where: {name: added(times, name) for name in times if name != BARE}
                for where, times in found.items()
            }
            if not options.json:
                for where, times in found.items():
                    _show(f"{mode}, {where}", statistics.median(times[BARE]), results[mode][where])
        bench.close()
    if options.json:
        print(json.dumps(results))


def _show(title: str, bare: float, results: dict[str, list[float]]) -> None:
    print(f"{title}: a step without a handler takes {bare:.0f} us")
    reference = HANDED_OVER if HANDED_OVER in results else RAW
    langfuse = results.get(LANGFUSE)
    for name, medians in results.items():
        against = f"{_ratio(medians, results[reference])} x {reference}"
        if name == OURS and langfuse is not None:
            against += f", {_ratio(medians, langfuse)} x {LANGFUSE}"
        print(f"  {name:24} adds {medians[0]:7.1f} us a step, {against}")
    if langfuse is None:
        print("  (Langfuse is not installed: `make bench` brings it.)")


def _ratio(medians: list[float], reference: list[float]) -> str:
    whole, *parts = (mine / other for mine, other in zip(medians, reference, strict=True))
    return f"{whole:5.2f} ({min(parts):.2f} to {max(parts):.2f})"


if __name__ == "__main__":
    main()
