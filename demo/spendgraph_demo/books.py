"""What the ledger knows of one run of the demo, read through its public face alone."""

from __future__ import annotations

from dataclasses import dataclass

from spendgraph.ledger import Ledger, TaskTree
from spendgraph_demo.scenario import Run

SHOWN = "contract-review/acme"
"""The case whose steps are shown: it uses both tools."""


@dataclass(frozen=True, slots=True)
class Books:
    """One run in numbers; money is integer nano-USD.

    Attributes:
        tasks: How many tasks were run, the untagged call included.
        steps: How many steps they took.
        total_nanousd: What all of it cost.
        unattributed_nanousd: The part of it that lacks required tags.
        unattributed_steps: How many steps lack them.
        spend: Dollars by feature and tenant, of what is attributed.
        owners: Dollars by the team that provided the steps.
        tree: One task, step by step.
        problems: What is wrong with the ledger; nothing, if all is well.
    """

    tasks: int
    steps: int
    total_nanousd: int
    unattributed_nanousd: int
    unattributed_steps: int
    spend: dict[tuple[str, str], int]
    owners: dict[str, int]
    tree: TaskTree
    problems: list[str]

    @property
    def task_id(self) -> str:
        """The id of the task that is shown."""
        return str(self.tree.row["task_id"])


def read_books(ledger: Ledger, run: Run, *, since_us: int, shown: str = SHOWN) -> Books:
    """Read what was booked since the run began."""
    total = ledger.spend(since=since_us)[0]
    nobody = ledger.spend(since=since_us, feature="", tenant="")
    return Books(
        tasks=total["tasks"],
        steps=total["steps"],
        total_nanousd=total["cost_nanousd"],
        unattributed_nanousd=total["unattributed_nanousd"],
        unattributed_steps=nobody[0]["steps"] if nobody else 0,
        spend={
            (row["feature"], row["tenant"]): row["cost_nanousd"]
            for row in ledger.spend(["feature", "tenant"], since=since_us, missing_tags="")
        },
        owners={
            row["owner_team"]: row["cost_nanousd"] for row in ledger.spend(["owner_team"], since=since_us)
        },
        tree=ledger.task(run.task_ids[shown]),
        problems=[str(problem) for problem in ledger.verify()],
    )
