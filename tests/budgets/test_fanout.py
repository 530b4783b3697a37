"""Twenty branches at once, room for four: four calls go out, sixteen do not, and the cap is spent to the cent."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from budgets.fanout import ACME, CAP_NANOUSD, capped, fan_out
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.ledger import Ledger

ADMITTED = {"ok": 4, "refused": 16}


def spent(ledger: Ledger) -> int:
    """Of the cap, in nano-USD."""
    (row,) = ledger.windows()
    assert row["held_nanousd"] == 0
    return sum(step["cost_nanousd"] for step in ledger.steps())


@pytest.mark.parametrize("reserve", ["expected", "strict"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_four_of_twenty_branches_are_admitted(tmp_path: Path, way: str, reserve: str) -> None:
    """Whatever the threads or tasks do; repeated, because a race is not seen at once."""
    for n in range(10):
        model = ScriptedModel()
        with Meter(tmp_path / f"{n}.db", policy=capped(reserve=reserve)) as meter:
            graph, config = fan_out(model), meter.config(ACME)
            if way == "invoke":
                said = graph.invoke({"answers": []}, config)
            else:
                said = asyncio.run(graph.ainvoke({"answers": []}, config))
            assert Counter(said["answers"]) == ADMITTED
            assert model.requests == 4
            assert spent(meter.ledger) == CAP_NANOUSD
            assert meter.ledger.verify() == []


def test_four_of_twenty_over_four_processes(tmp_path: Path) -> None:
    """Each runs the whole graph on the same ledger: still four in all."""
    path = tmp_path / "ledger.db"
    Meter(path, policy=capped()).close()
    code = (
        "from budgets.fanout import ACME, capped, fan_out\nfrom scripted import ScriptedModel\nfrom spendgraph import Meter\n"
        f"with Meter({str(path)!r}, policy=capped()) as meter:\n"
        "    said = fan_out(ScriptedModel()).invoke({'answers': []}, meter.config(ACME))['answers']\n"
        "    print(said.count('ok'))\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        )
        for _ in range(4)
    ]
    assert sum(int(process.communicate(timeout=120)[0]) for process in running) == 4
    with Ledger.open(path) as ledger:
        assert spent(ledger) == CAP_NANOUSD
        assert ledger.verify() == []
