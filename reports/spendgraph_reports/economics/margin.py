"""Margin: what tenants pay, less what they cost, by tenant or by plan.

The cost is that of the ledger and no other: people, machines and rent are not in it. Every dollar spent and every
dollar earned is in one row: tenants without a contract, contracts without spending and steps without a tenant have
rows of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from spendgraph.ledger import ContractRow
from spendgraph_reports.amounts import dollars, percent
from spendgraph_reports.months import calendar_days
from spendgraph_reports.period import Period
from spendgraph_reports.report import Column, Report, frame_of
from spendgraph_reports.revenue import PlanRevenue, TenantRevenue, prorated, revenue

if TYPE_CHECKING:
    from spendgraph.ledger import PlanRow
    from spendgraph_reports.books import Books

By = Literal["tenant", "plan"]

NEGATIVE: Final = "negative"
THIN: Final = "thin"
SOUND: Final = "sound"
NO_SPENDING: Final = "no spending"
NO_CONTRACT: Final = "no contract"
NO_TENANT: Final = "no tenant"

_OWN_ROW: Final = frozenset({NO_CONTRACT, NO_TENANT})
"""Spending that no contract pays for."""

_AMOUNTS: Final = (
    Column(
        "state",
        "text",
        "The margin is negative, thin or sound; or there is no spending under a contract, no contract under spending, or no"
        " tenant under it.",
    ),
    Column("revenue_nanousd", "money", "What the contracts bring in, by days.", adds=True),
    Column("cost_nanousd", "money", "What the period cost.", adds=True),
    Column("margin_nanousd", "money", "Revenue less cost.", adds=True),
    Column(
        "margin_share",
        "share",
        "The margin of the revenue; nothing where there is no revenue.",
        label="margin %",
    ),
    Column(
        "list_nanousd",
        "money",
        "What the contracts would bring in at list prices; nothing where a plan is not listed.",
        label="at list price",
    ),
    Column("discount", "share", "How much less than that they bring in."),
)

COLUMNS: Final[dict[By, tuple[Column, ...]]] = {
    "tenant": (
        Column("tenant", "text", "The tenant; empty where none was given."),
        Column(
            "plan",
            "text",
            "The plan it is on at the end of the period, or was on last; empty without a contract.",
        ),
        *_AMOUNTS,
    ),
    "plan": (
        Column("plan", "text", "The plan; empty without a contract."),
        Column("tenants", "count", "How many tenants were on it; one that changed its plan was on both."),
        Column("losing", "count", "How many of them cost more than they paid on it."),
        *_AMOUNTS,
    ),
}
"""What `margin` says of each row."""


def margin(books: Books, period: Period, *, by: By = "tenant", thin: float = 0.5) -> Report:
    """What tenants pay, less what they cost; the lowest margin first.

    Args:
        books: The ledger, into which contracts were imported. Mappings and splits apply to what is spent.
        period: Whole days in the zone of the books, with both ends.
        by: Each tenant with all it cost, or each plan with what its tenants cost on the days on which they were on it.
        thin: A share of the revenue; a margin below it is `thin`.

    Returns:
        `COLUMNS` of `by`.

    Raises:
        ValueError: It is by something else, the period is not of whole days, or `thin` is not from 0 to 1.
    """
    if by not in COLUMNS:
        raise ValueError(f"expected {' or '.join(COLUMNS)}, found {by!r}")
    if not 0 <= thin <= 1:
        raise ValueError(f"expected a share from 0 to 1 below which a margin is thin, found {thin}")
    paid = revenue(books.ledger, period, books.zone)
    groups = _by_tenant(books, period, paid) if by == "tenant" else _by_plan(books, period, paid)
    rows = [_row(group, thin) for group in groups]
    rows.sort(key=lambda row: (row["state"] in _OWN_ROW, row["margin_nanousd"], row[by]))
    cost = books.doubts(period).cost_nanousd
    earned = sum(tenant.revenue_nanousd for tenant in paid)
    return Report(
        name="margin",
        title=f"Margin by {by}",
        period=period,
        frame=frame_of(rows, COLUMNS[by]),
        columns=COLUMNS[by],
        totals={"revenue_nanousd": earned, "cost_nanousd": cost, "margin_nanousd": earned - cost},
        findings=_findings(by, rows, earned, cost),
        caveats=(
            *(
                ()
                if paid
                else ("No contract holds in this period; `spendgraph import contracts` brings them in.",)
            ),
            "The cost is what agents spent; nothing else that it takes to serve a tenant is in it.",
            *books.caveats(period),
        ),
        zone=books.zone,
        settings={"by": by, "thin": percent(thin)},
    )


@dataclass(slots=True)
class _Group:
    """What is one row.

    Attributes:
        tenant: The tenant, of a row of one.
        plan: The plan.
        state: Of spending that no contract pays for, why.
        revenue: What each tenant pays.
        cost: What each tenant costs.
        at_list_price: What each of its contracts would bring in at list prices; None of a plan that is not listed.
    """

    tenant: str = ""
    plan: str = ""
    state: str = ""
    revenue: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    at_list_price: list[int | None] = field(default_factory=list[int | None])

    def earn(self, tenant: str, part: PlanRevenue, listed: Mapping[str, Sequence[PlanRow]]) -> None:
        """Count what a contract brings in."""
        self.revenue[tenant] += part.revenue_nanousd
        self.at_list_price.append(_at_list_price(part, listed.get(part.plan, ())))


def _by_tenant(books: Books, period: Period, paid: Sequence[TenantRevenue]) -> list[_Group]:
    """A group for each tenant, whatever it costs before and after its contract."""
    listed = _listed(books)
    groups = {tenant.tenant: _Group(tenant.tenant, tenant.plan) for tenant in paid}
    for tenant in paid:
        for part in tenant.parts:
            groups[tenant.tenant].earn(tenant.tenant, part, listed)
    for name, cost in _costs(books, period).items():
        state = NO_CONTRACT if name else NO_TENANT
        groups.setdefault(name, _Group(name, state=state)).cost[name] += cost
    return list(groups.values())


def _by_plan(books: Books, period: Period, paid: Sequence[TenantRevenue]) -> list[_Group]:
    """A group for each plan with its tenants' days on it, and one each for days without a contract and steps without a tenant."""
    listed = _listed(books)
    groups: defaultdict[tuple[str, str], _Group] = defaultdict(_Group)
    parts = [(tenant.tenant, part) for tenant in paid for part in tenant.parts]
    for tenant, part in parts:
        groups["", part.plan].plan = part.plan
        groups["", part.plan].earn(tenant, part, listed)
    days = {
        *calendar_days(period, books.zone),
        *(day for _, part in parts for day in (part.since, part.until)),
    }
    for since, until in pairwise(sorted(days)):
        plans = {tenant: part.plan for tenant, part in parts if part.since <= since < part.until}
        for name, cost in _costs(books, Period.days(since, until, books.zone)).items():
            state = "" if name in plans else (NO_CONTRACT if name else NO_TENANT)
            group = groups[state, plans.get(name, "")]
            group.state = state
            group.cost[name] += cost
    return list(groups.values())


