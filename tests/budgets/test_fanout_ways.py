"""The twenty branches of `test_fanout`, in every way in which a graph is run and a model is called."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from budgets.fanout import ACME, BRANCHES, capped, fan_out
from budgets.test_fanout import ADMITTED, check
from budgets.test_traps import EVERY_WAY, WAYS
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, Meter, Refusal

NOTHING: dict[str, list[str]] = {"answers": []}


async def _astream(graph: Any, config: Any) -> Any:
    return [state async for state in graph.astream(NOTHING, config, stream_mode="values")][-1]


GRAPH_WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "stream": lambda graph, config: list(graph.stream(NOTHING, config, stream_mode="values"))[-1],
    "astream": lambda graph, config: asyncio.run(_astream(graph, config)),
    "batch": lambda graph, config: graph.batch([NOTHING], config)[0],
    "abatch": lambda graph, config: asyncio.run(graph.abatch([NOTHING], config))[0],
}


@pytest.mark.parametrize("way", GRAPH_WAYS)
def test_four_of_twenty_branches_are_admitted_however_the_graph_is_run(tmp_path: Path, way: str) -> None:
    """Streamed or in a batch, on an event loop or not."""
    model = ScriptedModel()
    with Meter(tmp_path / "ledger.db", policy=capped()) as meter:
        said = GRAPH_WAYS[way](fan_out(model), meter.config(ACME))["answers"]
        assert Counter(said) == {"ok": ADMITTED, "refused": BRANCHES - ADMITTED}
        assert model.requests == ADMITTED
        check(meter.ledger)


@EVERY_WAY
def test_four_of_twenty_threads_are_admitted_whichever_way_they_call(tmp_path: Path, way: str) -> None:
    """Twenty threads, each of which calls the model by itself."""
    model = ScriptedModel()

    def call(config: Any) -> str:
        try:
            WAYS[way](model, config)
        except BudgetExceeded:
            return "refused"
        return "ok"

    with (
        Meter(tmp_path / "ledger.db", policy=capped()) as meter,
        ThreadPoolExecutor(BRANCHES) as pool,
    ):
        said = pool.map(call, [meter.config(ACME) for _ in range(BRANCHES)])
        assert Counter(said) == {"ok": ADMITTED, "refused": BRANCHES - ADMITTED}
        assert model.requests == ADMITTED
        check(meter.ledger)


@pytest.mark.parametrize("way", ["batch", "abatch"])
def test_four_of_a_batch_of_twenty_are_admitted(tmp_path: Path, way: str) -> None:
    """The refusals stand where the answers would."""
    model = ScriptedModel()
    hellos: list[Any] = ["hi"] * BRANCHES
    with Meter(tmp_path / "ledger.db", policy=capped()) as meter:
        config = meter.config(ACME)
        said: list[Any]
        if way == "batch":
            said = model.batch(hellos, config, return_exceptions=True)
        else:
            said = asyncio.run(model.abatch(hellos, config, return_exceptions=True))
        refused = [each for each in said if isinstance(each, Refusal)]
        assert (len(said), len(refused)) == (BRANCHES, BRANCHES - ADMITTED)
        assert {type(each) for each in refused} == {BudgetExceeded}
        assert model.requests == ADMITTED
        check(meter.ledger)
