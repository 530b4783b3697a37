"""Plots of made-up spending, and what an SVG says: its texts, where they stand, and what it refers to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pandas as pd

from spendgraph.clock import from_us
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period, midnight
from spendgraph_reports.plots import (
    Expectation,
    Fan,
    Mark,
    Plot,
    beside,
    fan,
    multiples,
    over_time,
    ranked,
    spread,
    unusual,
)
from spendgraph_reports.plots.sheet import width_of
from spendgraph_reports.report import Column, Report, frame_of

SEPTEMBER = Period.month("2026-09")
COLUMNS = (
    Column("feature", "text", "The feature."),
    Column("cost_nanousd", "money", "Its cost.", adds=True),
    Column("before_nanousd", "money", "Before.", adds=True),
)


class Words(NamedTuple):
    """A text in a drawing, with its ends and where it stands, in pixels."""

    text: str
    left: float
    right: float
    base: float
    size: float


def report_of(rows: Sequence[tuple[str, int, int]]) -> Report:
    """A report of features with what they cost and cost before."""
    made = [{"feature": name, "cost_nanousd": now, "before_nanousd": before} for name, now, before in rows]
    totals = {
        "cost_nanousd": sum(now for _, now, _ in rows),
        "before_nanousd": sum(was for _, _, was in rows),
    }
    return Report("test", "A test", SEPTEMBER, frame_of(made, COLUMNS), COLUMNS, totals=totals)


def series_of(rows: Sequence[tuple[str, date, int]]) -> pd.DataFrame:
    """What features cost on days, as `Books.series` has it."""
    return pd.DataFrame(
        {
            "feature": [name for name, _, _ in rows],
            "start": pd.to_datetime([day.isoformat() for _, day, _ in rows], utc=True),
            "cost_nanousd": [cost for _, _, cost in rows],
        }
    )


def all_plots(rows: Sequence[tuple[str, date, int]], period: Period = SEPTEMBER) -> dict[str, Plot]:
    """Every kind of plot, of the same spending."""
    sums: dict[str, int] = {}
    for name, _, cost in rows:
        sums[name] = sums.get(name, 0) + cost
    series = series_of(rows)
    report = report_of([(name, cost, cost // 2) for name, cost in sums.items()])
    counts: dict[int, int] = {}
    for _, _, cost in rows:
        counts[cost] = counts.get(cost, 0) + 1
    return {
        "over_time": over_time(series, "feature", period),
        "multiples": multiples(series, "feature", period),
        "ranked": ranked(report),
        "beside": beside(report, was="2026-08"),
        "spread": spread(counts),
        "unusual": unusual_of(rows, period),
        "fan": fan_of(rows, period),
    }


def fan_of(rows: Sequence[tuple[str, date, int]], period: Period = SEPTEMBER) -> Plot:
    """What all have spent up to each day, of which the second half is forecast, give or take half of the whole."""
    since, until = closed(period)
    days = tuple(from_us(at).date() for at in range(since, until, DAY_US))
    sums = tuple(sum(cost for _, day, cost in rows if day <= each) for each in days)
    known, off = len(days) // 2, abs(sums[-1]) // 2
    low = tuple(end if at < known else end - off for at, end in enumerate(sums))
    high = tuple(end if at < known else end + off for at, end in enumerate(sums))
    return fan(Fan(days, sums, low, high, known))


def unusual_of(rows: Sequence[tuple[str, date, int]], period: Period = SEPTEMBER) -> Plot:
    """What the first payer spent by day, beside half of it; the dearest and the first day with spending stood out."""
    since, until = closed(period)
    starts = tuple(range(since, until, DAY_US))
    spent = [0] * len(starts)
    for name, day, cost in rows:
        if name == rows[0][0]:
            spent[(midnight(day) - since) // DAY_US] += cost
    days = dict.fromkeys([spent.index(max(spent)), next((at for at, cost in enumerate(spent) if cost), 0)])
    marks = [
        Mark(starts[at], starts[at] + DAY_US, spent[at] - spent[at] // 2) for at in days if spent[at] > 0
    ]
    half = tuple(cost // 2 for cost in spent)
    seen = Expectation(starts, until, tuple(spent), half, tuple(cost // 4 for cost in spent), tuple(spent))
    return unusual(rows[0][0] if rows else "nobody", seen, marks, "day")


def words_of(svg: str) -> list[Words]:
    """Every text of a drawing, as wide as the plot's own font makes it."""
    found: list[Words] = []
    for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        text, size = element.text or "", float(element.attrib["font-size"])
        width = width_of(text, size, bold=element.attrib.get("font-weight") == "700")
        before = {"start": 0.0, "middle": width / 2, "end": width}[element.attrib.get("text-anchor", "start")]
        left = float(element.attrib["x"]) - before
        found.append(Words(text, left, left + width, float(element.attrib["y"]), size))
    return found
