"""Whatever happens to calls and processes, budgets keep what they promise: polled from outside while it happens."""

# Hypothesis' rules return what pyright cannot follow.
# pyright: reportUnknownMemberType=false, reportUntypedFunctionDecorator=false, reportUnknownVariableType=false
from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from budgets.turmoil import AT_ONCE, POLICY, STRICT_NANOUSD, WIDE_NANOUSD
from ledger.rows import ACME, START_US, step, task
from ledger.test_holds import CENT, ask, want
from spendgraph import Meter
from spendgraph.clock import utc_us
from spendgraph.ledger import HeldStep, Hold, HoldRelease, Ledger
from spendgraph.ledger.grants import Grant, give
from spendgraph.ledger.holds import LEASE_US, book_expired
from spendgraph.ledger.statements import Execute

PROCESSES = 3
MORE_NANOUSD = 400_000
"""What a person gives beyond the strict limit, in the middle of it all."""

COUNTERS = """\
SELECT w.budget, w.spent_nanousd, w.held_nanousd,
  (SELECT coalesce(sum(amount), 0) FROM grants AS g WHERE g.budget = w.budget AND g.scope = w.scope),
  (SELECT coalesce(sum(s.cost_nanousd), 0) FROM step_windows AS m JOIN steps AS s USING (step_id)
    WHERE m.window_id = w.window_id),
  (SELECT coalesce(sum(h.held_nanousd), 0) FROM holds AS h, json_each(h.windows) AS j WHERE j.value = w.window_id)
FROM windows AS w"""


