"""Microseconds added per model step with four budgets that match, beside raw sqlite3 doing the same statements.

    python benchmarks/reservations.py [--rounds N] [--json]

One process, the same graph as in overhead.py, the ways interleaved in random order; per way the p50 over rounds of
its time less that of the bare graph in the same round, divided by ten. The raw handler makes the reservation in one
transaction and books the row in another, on the ledger's own tables, with `synchronous=NORMAL`: nothing else, no
usage read, no price, no context, no lookup. Machines are noisy: read the ratio.
"""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler

from instant import CONTEXT, InstantModel
from overhead import BARE, build_graph, measure
from spendgraph import Meter
from spendgraph.ledger import Ledger, StepRow, TaskStart
from spendgraph.ledger.statements import STATEMENTS
from spendgraph.policy import parse_policy

RAW = "raw sqlite3"
FOUR_BUDGETS = parse_policy("""
budgets:
  - {name: organisation, period: month, limit_usd: 100000}
  - {name: tenant, per: tenant, period: month, limit_usd: 100000}
  - {name: feature, per: feature, period: day, limit_usd: 100000}
  - {name: task, per: task, limit_usd: 1000}
""")


class RawHandler(BaseCallbackHandler):
    """The statements of a reservation and of a booking, and nothing else."""

    raise_error = True
    run_inline = True

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.execute = self.connection.cursor().execute
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 10000"):
            self.execute(f"PRAGMA {pragma}")
        self.windows: list[int] = []
        for n in range(4):
            self.execute("INSERT INTO windows (budget, scope, start_us) VALUES (?, '', 0)", (f"raw {n}",))
            self.windows.append(self.execute("SELECT last_insert_rowid()").fetchone()[0])

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Reserve."""
        execute = self.execute
        execute("BEGIN IMMEDIATE")
        for window in self.windows:
            execute(
                "SELECT spent_nanousd, held_nanousd FROM windows WHERE window_id = ?", (window,)
            ).fetchone()
        for window in self.windows:
            execute(
                "UPDATE windows SET held_nanousd = held_nanousd + ?, held_calls = held_calls + 1 WHERE window_id = ?",
                (5, window),
            )
        execute(
            "INSERT INTO holds (hold_id, holder, windows, held_nanousd, held_tokens, step, lease_until_us)"
            " VALUES (?, 'raw', '[]', 5, 0, '{}', 0)",
            (str(run_id),),
        )
        execute("COMMIT")

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Book."""
        execute = self.execute
        execute("BEGIN IMMEDIATE")
        row = StepRow(str(run_id), "raw", "model", CONTEXT.context_id, 1, 2, 3, cost_nanousd=5)
        execute(STATEMENTS[StepRow][0], tuple(row))
        execute("DELETE FROM holds WHERE hold_id = ?", (str(run_id),))
        for window in self.windows:
            execute(
                "UPDATE windows SET held_nanousd = held_nanousd - ?, held_calls = held_calls - 1,"
                " spent_nanousd = spent_nanousd + ? WHERE window_id = ?",
                (5, 5, window),
            )
            execute("INSERT INTO step_windows (step_id, window_id) VALUES (?, ?)", (str(run_id), window))
        execute("COMMIT")


def raw_handler(folder: Path) -> RawHandler:
    """A raw handler on a ledger of its own."""
    path = folder / "raw.db"
    with Meter(path) as meter, meter.task(CONTEXT):
        InstantModel().invoke("hi")
    with Ledger.open(path) as ledger:
        ledger.post(TaskStart("raw", None, CONTEXT.context_id, "", "", 0))
    return RawHandler(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="how often each way runs")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        graph = build_graph(InstantModel(), is_async=False)
        raw = raw_handler(folder)
        with (
            Meter(folder / "plain.db") as plain,
            Meter(folder / "budgets.db", policy=FOUR_BUDGETS) as budgets,
        ):

            def task(meter: Meter) -> None:
                with meter.task(CONTEXT):
                    graph.invoke({"n": 0})

            added = measure(
                {
                    BARE: lambda: graph.invoke({"n": 0}),
                    "usage handler": lambda: graph.invoke(
                        {"n": 0}, {"callbacks": [UsageMetadataCallbackHandler()]}
                    ),
                    RAW: lambda: graph.invoke({"n": 0}, {"callbacks": [raw]}),
                    "spendgraph, no budgets": lambda: task(plain),
                    "spendgraph, four budgets": lambda: task(budgets),
                },
                options.rounds,
            )
    if options.json:
        print(json.dumps(added))
        return
    print(f"a step without a handler takes {added[BARE]:.0f} us")
    for way, microseconds in added.items():
        if way != BARE:
            print(f"  {way:24} adds {microseconds:6.1f} us a step, {microseconds / added[RAW]:5.2f} x {RAW}")


if __name__ == "__main__":
    main()
