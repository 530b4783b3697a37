"""What tenants pay for a period: the newest list of contracts, by the days on which they hold.

For each calendar month a contract earns its monthly price times the days of it that lie in the period, over the days of
that month. That is exact, in fractions, and rounded half even once for each tenant and month. Days are those of the
zone's calendar: one that has 23 or 25 hours counts as one.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from spendgraph.ledger import ContractRow, Ledger
from spendgraph_reports.months import calendar_days
from spendgraph_reports.period import Period


@dataclass(frozen=True, slots=True)
class PlanRevenue:
    """What a tenant pays on one contract, on the days of it that lie in the period.

    Attributes:
        plan: The plan.
        since: The first day.
        until: The first day after it.
        revenue_nanousd: What those days bring in.
    """

    plan: str
    since: date
    until: date
    revenue_nanousd: int


@dataclass(frozen=True, slots=True)
class TenantRevenue:
    """What a tenant pays for a period.

    Attributes:
        tenant: As the tag of its steps.
        plan: The one it is on at the end of the period, or was on last in it.
        revenue_nanousd: What it pays.
        parts: By contract, one after the other; they add up to it.
    """

    tenant: str
    plan: str
    revenue_nanousd: int
    parts: tuple[PlanRevenue, ...]


def revenue(ledger: str | Path, period: Period, zone: str = "UTC") -> list[TenantRevenue]:
    """What each tenant with a contract in a period pays for it, by tenant.

    Args:
        ledger: The ledger, into which the contracts were imported.
        period: Of whole days in the zone, with both ends.
        zone: Whose calendar the days of contracts are counted in.

    Raises:
        ValueError: The period has an open end or is not of whole days, or there is no such zone.
        LedgerError: It is not a ledger of this version.
    """
    first, end = calendar_days(period, zone)
    with Ledger.open_readonly(ledger) as reader:
        return prorated(reader.contracts(since=first, until=end), first, end)


def prorated(contracts: Iterable[ContractRow], first: date, end: date) -> list[TenantRevenue]:
    """What contracts bring in from a day to before another, by tenant; those of one tenant do not overlap.

    >>> acme = ContractRow("acme", "team", 31_000_000_000, "2026-08-31")
    >>> prorated([acme], date(2026, 8, 1), date(2026, 9, 1))[0].revenue_nanousd
    1000000000
    """
    in_order = sorted(contracts, key=lambda contract: (contract.tenant, contract.valid_from))
    found: list[TenantRevenue] = []
    for tenant, group in groupby(in_order, key=lambda contract: contract.tenant):
        stretches = [stretch for contract in group if (stretch := _clipped(contract, first, end))]
        if stretches:
            parts = _parts(stretches)
            total = sum(part.revenue_nanousd for part in parts)
            found.append(TenantRevenue(tenant, parts[-1].plan, total, parts))
    return found


_Stretch = tuple[ContractRow, date, date]


def _clipped(contract: ContractRow, first: date, end: date) -> _Stretch | None:
    since = max(date.fromisoformat(contract.valid_from), first)
    until = min(date.fromisoformat(contract.valid_until), end) if contract.valid_until else end
    return (contract, since, until) if since < until else None


def _parts(stretches: Sequence[_Stretch]) -> tuple[PlanRevenue, ...]:
    """What each stretch earns. Where two share a month, the second has what the month's rounded sum leaves it."""
    earned = [0] * len(stretches)
    month, exact = date.min, Fraction()
    for position, (contract, since, until) in enumerate(stretches):
        for start, days in _months(since, until):
            if start != month:
                month, exact = start, Fraction()
            before = round(exact)  # half even, as a Fraction rounds
            exact += Fraction(contract.monthly_revenue_nanousd * days, monthrange(start.year, start.month)[1])
            earned[position] += round(exact) - before
    return tuple(
        PlanRevenue(contract.plan, since, until, nanousd)
        for (contract, since, until), nanousd in zip(stretches, earned, strict=True)
    )


def _months(since: date, until: date) -> Iterator[tuple[date, int]]:
    """The first day of every month, and how many days of it there are."""
    day = since
    while day < until:
        start = day.replace(day=1)
        following = min(until, start + timedelta(days=monthrange(start.year, start.month)[1]))
        yield start, (following - day).days
        day = following
