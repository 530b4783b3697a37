"""What an incident is compared with: the same hours of past weeks, as the zone's clocks show them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us, to_us
from spendgraph_reports.period import DAY_US, Period

if TYPE_CHECKING:
    from spendgraph_reports.books import Books

WEEKS: Final = 4
QUARTER_US: Final = 900_000_000


def in_quarters(period: Period) -> Period:
    """The quarters of an hour that a closed period touches.

    Raises:
        ValueError: The period has no start or no end.
    """
    since, until = period.since_us, period.until_us
    if since is None or until is None:
        raise ValueError(f"expected a period with a start and an end, found {period.text}")
    return Period(since - since % QUARTER_US, until + -until % QUARTER_US)


def past_weeks(books: Books, period: Period, weeks: int = WEEKS) -> tuple[Period, ...]:
    """The same hours of so many past weeks that the ledger knows whole, the last one first.

    A period longer than a week is compared with whole weeks before it. In a ledger that knows no week before, it is the same hours of past days.

    Raises:
        ValueError: The period has no start or no end.
    """
    period = in_quarters(period)
    span = books.span()
    if span is None or span.since_us is None or period.since_us is None or period.until_us is None:
        return ()
    at = ZoneInfo(books.zone)
    # By the clocks: a week in which they change is no longer than others.
    since, until = (
        from_us(moment).astimezone(at).replace(tzinfo=None) for moment in (period.since_us, period.until_us)
    )
    found: tuple[Period, ...] = ()
    for unit in (7, 1):
        days = unit * -((since - until) // timedelta(days=unit))
        shifted = (_earlier(period, days * number, books.zone) for number in range(1, weeks + 1))
        found = tuple(each for each in shifted if (each.since_us or 0) >= span.since_us)
        if found:
            break
    return found


def _earlier(period: Period, days: int, zone: str) -> Period:
    """The same hours so many days earlier, whatever the clocks did between."""
    at = ZoneInfo(zone)

    def moved(moment_us: int) -> int:
        local = from_us(moment_us).astimezone(at)
        return to_us(local - timedelta(days=days))

    assert period.since_us is not None
    assert period.until_us is not None
    since, until = moved(period.since_us), moved(period.until_us)
    # In the hour that clocks repeat or leave out, a period keeps its length.
    return Period(since, until if until > since else since + period.until_us - period.since_us)


def all_hours(period: Period, weeks: int = WEEKS) -> Period:
    """The weeks before a closed period, at all hours."""
    assert period.since_us is not None
    return Period(period.since_us - weeks * 7 * DAY_US, period.since_us)