def start(ledger: Path, bills: Path, seed: int) -> subprocess.Popen[str]:
    """A process in turmoil."""
    arguments = [sys.executable, "-m", "budgets.turmoil", str(ledger), str(bills), str(seed)]
    return subprocess.Popen(
        arguments, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def look(connection: sqlite3.Connection) -> Counter[str]:
    """Check every counter as it stands now; what is spent and held by budget."""
    total: Counter[str] = Counter()
    for budget, spent, held, granted, steps, holds in connection.execute(COUNTERS):
        assert (spent, held) == (steps, holds), budget
        total[budget] = spent + held
        if budget == "strict":
            assert spent + held <= STRICT_NANOUSD + granted
    return total


@pytest.mark.parametrize("seed", [1, 2])
def test_processes_in_turmoil_never_pass_a_strict_cap(tmp_path: Path, seed: int) -> None:
    """Random costs, threads and tasks at once, cancels, failures, cached answers, late ends, a grant, and SIGKILL.

    At every moment `strict` is within its limit and grants, and every counter is the sum of its rows. In the end every
    hold is settled, the provider has billed no more than the cap, nothing billed is missing, and the wide budget, whose
    holds are guesses, is passed by no more than what calls that were under way together cost beyond their holds.
    """
    path, bills, chance = tmp_path / "ledger.db", tmp_path / "bills", random.Random(seed)
    Meter(path, policy=POLICY).close()
    running = [start(path, bills, seed * 100 + n) for n in range(PROCESSES)]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        moments = [time.monotonic() + chance.uniform(0.1, 1.0) for _ in running[1:]]
        looks = given = 0
        most: Counter[str] = Counter()
        with closing(sqlite3.connect(path, timeout=10)) as outside:
            while any(process.poll() is None for process in running):
                most |= look(outside)
                looks += 1
                for process, moment in zip(running[1:], moments, strict=True):
                    if time.monotonic() > moment and process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                if not given and most["strict"] > STRICT_NANOUSD * 2 // 3:
                    given = MORE_NANOUSD
                    with Ledger.open(path) as ledger:
                        ledger.inbox.raise_limit("strict", "tenant=acme", given, by="a lead", why="a launch")
                time.sleep(0.002)
        out, errors = running[0].communicate(timeout=30)
        assert (out, errors[-3000:]) == ("done\n", "")
    finally:
        for process in running:
            process.kill()
            process.communicate()
    assert looks > 20
    with closing(sqlite3.connect(path)) as outside, outside:
        outside.execute("UPDATE holds SET lease_until_us = lease_until_us - ?", (LEASE_US + 1,))
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
        windows = {row["budget"]: row for row in ledger.windows()}
        steps = list(ledger.steps())
    with closing(sqlite3.connect(path)) as outside:
        assert outside.execute("SELECT count(*) FROM holds").fetchone() == (0,)
        most |= look(outside)
    assert given
    assert all(row["held_nanousd"] == 0 for row in windows.values())
    billed: Counter[str] = Counter()
    for line in bills.read_text().splitlines():
        tenant, cost = line.split()
        billed[tenant] += int(cost)
    assert (
        STRICT_NANOUSD // 4 < billed["acme"] <= windows["strict"]["spent_nanousd"] <= STRICT_NANOUSD + given
    )
    costs: Counter[str] = Counter()
    for row in steps:
        costs[row["corrects_step_id"] or row["step_id"]] += row["cost_nanousd"]
    beyond = sorted(
        (costs[row["step_id"]] - row["reserved_nanousd"] for row in steps if row["entry"] == "charge"),
        reverse=True,
    )
    under_way = [max(each, 0) for each in beyond[: PROCESSES * AT_ONCE]]
    assert WIDE_NANOUSD * 9 // 10 < most["wide"] <= WIDE_NANOUSD + sum(under_way)


class Books(RuleBasedStateMachine):
    """One strict budget and one that is not, beside an exact model of what each must say."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger.open(":memory:")
        self.ledger.post(ACME, task(), task("task-2"))
        self.steps = 0
        self.spent = 0
        self.granted = 0
        self.held: dict[str, Hold] = {}
        self.expired: dict[str, Hold] = {}
        self.booked: list[HeldStep] = []
        self.tasks: dict[str, str] = {}

    def teardown(self) -> None:
        """Every hold can be settled, and the books are sound."""
        self.expire()
        assert self.ledger.verify() == []
        with self.ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            assert connection.execute("SELECT count(*) FROM holds").fetchone()[0] == 0
            overdrawn = "SELECT count(*) FROM grants WHERE used < 0 OR used > amount"
            assert connection.execute(overdrawn).fetchone()[0] == 0
        self.ledger.close()

    def _transact(self, work: Callable[[Execute], object]) -> None:
        self.ledger._writer.transact(work)  # pyright: ignore[reportPrivateUsage] - what other processes do

    def _book(self, step_id: str, hold: Hold, cost: int, **columns: Any) -> None:
        row = step(
            step_id,
            task_id=self.tasks[step_id],
            cost_nanousd=cost,
            started_us=START_US,
            recorded_us=utc_us(),
            **columns,
        )
        record = HeldStep(tuple(row), hold.windows, hold.nanousd, hold.tokens, hold.draws)
        self.ledger.book(record, at_once=cost > hold.nanousd)
        self.booked.append(record)

    @rule(amount=st.integers(0, 2 * CENT), of=st.sampled_from(["task-1", "task-2"]))
    def reserve(self, amount: int, of: str) -> None:
        """A call that wants room."""
        step_id = f"s{self.steps}"
        self.steps += 1
        self.tasks[step_id] = of
        wanted = ask(step_id, amount, want(), want(None, budget="wide"))
        found = self.ledger.reserve(wanted._replace(step=wanted.step._replace(task_id=of)))
        room = 3 * CENT - self.spent - sum(hold.nanousd for hold in self.held.values())
        if isinstance(found, Hold):
            self.held[step_id] = found
            assert amount <= room + self.granted
        else:
            assert amount > room

    @precondition(lambda self: self.held)
    @rule(share=st.fractions(0, 1), pick=st.integers(0), is_cached=st.booleans())
    def book(self, share: Any, pick: int, is_cached: bool) -> None:
        """It ends, at no more than was held for it."""
        step_id = sorted(self.held)[pick % len(self.held)]
        hold = self.held.pop(step_id)
        cost = 0 if is_cached else int(hold.nanousd * share)
        self._book(step_id, hold, cost, status="cache_hit" if is_cached else "ok")
        self.spent += cost

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        """It was not sent."""
        step_id, hold = self.held.popitem()
        self.ledger.book(HoldRelease(step_id, hold.draws))

    @rule()
    def expire(self) -> None:
        """The process was killed, and its leases have run out."""

        def act(execute: Any) -> None:
            execute("UPDATE holds SET lease_until_us = 0")
            book_expired(execute, utc_us())

        self.ledger.flush()
        self._transact(act)
        self.spent += sum(hold.nanousd for hold in self.held.values())
        self.expired |= self.held
        self.held = {}

    @precondition(lambda self: self.expired)
    @rule(share=st.fractions(0, 1))
    def end_late(self, share: Any) -> None:
        """It was not killed after all, and its end corrects what the lease had booked."""
        step_id, hold = self.expired.popitem()
        cost = int(hold.nanousd * share)
        self._book(step_id, hold, cost)
        self.spent += cost - hold.nanousd

    @precondition(lambda self: self.booked)
    @rule(pick=st.integers(0))
    def deliver_again(self, pick: int) -> None:
        """Everything counts once."""
        self.ledger.book(self.booked[pick % len(self.booked)])

    @rule(amount=st.integers(1, CENT), of=st.sampled_from(["", "task-1"]))
    def grant(self, amount: int, of: str) -> None:
        """Somebody gives more room."""
        grant = Grant(
            f"g{self.granted}-{self.steps}", "cap", "tenant=acme", 0, of, "nanousd", amount, "a", "", 0
        )
        self._transact(lambda execute: give(execute, grant))
        self.granted += amount

    @invariant()
    def every_counter_is_what_it_must_be(self) -> None:
        """And the strict one is within its limit and its grants."""
        held = sum(hold.nanousd for hold in self.held.values())
        for row in self.ledger.windows():
            assert (row["spent_nanousd"], row["held_nanousd"]) == (self.spent, held)
        assert self.spent + held <= 3 * CENT + self.granted


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
