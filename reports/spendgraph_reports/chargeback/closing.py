"""When the books of a period close, and what comes after that.

A statement holds the steps of its period that were written before its close, and those of earlier periods that were written
since the close before. So each row stands in one statement, and a statement that was issued says the same for ever.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us, to_us
from spendgraph_reports.months import closed, named

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

CLOSE_DAYS: Final = 1
"""How many days after its end the books of a period close, if it is not said."""


class Close(NamedTuple):
    """The rows of the ledger that a statement is about, by the order of writing.

    Attributes:
        closes_us: When the books close.
        from_seq: The first row after the close before: of earlier periods, those from here on are restated.
        before_seq: The first row after this close; while that is to come, the next one to be written.
        is_open: Whether it is to come: no step has started since the books closed, or they have not.
    """

    closes_us: int
    from_seq: int
    before_seq: int
    is_open: bool

    def text(self, zone: str) -> str:
        """When the books close, for people."""
        return f"{from_us(self.closes_us).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def close_of(books: Books, period: Period, days: int = CLOSE_DAYS) -> Close:
    """The close of a period, and that of the one before it.

    Raises:
        ValueError: The days are below 0, or the period has no end.
    """
    if days < 0:
        raise ValueError(f"expected books that close 0 or more days after the period, found {days}")
    since, until = closed(period)
    # What is written while the report is made is not in it.
    following = books.reader.rollup_status().last_seq + 1
    closes_us = closing_us(until, books.zone, days)
    closings = books.reader.closings
    first, last = (closings.seq_at(at) for at in (closing_us(since, books.zone, days), closes_us))
    if last is not None and last > following:  # written since
        last = None
    before_seq = following if last is None else last
    return Close(closes_us, before_seq if first is None else min(first, before_seq), before_seq, last is None)


def closing_us(moment_us: int, zone: str, days: int) -> int:
    """So many days later by the calendar: where clocks are set, a day has 23 or 25 hours."""
    return to_us(from_us(moment_us).astimezone(ZoneInfo(zone)) + timedelta(days=days))


def caveats(books: Books, period: Period, close: Close) -> tuple[str, ...]:
    """What is not final in a statement, and what it cannot tell."""
    said: list[str] = []
    if close.is_open:
        said.append(
            f"The books of {named(period, books.zone)} are open: they close with the first step that starts on"
            f" {close.text(books.zone)} ({books.zone}) or later, and what is written before it counts in them."
        )
    pruned_us = books.reader.rollup_status().pruned_before_us
    if pruned_us:
        said.append(
            f"Steps that started before {from_us(pruned_us):%Y-%m-%d %H:%M} UTC may be pruned: what of them was"
            " written late stands in its own period, not as restated."
        )
    return tuple(said)
