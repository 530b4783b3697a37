"""What the notebook `spend_explorer` says: sentences and figures made from the numbers, true for every ledger."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph_reports.amounts import change, percent, share
from spendgraph_reports.books import of_one_moment
from spendgraph_reports.months import before, closed, named, year_to_date
from spendgraph_reports.plots.rows import amounts_of, names_of
from spendgraph_reports.plots.scales import amount
from spendgraph_reports.rendering import Fact, Facts
from spendgraph_reports.showback import drivers, showback

if TYPE_CHECKING:
    import pandas as pd

    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report


@of_one_moment
def conclusion(books: Books, period: Period) -> tuple[str, ...]:
    """What a reader should know who reads nothing else, the most important first."""
    doubts = books.doubts(period)
    if not doubts.steps:
        return (nothing(books, period),)
    spent, *_ = showback(books, period, by=["team"]).findings
    _, *moved = drivers(books, period, by=["feature"]).findings
    return (
        spent,
        owned(doubts.unattributed_nanousd, doubts.cost_nanousd),
        *moved[:2],
        *concentration(showback(books, period, by=["tenant"]), "tenant"),
    )


@of_one_moment
def facts(books: Books, period: Period) -> Facts:
    """The figures that go with it."""
    now, past = books.doubts(period), books.doubts(before(period, books.zone))
    year = books.doubts(year_to_date(period, books.zone))
    earlier = named(before(period, books.zone), books.zone)
    found = [
        Fact("spent", amount(now.cost_nanousd), _beside(now.cost_nanousd, past.cost_nanousd, earlier)),
        Fact("year to date", amount(year.cost_nanousd)),
        Fact("steps", f"{now.steps:,}", f"{past.steps:,} in {earlier}" if past.steps else ""),
        Fact(
            "without an owner",
            amount(now.unattributed_nanousd),
            f"{percent(share(now.unattributed_nanousd, now.cost_nanousd))} of it"
            if now.cost_nanousd > 0
            else "",
        ),
    ]
    return Facts(tuple(found))


def owned(unattributed_nanousd: int, cost_nanousd: int) -> str:
    """How much of the spending has an owner.

    >>> owned(0, 5_000_000_000), owned(5_000_000_000, 5_000_000_000)
    ('All of it has an owner.', 'None of it has an owner: every step lacks required tags.')
    """
    if not unattributed_nanousd:
        return "All of it has an owner."
    if unattributed_nanousd == cost_nanousd:
        return "None of it has an owner: every step lacks required tags."
    of_it = f", {percent(unattributed_nanousd / cost_nanousd)} of it," if cost_nanousd > 0 else ""
    return f"{amount(unattributed_nanousd)}{of_it} has no owner: required tags are missing."


def certainty(books: Books, period: Period) -> tuple[str, ...]:
    """What is uncertain in the numbers, or that nothing is."""
    return books.caveats(period) or ("Every step has an owner, a price, and usage that the provider said.",)


def concentration(report: Report, what: str) -> tuple[str, ...]:
    """How few rows make up half of a report's cost; nothing where there are too few to say so."""
    costs = sorted(amounts_of(report, "cost_nanousd"), reverse=True)
    total = sum(costs)
    if len(costs) < 3 or total <= 0 or costs[-1] < 0:
        return ()
    sums = list(accumulate(costs))
    count = next(at for at, passed in enumerate(sums, start=1) if 2 * passed >= total)
    largest = names_of(report)[amounts_of(report, "cost_nanousd").index(costs[0])]
    if count == 1:
        return (f"One of {len(costs):,} {what}s, {largest}, spent {percent(costs[0] / total)} of it.",)
    together = f"{count:,} of {len(costs):,} {what}s spent {percent(sums[count - 1] / total)} of it"
    return (f"{together}; {largest} alone {percent(costs[0] / total)}.",)


def rhythm(series: pd.DataFrame) -> tuple[str, ...]:
    """How a workday compares with a day of the weekend; nothing where there was no such day.

    Args:
        series: As `Books.series([...], period, "day")` makes it.
    """
    days: dict[bool, dict[object, int]] = {True: {}, False: {}}
    for start, cost in zip(series["start"], series["cost_nanousd"], strict=True):
        by_day = days[start.weekday() >= 5]
        by_day[start] = by_day.get(start, 0) + int(cost)
    if not (days[True] and days[False]):
        return ()
    workday, weekend = (sum(found.values()) // len(found) for found in (days[False], days[True]))
    return (
        f"A workday with spending cost {amount(workday)} on average, a day of a weekend {amount(weekend)}.",
    )


def nothing(books: Books, period: Period) -> str:
    """That nothing was spent in a period, and when something was."""
    span = books.span()
    when = f"{named(period, books.zone)} ({books.zone})"
    if span is None:
        return f"Nothing was spent in {when}: the ledger is empty."
    since, until = closed(span)
    return f"Nothing was spent in {when}. The ledger has steps from {_day(since, books.zone)} to {_day(until - 1, books.zone)}."


def _day(moment_us: int, zone: str) -> str:
    return from_us(moment_us).astimezone(ZoneInfo(zone)).date().isoformat()


def _beside(now: int, past: int, earlier: str) -> str:
    return (
        f"{percent(change(now, past), signed=True)} beside {earlier}" if past > 0 else f"nothing in {earlier}"
    )
