"""When budgets run out: the day on which what is expected passes what is left, and between which days that lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np

from spendgraph.clock import from_us, utc_us
from spendgraph_anomaly.forecasting.models import FAMILY, QUICK, history
from spendgraph_anomaly.forecasting.prediction import Prediction, predict
from spendgraph_anomaly.forecasting.reading import Past, Tags, read_past
from spendgraph_reports.books import Books
from spendgraph_reports.period import midnight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

AHEAD: Final = 90
"""Of a window that has no end, so many days are looked ahead."""

_LONG: Final = ("week", "month", "quarter", "total")
"""Windows that a forecast by day says something of."""

_THOROUGH: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Exhaustion:
    """Where a budget's window leads; money in nano-USD, times in microseconds.

    Attributes:
        budget: Its name.
        scope: Whose counter, such as `tenant=acme`; empty for one in all.
        owner: Who answers for it.
        start_us: When the window began.
        end_us: When it ends, or nothing.
        room: The limit, and what was granted beyond it.
        spent: What the window holds.
        pace: The share that is spent beside the share of the window that is over: 1.25 is a quarter too fast; 0 without an end.
        leads_to: What it will hold at its end, or in 90 days.
        low: Where the 80 percent interval of that begins.
        high: Where it ends.
        at_us: When it will be used up; nothing, if not in the window.
        earliest_us: When at the earliest, 90 times of 100.
        latest_us: When at the latest, 90 times of 100; nothing, if it may last.
        prediction: How that was made.
    """

    budget: str
    scope: str
    owner: str
    start_us: int
    end_us: int | None
    room: int
    spent: int
    pace: float
    leads_to: int
    low: int
    high: int
    at_us: int | None
    earliest_us: int | None
    latest_us: int | None
    prediction: Prediction


def exhaustions(books: Books, *, now_us: int | None = None) -> tuple[list[Exhaustion], list[str]]:
    """Where the open windows of budgets in dollars lead, and the budgets of which that is not said.

    Spending counts as it was booked: a budget knows no mapping.

    Args:
        books: The ledger.
        now_us: The time; the clock's, when not given.
    """
    now = utc_us() if now_us is None else now_us
    definitions = {row["budget"]: json.loads(row["definition"]) for row in books.reader.budgets()}
    windows: dict[str, list[dict[str, Any]]] = {}
    skipped: dict[str, None] = {}
    for row in books.reader.standing(now):
        per = definitions.get(row["budget"], {}).get("per", [])
        is_long = (row["period"] or "total") in _LONG and not {"task", "thread", "call"} & set(per)
        if row["unit"] == "nanousd" and is_long:
            windows.setdefault(row["budget"], []).append(row)
        else:
            skipped[row["budget"]] = None
    found: list[Exhaustion] = []
    with ExitStack() as opened:
        zones: dict[str, Books] = {}
        for name, rows in windows.items():
            zone = rows[0]["timezone"]
            if zone not in zones:
                zones[zone] = opened.enter_context(Books(books.ledger, zone=zone))
            found += _of_budget(zones[zone], definitions[name], rows, now)
    found.sort(
        key=lambda one: (
            one.at_us is None,
            one.at_us or 0,
            -one.leads_to / max(one.room, 1),
            one.budget,
            one.scope,
        )
    )
    return found, list(skipped)


def _of_budget(
    books: Books, definition: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], now_us: int
) -> list[Exhaustion]:
    per = [_name(tag) for tag in definition.get("per", [])]
    match = {_name(tag): values for tag, values in definition.get("match", {}).items()}
    start = from_us(max(rows[0]["start_us"], 0)).astimezone(ZoneInfo(books.zone)).date()
    past = read_past(books, per, start, now_us, **match)
    fullest = sorted(rows, key=lambda row: -row["spent_nanousd"] / max(row["limit_amount"], 1))
    return [_of_window(books, past, row, thorough=at < _THOROUGH) for at, row in enumerate(fullest)]


def _of_window(books: Books, past: Past, row: Mapping[str, Any], *, thorough: bool) -> Exhaustion:
    start_us, end_us = row["start_us"], row["end_us"]
    tags = _values(row["scope"])
    values = past.days.get(tags, np.zeros(len(past.starts), dtype=np.int64))
    edges = _edges(books.zone, past, end_us)
    begun = np.flatnonzero(values)
    own = values[begun[0] :] if len(begun) else values[:0]
    window = sum(midnight(day, books.zone) >= start_us for day in past.starts)
    known = history(own / 1e9, window=window)
    made = predict(known, len(edges) - 1, family=FAMILY if thorough else QUICK)
    path = made.path.copy()
    path[:1] *= past.left_today
    room, spent = row["limit_amount"] + row["granted"] + row["drawn_by_tasks"], row["spent_nanousd"]
    left = (room - spent) / 1e9
    expected = np.cumsum(path)
    low, high = made.spread.bounds(path, 80)
    over = 0.0
    if end_us is not None and room > 0 and past.now_us > start_us:
        over = spent / room * (end_us - start_us) / (min(past.now_us, end_us) - start_us)
    leads_to, lowest, highest = (spent + round(float(sums[-1]) * 1e9) for sums in (expected, low, high))
    return Exhaustion(
        budget=row["budget"],
        scope=row["scope"],
        owner=row["owner"],
        start_us=start_us,
        end_us=end_us,
        room=room,
        spent=spent,
        pace=over,
        leads_to=leads_to,
        low=lowest,
        high=highest,
        at_us=crossing(expected, edges, left),
        earliest_us=crossing(high, edges, left),
        latest_us=crossing(low, edges, left),
        prediction=made,
    )


def crossing(sums: Values, edges: Sequence[int], left: float) -> int | None:
    """When a growing sum passes what is left, evenly within each bin; nothing, where it does not.

    >>> crossing(np.array([2.0, 4.0]), [0, 100, 200], 3.0)
    150

    Args:
        sums: What is spent at the end of each bin, in dollars.
        edges: When the bins begin, and when the last ends.
        left: Dollars; below 0 it is passed already.
    """
    if left <= 0:
        return edges[0]
    passed = np.flatnonzero(sums >= left)
    if not len(passed):
        return None
    at = int(passed[0])
    before = float(sums[at - 1]) if at else 0.0
    part = (left - before) / (float(sums[at]) - before)
    return round(edges[at] + part * (edges[at + 1] - edges[at]))


def _edges(zone: str, past: Past, end_us: int | None) -> list[int]:
    """Now, and every midnight up to the window's end, or as far as is looked ahead."""
    found = [past.now_us]
    day = past.today
    while len(found) <= AHEAD:
        day += timedelta(days=1)
        at = midnight(day, zone)
        found.append(at if end_us is None else min(at, end_us))
        if end_us is not None and at >= end_us:
            break
    return found


def _name(tag: str) -> str:
    """A tag of a policy as the books know it."""
    return f"extra.{tag[2:]}" if tag.startswith("x_") else tag


def _values(scope: str) -> Tags:
    """The values of a scope such as `tenant=acme,user=u1`, in the order of the budget's `per`."""
    return tuple(unquote(part.partition("=")[2]) for part in scope.split(",")) if scope else ()
