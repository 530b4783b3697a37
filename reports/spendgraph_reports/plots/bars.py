"""What each payer spent in each day or week of a period, as plots over time take it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph_reports.months import closed

if TYPE_CHECKING:
    import pandas as pd

    from spendgraph_reports.period import Period

MOST_DAYS: Final = 62
"""A longer period is shown by week."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Spending by day or week.

    Attributes:
        unit: Which of the two.
        starts: The first day of each bar, without a gap; a week begins on Monday.
        spent: Of each payer, for each bar, in nano-USD.
        sums: For each bar, of all payers.
    """

    unit: Literal["day", "week"]
    starts: tuple[date, ...]
    spent: dict[str, list[int]]
    sums: list[int]

    @property
    def is_empty(self) -> bool:
        """Whether nobody spent anything."""
        return not any(any(costs) for costs in self.spent.values())

    def note(self, zone: str) -> str:
        """What a bar is, for who reads the plot."""
        cut = "; the first and the last may be shorter" if self.unit == "week" else ""
        return f"Each bar is a {self.unit} in {zone}{cut}."


def bars_of(series: pd.DataFrame, by: str, period: Period, zone: str) -> Bars:
    """The bars of a period.

    Args:
        series: As `Books.series([by], period, "day")` makes it.
        by: The tag.
        period: With both ends.
        zone: Whose days they are.
    """
    since, until = closed(period)
    first, last = (from_us(at).astimezone(ZoneInfo(zone)).date() for at in (since, until - 1))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    unit: Literal["day", "week"] = "week" if len(days) > MOST_DAYS else "day"
    starts = tuple(dict.fromkeys(_monday(day) for day in days)) if unit == "week" else tuple(days)
    at = {start: number for number, start in enumerate(starts)}
    spent: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(starts))
    sums = [0] * len(starts)
    for name, start, cost in zip(series[by], series["start"], series["cost_nanousd"], strict=True):
        day: date = start.date()
        bar = at[_monday(day) if unit == "week" else day]
        spent[name][bar] += int(cost)
        sums[bar] += int(cost)
    return Bars(unit, starts, dict(spent), sums)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
