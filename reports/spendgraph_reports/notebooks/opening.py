"""The first line of every notebook: a ledger and a period from its parameters."""

from __future__ import annotations

from pathlib import Path

from spendgraph.clock import utc_us
from spendgraph.policy import load_policy
from spendgraph_reports.books import Books
from spendgraph_reports.months import month_of
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import Period


def opened(
    ledger: str | Path,
    *,
    month: str = "",
    since: str = "",
    until: str = "",
    timezone: str = "UTC",
    policy: str | Path = "",
) -> tuple[Books, Period]:
    """A ledger to ask, and what is asked about.

    Args:
        ledger: Its path.
        month: Such as `2026-09`; without any period the last month in which something was booked.
        since: The first day, instead of a month.
        until: The day that is not in it any more; with `since`.
        timezone: Whose days and months are meant.
        policy: Whose mappings and splits say who pays.

    Raises:
        ValueError: The period or the time zone is none.
        LedgerUnavailable: There is no such ledger.
        PolicyError: The policy is not one.
    """
    organisation = Organisation.of(load_policy(policy)) if policy else Organisation()
    books = Books(ledger, zone=timezone, organisation=organisation)
    try:
        return books, _period(books, month, since, until)
    except BaseException:
        books.close()
        raise


def _period(books: Books, month: str, since: str, until: str) -> Period:
    if month and (since or until):
        raise ValueError("expected either a month or a first and a last day, found both")
    if month:
        return Period.month(month, books.zone)
    if since and until:
        return Period.between(since, until, books.zone)
    if since or until:
        raise ValueError(f"expected both since and until, found {since or until} alone")
    return last_month(books)


def last_month(books: Books) -> Period:
    """The last month in which something was booked; of an empty ledger this one."""
    span = books.span()
    return month_of(utc_us() if span is None or span.until_us is None else span.until_us - 1, books.zone)
