"""The cells of a report as people read them: dollars that add up to the cent, shares in percent, times in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from spendgraph_reports.amounts import footed, percent, places_of, rounded, written
from spendgraph_reports.report import UNNAMED, is_missing

if TYPE_CHECKING:
    from spendgraph_reports.report import Column, Report

NOTHING: Final = ""
"""Stands where nothing is known."""

NUMBERS: Final = frozenset({"money", "count", "ratio", "share", "change"})
"""The kinds that are aligned to the right."""


class Shown(NamedTuple):
    """A report as text.

    Attributes:
        headings: Of each column.
        rows: The cells.
        total: The cells of the last line, or nothing where no column adds.
    """

    headings: list[str]
    rows: list[list[str]]
    total: list[str] | None


def shown(report: Report, *, most: int | None = None) -> Shown:
    """The cells of a report. Dollars of a column have the same places, and what is shown adds up to the total that is shown.

    Args:
        report: What is shown.
        most: So many rows at most; where there are more, one last row has the sums of all others.
    """
    total = [NOTHING] * len(report.columns)
    columns: list[list[str]] = []
    others = 0 if most is None else max(len(report.frame) - most, 0)
    for at, column in enumerate(report.columns):
        values = [None if is_missing(value) else value for value in report.frame[column.name].tolist()]
        if others:
            rest = values[most:]
            values = [
                *values[:most],
                sum(value for value in rest if value is not None) if column.name in report.totals else None,
            ]
        if column.kind == "money":
            texts, total[at] = _money(values, report.totals.get(column.name))
        else:
            texts = [_cell(column, value, report.zone) for value in values]
            if column.name in report.totals and any(value is not None for value in values):
                total[at] = f"{report.totals[column.name]:,}"
        columns.append(texts)
    first = next((at for at, column in enumerate(report.columns) if column.kind not in NUMBERS), None)
    if first is not None:
        if report.totals:
            total[first] = "total"
        if others:
            columns[first][-1] = f"{others:,} others"
    return Shown(
        [column.heading for column in report.columns],
        [list(row) for row in zip(*columns, strict=True)],
        total if report.totals and report.frame.shape[0] else None,
    )


def _money(values: Sequence[Any], total: int | None) -> tuple[list[str], str]:
    known = [int(value) for value in values if value is not None]
    places = places_of([*known, total or 0])
    unit = 10 ** (9 - places)
    units = iter(footed(known, places) if total is not None else [rounded(amount, unit) for amount in known])
    texts = [
        NOTHING if value is None else written(next(units), places, negative=value < 0) for value in values
    ]
    if total is None or not known:
        return texts, NOTHING
    return texts, written(rounded(total, unit), places, negative=total < 0)


def _cell(column: Column, value: Any, zone: str) -> str:
    if value is None:
        return NOTHING
    match column.kind:
        case "count":
            return f"{value:,}"
        case "ratio":
            return f"{value:,.2f}"
        case "share":
            return percent(value)
        case "change":
            return percent(value, signed=True)
        case "time":
            return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"
        case "flag":
            return "yes" if value else "no"
        case _:
            return str(value) or UNNAMED
