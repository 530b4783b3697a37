"""What every budget came to in a period, as plain rows: its windows, or where they are many, how many were over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from spendgraph.policy.periods import rolling_us
from spendgraph_reports.months import closed, named
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from spendgraph.policy import Budget
    from spendgraph_reports.books import Books

Unit = Literal["nanousd", "tokens", "calls"]


@dataclass(frozen=True, slots=True)
class Actual:
    """A budget in one window of one scope, or in many that are counted together.

    Attributes:
        budget: Its name.
        scope: Whose counter, as `tenant=acme`; empty for one in all, or for those of everybody.
        window: The window for people: `2026-09`, `2026-09-01`, or what is counted, such as `each hour`.
        version: The budget's version in that window; 0 for one of the policy that no meter has had yet.
        owner: Who answers for it, or empty.
        signed_off_by: Who agreed to it, or empty.
        unit: What it counts; the amounts are in it.
        limit: The limit of that version.
        spent: What the window holds; of windows that are counted, the fullest.
        granted: Room beyond the limit that people gave: to everybody, and what tasks drew of theirs.
        start_us: When the window began; `None` of windows that are counted, and where there is none.
        end_us: When it ends; `None` where it does not.
        windows: How many windows the row is about.
        windows_over: How many of them were beyond the limit and what was granted.
        refused: How many calls it refused in the period.
        leads_to: What will be spent at the window's end at its pace so far; `None` where it is over or has hardly begun.
    """

    budget: str
    scope: str
    window: str
    version: int
    owner: str
    signed_off_by: str
    unit: Unit
    limit: int
    spent: int = 0
    granted: int = 0
    start_us: int | None = None
    end_us: int | None = None
    windows: int = 0
    windows_over: int = 0
    refused: int = 0
    leads_to: int | None = None

    @property
    def over(self) -> int:
        """What is spent beyond the limit and what was granted."""
        return max(0, self.spent - self.limit - self.granted)


def read_actuals(books: Books, period: Period, now_us: int) -> list[Actual]:
    """What every budget that was in force came to.

    A window belongs to the period in which it began, and one that covers a period whole to that period too.

    Args:
        books: The ledger, and the policy's budgets where there is a policy: one that it has dropped has no row without spending.
        period: What is looked at.
        now_us: The time: windows that are open are looked ahead from it.
    """
    since, until = closed(period)
    history = books.reader.budget_history
    refused: dict[str, dict[tuple[str, int | None], int]] = {}
    for row in history.refused(since, until):
        refused.setdefault(row["budget"] or "", {})[row["scope"], row["window_start_us"]] = row["refused"]
    found: list[Actual] = []
    known = history.in_force(until)
    for budget in known:
        rows = _of_budget(books, budget, (since, until), now_us)
        in_policy = books.budgets is None or any(each.name == budget["budget"] for each in books.budgets)
        if not rows and (in_policy or budget["budget"] in refused):
            rows = [_unused(budget)]
        found += _with_refusals(rows, refused.get(budget["budget"], {}))
    names = {budget["budget"] for budget in known}
    found += [_declared(budget) for budget in books.budgets or () if budget.name not in names]
    return found


def _of_budget(books: Books, budget: Mapping[str, Any], bounds: tuple[int, int], now_us: int) -> list[Actual]:
    """The rows of one budget."""
    per: list[str] = json.loads(budget["definition"]).get("per", [])
    period: str = budget["period"] or "total"
    history = books.reader.budget_history
    what = "task" if "task" in per else "thread" if "thread" in per else ""
    name, unit, limit = budget["budget"], budget["unit"], budget["limit_amount"]
    if "call" in per:
        return _each_call(books, budget, bounds)
    if what == "task" or (what and period == "total"):
        kind: Literal["task", "thread"] = "task" if what == "task" else "thread"
        counted = history.counted_of(name, unit, limit, *bounds, what=kind)
        return [_counted(budget, f"each {kind}", counted)] if counted else []
    if what or period == "hour" or rolling_us(period):
        rows = history.counted(name, unit, limit, *bounds, rolling_us=rolling_us(period), each=not what)
        said = period if rolling_us(period) else f"each {what or period}"
        return [_counted(budget, said, row) for row in rows]
    since, until = bounds
    return [
        _window(row, now_us)
        for row in history.windows(name, since, until, now_us)
        if row["start_us"] >= since or row["end_us"] is None or row["end_us"] >= until
    ]


def _window(row: Mapping[str, Any], now_us: int) -> Actual:
    start, end, unit = row["start_us"], row["end_us"], row["unit"]
    spent, limit = row[f"spent_{unit}"], row["limit_amount"]
    granted = row["granted"] + row["drawn_by_tasks"]
    return Actual(
        row["budget"],
        row["scope"],
        "total" if end is None else named(Period(start, end), row["timezone"]),
        row["version"],
        row["owner"],
        row["signed_off_by"],
        unit,
        limit,
        spent,
        granted,
        start,
        end,
        windows=1,
        windows_over=int(spent > limit + granted),
        leads_to=_leads_to(spent, start, end, now_us),
    )


def _leads_to(spent: int, start_us: int, end_us: int | None, now_us: int) -> int | None:
    """What is spent at the end if it goes on evenly; not before a twentieth of the time is over."""
    if end_us is None or not start_us < now_us < end_us:
        return None
    over_us, span_us = now_us - start_us, end_us - start_us
    return spent * span_us // over_us if over_us * 20 >= span_us else None


def _each_call(books: Books, budget: Mapping[str, Any], bounds: tuple[int, int]) -> list[Actual]:
    """The calls that came to more than a limit on each."""
    match: dict[str, list[str]] = json.loads(budget["definition"]).get("match", {})
    rows = [
        row
        for row in books.reader.budget_history.dear_calls(budget["unit"], budget["limit_amount"], *bounds)
        if all(_tag(row, tag) in values for tag, values in match.items())
    ]
    if not rows:
        return []
    calls, largest = sum(row["calls"] for row in rows), max(row["largest"] for row in rows)
    return [replace(_unused(budget), spent=largest, windows=calls, windows_over=calls)]


def _tag(row: Mapping[str, Any], tag: str) -> str:
    if tag.startswith("x_"):
        extra: dict[str, str] = json.loads(row["extra"])
        return extra.get(tag[2:], "")
    value: str = row[tag]
    return value


def _counted(budget: Mapping[str, Any], window: str, row: Any) -> Actual:
    return replace(
        _unused(budget),
        scope=row.scope,
        window=window,
        spent=row.largest,
        windows=row.windows,
        windows_over=row.windows_over,
    )


def _unused(budget: Mapping[str, Any]) -> Actual:
    """A budget of the ledger that has no window in the period."""
    definition = json.loads(budget["definition"])
    each = "each call" if "call" in definition.get("per", []) else "no window"
    return Actual(
        budget["budget"],
        "",
        each,
        budget["version"],
        budget["owner"],
        budget["signed_off_by"],
        budget["unit"],
        budget["limit_amount"],
    )


def _declared(budget: Budget) -> Actual:
    """A budget of the policy that no meter has had yet."""
    return Actual(
        budget.name,
        "",
        "each call" if "call" in budget.per else "no window",
        0,
        budget.owner or "",
        "" if budget.signed_off is None else budget.signed_off.by,
        budget.unit,
        budget.limit,
    )


def _with_refusals(rows: list[Actual], refused: dict[tuple[str, int | None], int]) -> list[Actual]:
    """The rows with the calls that were refused in each; those of no row's window are the first one's."""
    left = dict(refused)
    found = [replace(row, refused=left.pop((row.scope, row.start_us), 0)) for row in rows]
    if found and left:
        found[0] = replace(found[0], refused=found[0].refused + sum(left.values()))
    return found