def _costs(books: Books, period: Period) -> dict[str, int]:
    return {
        row["tenant"]: row["cost_nanousd"] for row in books.rows(["tenant"], period, sums=["cost_nanousd"])
    }


def _listed(books: Books) -> dict[str, list[PlanRow]]:
    """The list prices of each plan, by day."""
    found: defaultdict[str, list[PlanRow]] = defaultdict(list)
    for row in books.reader.plans():
        found[row.plan].append(row)
    return dict(found)


def _at_list_price(part: PlanRevenue, listed: Sequence[PlanRow]) -> int | None:
    """What a contract would bring in at the list prices of its days; nothing where one of them has none."""
    since, until = part.since.isoformat(), part.until.isoformat()
    days = sorted({since, until, *(row.valid_from for row in listed if since < row.valid_from < until)})
    contracts: list[ContractRow] = []
    for first, end in pairwise(days):
        price = next((row for row in reversed(listed) if row.valid_from <= first), None)
        if price is None:
            return None
        contracts.append(ContractRow("", part.plan, price.monthly_list_price_nanousd, first, end))
    return sum(tenant.revenue_nanousd for tenant in prorated(contracts, part.since, part.until))


def _row(group: _Group, thin: float) -> dict[str, Any]:
    earned, cost = sum(group.revenue.values()), sum(group.cost.values())
    prices = [price for price in group.at_list_price if price is not None]
    listed = sum(prices) if prices and len(prices) == len(group.at_list_price) else None
    share = (earned - cost) / earned if earned else None
    if group.state:
        state = group.state
    elif earned < cost:
        state = NEGATIVE
    elif not cost:
        state = NO_SPENDING
    else:
        state = THIN if share is not None and share < thin else SOUND
    return {
        "tenant": group.tenant,
        "plan": group.plan,
        "tenants": len({*group.revenue, *group.cost} - {""}),
        "losing": sum(group.cost[tenant] > paid for tenant, paid in group.revenue.items()),
        "state": state,
        "revenue_nanousd": earned,
        "cost_nanousd": cost,
        "margin_nanousd": earned - cost,
        "margin_share": share,
        "list_nanousd": listed,
        "discount": 1 - earned / listed if listed else None,
    }


def _findings(by: By, rows: Sequence[dict[str, Any]], earned: int, cost: int) -> tuple[str, ...]:
    if not earned and not cost:
        return ("Nothing was earned in this period, and nothing spent.",)
    of_it = f", {percent((earned - cost) / earned)} of the revenue" if earned else ""
    said = [
        f"{dollars(earned)} was earned and {dollars(cost)} spent: a margin of {dollars(earned - cost)}{of_it}."
    ]
    losing = [row for row in rows if row["state"] == NEGATIVE]
    said += [
        f"{row[by]} is sold below its cost: it pays {dollars(row['revenue_nanousd'])} and costs"
        f" {dollars(row['cost_nanousd'])}."
        for row in losing[:3]
    ]
    if len(losing) > 3:
        said.append(f"So are {len(losing) - 3:,} more.")
    thin = [row for row in rows if row["state"] == THIN]
    if thin:
        said.append(
            f"The margin of {', '.join(row[by] for row in thin[:5])}{' and others' if len(thin) > 5 else ''} is thin."
        )
    for state, what in {NO_CONTRACT: "by tenants without a contract", NO_TENANT: "under no tenant"}.items():
        spent = sum(row["cost_nanousd"] for row in rows if row["state"] == state)
        if spent:
            said.append(f"{dollars(spent)} was spent {what}.")
    return tuple(said)
