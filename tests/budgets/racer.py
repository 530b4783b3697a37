"""A process that runs its share of the twenty branches whenever it is told to.

    python -m budgets.racer invoke|ainvoke BRANCHES

It reads the path of a ledger, opens it, says `ready`, waits for a line, and says how many of its branches were answered,
how many were refused, and how many requests its model got.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from budgets.fanout import ACME, capped, fan_out
from scripted import ScriptedModel
from spendgraph import Meter


def run(way: str, graph: Any, config: Any) -> list[str]:
    """What the branches say."""
    if way == "invoke":
        said = graph.invoke({"answers": []}, config)
    else:
        said = asyncio.run(graph.ainvoke({"answers": []}, config))
    answers: list[str] = said["answers"]
    return answers


def main() -> None:
    """Race."""
    way, branches = sys.argv[1], int(sys.argv[2])
    policy = capped()
    for line in sys.stdin:
        model = ScriptedModel()
        graph = fan_out(model, branches)
        with Meter(line.strip(), policy=policy) as meter:
            print("ready", flush=True)
            sys.stdin.readline()
            said = run(way, graph, meter.config(ACME))
        print(said.count("ok"), said.count("refused"), model.requests, flush=True)


if __name__ == "__main__":
    main()
