"""An agent that a process runs until it waits for a person, and that other processes decide about and resume.

As a process of its own it runs until it is killed. What it pays for is a line in a file, whoever runs it.
"""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

from approvals.asking import line, paying, waiting
from budgets.fanout import ACME
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.policy import load_policy

FOLDER = Path(os.environ.get("AGENT_FOLDER", "."))


def graph() -> Any:
    """Three nodes that each pay for one call."""
    model = ScriptedModel(before_answer=_pay)
    saver = SqliteSaver(sqlite3.connect(FOLDER / "checkpoints.db", check_same_thread=False))
    return line(saver, *[paying(model)] * 3)


def _pay() -> None:
    with (FOLDER / "paid").open("a") as file:
        file.write("paid\n")


def main() -> None:
    """Run until somebody has to decide, say so, and wait to be killed."""
    with Meter(FOLDER / "ledger.db", policy=load_policy(FOLDER / "spendgraph.yaml")) as meter:
        paused = graph().invoke({"answers": []}, meter.config(ACME, thread_id="42"))
        (FOLDER / "waits").write_text(waiting(paused)[0].id)
        time.sleep(60)


if __name__ == "__main__":
    main()
