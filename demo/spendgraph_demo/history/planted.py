"""What goes wrong in a history, when and to whom: planted on purpose, and written down so that it can be looked for.

Places in time are shares of the history's length, moved to the nearest day of the right kind. Loops are tasks of
their own; a regression and a broken cache change the acts of the tasks that are there anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spendgraph_demo.history.parameters import Parameters
    from spendgraph_demo.history.tenants import Tenant

REGRESSION: Final = "prompt growth after a deploy"
BROKEN_CACHE: Final = "broken prompt cache"
STUCK_LOOP: Final = "stuck loop"
OFF_HOURS_LOOP: Final = "off-hours loop"
NIGHT_SCRIPT: Final = "unattributed script"
NO_COST_CENTER: Final = "missing cost center"
CREDIT: Final = "credit for failed searches"
QUIET_DAY: Final = "quiet day"
BUDGET_RAISED: Final = "budget raised"

WORKDAYS: Final = range(5)
SATURDAY: Final = (5,)

REGRESSED_VERSION: Final = "3.2.0"
GROWTH: Final = 2.1
"""How many times longer the regressed version's prompt is."""

BROKEN_TEMPLATE: Final = "t8"
BROKEN_SHARE: Final = 0.06
"""The part of the prompt that the broken template still finds in the cache."""


class Plan(NamedTuple):
    """When the planted events happen; days are numbers from 0.

    Attributes:
        regressed_from: The day on which the regressed version's rollout begins.
        broken_from: The day on which the template that breaks the cache goes live.
        broken_until: The day on which it is taken back.
        quiet_day: A holiday.
        credit_day: The day whose searches are credited on the next one.
        raised_day: The day on which the tenants' budget is raised.
        stuck_day: The day of the stuck loop.
        stuck_from_us: When it begins.
        stuck_until_us: When somebody would stop it, if no budget did.
        stuck_tenant: Whose agent it is.
        off_day: The Saturday of the off-hours loop.
        off_from_us: When it begins.
        off_until_us: When it ends.
        off_tenant: Whose jobs it repeats.
    """

    regressed_from: int
    broken_from: int
    broken_until: int
    quiet_day: int
    credit_day: int
    raised_day: int
    stuck_day: int
    stuck_from_us: int
    stuck_until_us: int
    stuck_tenant: Tenant
    off_day: int
    off_from_us: int
    off_until_us: int
    off_tenant: Tenant


def make_plan(parameters: Parameters, tenants: Sequence[Tenant]) -> Plan:
    """The plan of a history."""

    def day(share: float, weekdays: Iterable[int]) -> int:
        return _nearest(parameters, share, frozenset(weekdays))

    broken_from = day(0.40, WORKDAYS)
    stuck, off = day(0.76, WORKDAYS), day(0.90, SATURDAY)
    business = [tenant for tenant in tenants if tenant.plan == "business" and tenant.joined == 0]
    staying = [tenant for tenant in business if tenant.left is None]
    return Plan(
        regressed_from=day(0.60, (1, 2)),
        broken_from=broken_from,
        broken_until=min(parameters.days, broken_from + max(2, parameters.days // 10)),
        quiet_day=day(0.30, WORKDAYS),
        credit_day=day(0.50, WORKDAYS),
        raised_day=day(0.66, WORKDAYS),
        stuck_day=stuck,
        stuck_from_us=parameters.at(stuck, 10.25),
        stuck_until_us=parameters.at(stuck, 14.5),
        stuck_tenant=staying[0],
        off_day=off,
        off_from_us=parameters.at(off, 0.5),
        off_until_us=parameters.at(off, 5.75),
        off_tenant=staying[-1],
    )


def _nearest(parameters: Parameters, share: float, weekdays: frozenset[int]) -> int:
    """The day nearest to a share of the history that is of the right kind."""
    wanted = share * parameters.days
    days = (number for number in range(parameters.days) if parameters.day(number).weekday() in weekdays)
    return min(days, key=lambda number: abs(number - wanted))
