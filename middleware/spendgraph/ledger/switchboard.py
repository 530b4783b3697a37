"""The switchboard of a ledger: breakers, tripped and closed by people and by what watches for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spendgraph.ledger import breakers
from spendgraph.ledger.breakers import Trip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spendgraph.clock import Clock
    from spendgraph.ledger.statements import Execute


class Switchboard:
    """Trips and closes breakers, each in one transaction; from then on every process that shares the ledger heeds it.

    It knows no policy: whoever trips a breaker gives its name and a scope as the policy's `per` makes them.

    Args:
        transact: The ledger's `transact`.
        clock: Microseconds UTC.
    """

    def __init__(self, transact: Callable[..., Any], clock: Clock) -> None:
        self._transact = transact
        self._clock = clock

    def trip(
        self,
        breaker: str,
        scope: str,
        *,
        by: str,
        why: str,
        open_for_us: int,
        owner: str = "",
        to: Sequence[str] = (),
        **wait: float,
    ) -> int:
        """Open a breaker: calls of its scope are refused. One that is open is open anew, for the reason given.

        Args:
            breaker: Its name.
            scope: Whose calls, as `tenant=acme` or `task=<id>`; empty for a breaker of everybody's.
            by: Who trips it, a person or a watch.
            why: Why; every refusal says so.
            open_for_us: For how many microseconds, until one call is let through to try.
            owner: Who answers for the breaker.
            to: Who else is told.
            **wait: How long an event loop waits, as `Ledger.transact` takes it.

        Returns:
            Until when it is open, in microseconds UTC.

        Raises:
            ValueError: Nobody trips it, there is no reason, or it would not be open at all.
            LedgerUnavailable: The ledger cannot be written: it did not trip.
        """
        _expect_a_person(by, why)
        if open_for_us <= 0:
            raise ValueError(f"expected open_for_us above 0, found {open_for_us}")
        tripped = Trip(breaker, scope, why, open_for_us, by, owner, tuple(to))
        now_us = self._clock()

        def act(execute: Execute) -> int:
            return breakers.trip(execute, tripped, now_us)

        until_us: int = self._transact(act, **wait)
        return until_us

    def reset(self, breaker: str, scope: str, *, by: str, why: str, **wait: float) -> None:
        """Close a breaker at once. What it has counted so far counts no more, so that it does not trip again for it.

        Args:
            breaker: Its name.
            scope: Whose calls, as `spendgraph breakers` shows it.
            by: Who closes it.
            why: Why.
            **wait: How long an event loop waits, as `Ledger.transact` takes it.

        Raises:
            ValueError: Nobody closes it, or there is no reason.
            LedgerError: It is not open there.
            LedgerUnavailable: The ledger cannot be written: it is as it was.
        """
        _expect_a_person(by, why)
        now_us = self._clock()

        def act(execute: Execute) -> None:
            breakers.reset(execute, breaker, scope, by, why, now_us)

        self._transact(act, **wait)


def _expect_a_person(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise ValueError(f"expected a name and a reason, found by={by!r} and why={why!r}: both are kept")
