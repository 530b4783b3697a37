"""What the customers pay: a file of contracts and one of plans, as a billing system would export them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from spendgraph_demo.history.tenants import PLANS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from spendgraph_demo.history.parameters import Parameters
    from spendgraph_demo.history.tenants import Tenant


def write_contracts(path: Path, tenants: Iterable[Tenant], parameters: Parameters) -> None:
    """Write a contract a customer: its plan, what it pays a month, from which day on and, if it left, until which."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("tenant", "plan", "monthly_revenue_usd", "valid_from", "valid_until"))
        for tenant in tenants:
            until = "" if tenant.left is None else parameters.day(tenant.left).isoformat()
            since = parameters.day(tenant.joined).isoformat()
            rows.writerow((tenant.name, tenant.plan, f"{tenant.revenue_usd}.00", since, until))


def write_plans(path: Path) -> None:
    """Write what each plan is listed at."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("plan", "monthly_list_price_usd"))
        rows.writerows((plan, f"{dollars}.00") for plan, dollars in PLANS.items())
