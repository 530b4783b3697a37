"""The report on when budgets run out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us, utc_us
from spendgraph_anomaly.forecasting.exhaustion import AHEAD, Exhaustion, exhaustions
from spendgraph_reports.amounts import counted, dollars
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

TOO_FAST: Final = 1.25
"""From this pace on a window is said to be ahead, long before it is nearly full."""

COLUMNS: Final = (
    Column("budget", "text", "Its name."),
    Column("scope", "text", "Whose counter, such as tenant=acme; empty for one in all."),
    Column("runs_out", "time", "When it will be used up; empty where it lasts to the window's end.", label="runs out"),
    Column("earliest", "time", "When at the earliest, 90 times of 100."),
    Column("latest", "time", "When at the latest, 90 times of 100; empty where it may last."),
    Column("window_ends", "time", f"When the window ends; one that does not is looked ahead {AHEAD} days.", label="window ends"),
    Column("room_nanousd", "money", "The limit, and what people granted beyond it.", label="room"),
    Column("spent_nanousd", "money", "What the window holds."),
    Column("leads_to_nanousd", "money", "What it will hold at its end.", label="leads to"),
    Column("low_80_nanousd", "money", "Where the 80 percent interval of that begins.", label="from", group="80 percent"),
    Column("high_80_nanousd", "money", "Where it ends.", label="to", group="80 percent"),
    Column("pace", "ratio", "The share that is spent beside the share of the window that is over: 1.25 is a quarter too fast."),
    Column("owner", "text", "Who answers for it."),
)  # fmt: skip
"""What `budget_forecast` says of each window."""


@of_one_moment
def budget_forecast(books: Books, *, now_us: int | None = None) -> Report:
    """When the open windows of budgets in dollars will be used up, those first that are used up first.

    Budgets overlap, so their rows have no total.

    Args:
        books: The ledger.
        now_us: The time, if it is not now.
    """
    now = utc_us() if now_us is None else now_us
    found, skipped = exhaustions(books, now_us=now)
    end = max((one.end_us or now + AHEAD * DAY_US for one in found), default=now + DAY_US)
    return Report(
        name="forecast-budgets",
        title="When budgets run out",
        period=Period(now, max(end, now + 1)),
        frame=frame_of([_row(one) for one in found], COLUMNS),
        columns=COLUMNS,
        findings=findings(found, books.zone),
        caveats=_caveats(found, skipped),
        zone=books.zone,
    )


def findings(found: Sequence[Exhaustion], zone: str) -> tuple[str, ...]:
    """What the rows say, the most important first."""
    if not found:
        return ("No budget in dollars has an open window of a week or more.",)
    over = [one for one in found if one.spent >= one.room]
    will = [one for one in found if one.at_us is not None and one.spent < one.room]
    may = [one for one in found if one.at_us is None and one.earliest_us is not None]
    said: list[str] = []
    if over:
        said.append(
            f"{counted(len(over), 'window')} {'is' if len(over) == 1 else 'are'} used up already, first of all {name_of(over[0])}."
        )
    if will:
        first = will[0]
        said.append(
            f"{counted(len(will), 'window')} will be used up before {'its' if len(will) == 1 else 'their'} end, first of all"
            f" {name_of(first)} with {dollars(first.room)}: {_when(first, zone)}."
        )
    else:
        said.append(f"Of {counted(len(found), 'open window')} none is expected to be used up that is not.")
    if may:
        said.append(
            f"{counted(len(may), 'more window')} may be used up, one time of ten and more: {_some([name_of(one) for one in may])}."
        )
    fast = [one for one in found if one.pace >= TOO_FAST and one.spent * 100 < one.room * 80]
    if fast:
        said.append(
            f"{counted(len(fast), 'window')} below 80 percent {'is' if len(fast) == 1 else 'are'} ahead of the linear pace by a quarter"
            f" or more: {_some([name_of(one) for one in fast])}."
        )
    return tuple(said)


def name_of(one: Exhaustion) -> str:
    """A window for people."""
    return f"{one.budget} for {one.scope}" if one.scope else one.budget


def _when(one: Exhaustion, zone: str) -> str:
    assert one.at_us is not None
    latest = "not at all" if one.latest_us is None else _day(one.latest_us, zone)
    early = _day(one.at_us if one.earliest_us is None else one.earliest_us, zone)
    return f"about {_day(one.at_us, zone)}, between {early} and {latest}"


def _day(moment_us: int, zone: str) -> str:
    return f"{from_us(moment_us).astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def _row(one: Exhaustion) -> dict[str, Any]:
    return {
        "budget": one.budget,
        "scope": one.scope,
        "runs_out": _moment(one.at_us),
        "earliest": _moment(one.earliest_us),
        "latest": _moment(one.latest_us),
        "window_ends": _moment(one.end_us),
        "room_nanousd": one.room,
        "spent_nanousd": one.spent,
        "leads_to_nanousd": one.leads_to,
        "low_80_nanousd": one.low,
        "high_80_nanousd": one.high,
        "pace": one.pace,
        "owner": one.owner,
    }


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else from_us(moment_us // 1_000_000 * 1_000_000)


def _caveats(found: Sequence[Exhaustion], skipped: Sequence[str]) -> tuple[str, ...]:
    said: list[str] = []
    short = [name_of(one) for one in found if one.prediction.done is None and one.spent]
    if short:
        said.append(f"Too short a history for more than the linear burn rate: {_some(short)}.")
    if skipped:
        said.append(
            f"Not looked ahead, for their windows are shorter, roll, or do not count dollars: {_some(skipped)}."
        )
    return tuple(said)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3:,} more"
