"""The median that a task is compared with is looked up rarely, and never on an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.rows import ACME, step, task
from spendgraph.budgets.medians import FRESH_S, TaskMedians
from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import Ledger, TaskEnd
from spendgraph.ledger.history import Median

if TYPE_CHECKING:
    from collections.abc import Callable

TRIAGE = (("feature", ("triage",)),)


class Asked:
    """A ledger that remembers in which threads it was asked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.threads: list[int] = []
        self.fails = False

    def median_task_cost(self, tags: Any) -> Median:
        """What the ledger says."""
        self.threads.append(threading.get_ident())
        if self.fails:
            raise LedgerUnavailable("the disk is gone")
        return self._ledger.median_task_cost(tags)


def books(tmp_path: Path, *costs: int) -> Ledger:
    """A ledger with a finished task of each cost."""
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.post(ACME)
    finish(ledger, *costs)
    return ledger


def finish(ledger: Ledger, *costs: int) -> None:
    """One more finished task of each cost."""
    for cost in costs:
        row = step(cost_nanousd=cost)
        name = f"t-{row.step_id}"
        ledger.post(task(name), row._replace(task_id=name), TaskEnd(name, "finished", row.ended_us))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, on the loop."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("costs", "median"),
    [([5], Median(5, 1)), ([9, 1, 3], Median(3, 3)), ([1, 2, 4, 100], Median(3, 4)), ([], Median(0, 0))],
)
def test_the_middle_of_what_tasks_cost(tmp_path: Path, costs: list[int], median: Median) -> None:
    """Of an even number the middle of the two in the middle."""
    with books(tmp_path, *costs) as ledger:
        assert ledger.median_task_cost({"feature": ["triage", "search"], "tenant": ["acme"]}) == median


def test_tasks_that_are_running_have_failed_or_were_free_do_not_count(tmp_path: Path) -> None:
    """They say nothing about what a whole task costs."""
    with books(tmp_path, 3) as ledger:
        for name, status in (("a", "running"), ("b", "failed"), ("c", "refused")):
            ledger.post(task(name), step(task_id=name))
            if status != "running":
                ledger.post(TaskEnd(name, status, 2**50))
        finish(ledger, 0)
        assert ledger.median_task_cost({}) == (3, 1)


def test_it_is_worked_out_once_in_five_minutes(tmp_path: Path) -> None:
    """However often it is asked for; then in a thread, while the old one is used."""
    now = [0.0]
    with books(tmp_path, 3) as ledger:
        asked: Any = Asked(ledger)
        medians = TaskMedians(asked, clock=lambda: now[0])
        assert [medians.of(TRIAGE) for _ in range(5)] == [Median(3, 1)] * 5
        assert asked.threads == [threading.get_ident()]
        finish(ledger, 5)
        now[0] = FRESH_S
        assert medians.of(TRIAGE) == (3, 1)
        asyncio.run(until(lambda: medians.of(TRIAGE) == Median(4, 2)))
        assert len(asked.threads) == 2
        assert asked.threads[1] != threading.get_ident()


def test_on_an_event_loop_it_is_worked_out_in_a_thread(tmp_path: Path) -> None:
    """The loop asks, and is told the next time; one thread for all."""
    with books(tmp_path, 3) as ledger:
        asked: Any = Asked(ledger)
        medians = TaskMedians(asked)

        async def main() -> None:
            assert [medians.of(TRIAGE), medians.of(()), medians.of(TRIAGE)] == [None] * 3
            await until(lambda: medians.of(TRIAGE) is not None and medians.of(()) is not None)

        asyncio.run(main())
        assert len(asked.threads) == 2
        assert threading.get_ident() not in asked.threads


def test_a_ledger_that_cannot_be_read_lets_no_first_call_out(tmp_path: Path) -> None:
    """On a loop it is said in the log, and tried again."""
    now = [0.0]
    with books(tmp_path, 3) as ledger:
        asked: Any = Asked(ledger)
        asked.fails = True
        medians = TaskMedians(asked, clock=lambda: now[0])
        with pytest.raises(LedgerUnavailable):
            medians.of(TRIAGE)

        async def main() -> None:
            assert medians.of(TRIAGE) is None
            await until(lambda: len(asked.threads) == 2 and not medians._waiting)  # pyright: ignore[reportPrivateUsage]
            asked.fails, now[0] = False, 10.0
            await until(lambda: medians.of(TRIAGE) == Median(3, 1))

        asyncio.run(main())


def test_the_work_is_bounded_however_large_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest tasks are looked at, and so many of those that fit."""
    with books(tmp_path, *range(1, 21)) as ledger:
        monkeypatch.setattr("spendgraph.ledger.history.COMPARED", 3)
        assert ledger.median_task_cost({}) == (19, 3)
        monkeypatch.setattr("spendgraph.ledger.history.LOOKED_AT", 2)
        assert ledger.median_task_cost({}) == (19, 2)
