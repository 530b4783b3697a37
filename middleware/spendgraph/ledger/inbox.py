"""The inbox of a ledger: questions to people, their decisions, and the room they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from spendgraph.ledger import approvals, grants
from spendgraph.ledger.connection import LOOP_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.clock import Clock
    from spendgraph.ledger.approvals import Decided, Decision, Question, Standing
    from spendgraph.ledger.grants import Grant
    from spendgraph.ledger.statements import Execute

T = TypeVar("T")


class Transact(Protocol):
    """`Ledger.transact`: does something in one transaction."""

    def __call__(self, work: Callable[[Execute], T], *, loop_wait_s: float = LOOP_WAIT_S) -> T:
        """Do it, and return what it returns."""
        ...


class Inbox:
    """Asks and decides, each in one transaction.

    Args:
        transact: The ledger's `transact`.
        clock: Microseconds UTC.
        secret: The ledger's secret: whoever does not know it cannot foresee the id of an approval.
    """

    def __init__(self, transact: Transact, clock: Clock, secret: bytes) -> None:
        self._transact = transact
        self._clock = clock
        self._secret = secret

    def ask(self, question: Question, *, loop_wait_s: float = LOOP_WAIT_S) -> Standing:
        """Ask a person for room beyond a limit, or see what became of the question.

        Args:
            question: What is asked.
            loop_wait_s: How long an event loop waits.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing is asked.
        """
        now_us = self._clock()
        return self._transact(
            lambda execute: approvals.ask(execute, question, self._secret, now_us), loop_wait_s=loop_wait_s
        )

    def decide(self, approval_id: str, decision: Decision, *, loop_wait_s: float = LOOP_WAIT_S) -> Decided:
        """Decide what a task asked for, once, and give the room that was approved.

        Args:
            approval_id: The question's id, or enough of its beginning.
            decision: What is decided, by whom and why.
            loop_wait_s: How long an event loop waits.

        Raises:
            ApprovalError: There is no such question, it is decided or expired, or somebody else has to approve it.
            LedgerUnavailable: The ledger cannot be written: nothing is decided.
        """
        now_us = self._clock()
        return self._transact(
            lambda execute: approvals.decide(execute, approval_id, decision, now_us), loop_wait_s=loop_wait_s
        )

    def raise_limit(self, budget: str, scope: str, amount: int, *, by: str, why: str) -> Grant:
        """Give everybody more room in the window of a budget that is open now.

        Args:
            budget: Its name.
            scope: Whose counter, as `tenant=acme`; empty for a budget with one in all.
            amount: How much more, in the budget's unit.
            by: Who raises it.
            why: Why.

        Raises:
            LedgerError: The budget has no such window.
            LedgerUnavailable: The ledger cannot be written.
        """
        now_us = self._clock()
        return self._transact(
            lambda execute: grants.raise_limit(execute, budget, scope, amount, by, why, now_us)
        )
