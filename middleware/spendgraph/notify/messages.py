"""The words of the alerts that budgets raise: figures, names and what to do; nothing of what was asked or answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from spendgraph.clock import from_us
from spendgraph.money import is_or_are
from spendgraph.notify.alert import Alert, shown
from spendgraph.notify.thresholds import exhausted_us

if TYPE_CHECKING:
    from spendgraph.ledger.alerts import WindowSpent
    from spendgraph.ledger.approvals import Standing
    from spendgraph.ledger.asks import Shortfall
    from spendgraph.notify.thresholds import Level, Watched
    from spendgraph.policy import Budget

_HOUR_US = 3_600_000_000


def crossing(of: Watched, level: Level, window: WindowSpent, spent: int, to: tuple[str, ...]) -> Alert:
    """A threshold is passed, or the limit."""
    is_over = level.kind == "overrun"
    reached = "is spent beyond its limit" if is_over else f"has reached {level.percent}"
    what = (
        "A call cost more than was set aside for it; further calls are refused."
        if is_over
        else f"{100 * spent / of.limit:.1f}% is spent."
    )
    return Alert(
        level.kind,
        of.name,
        f"Budget {of.name} {reached}{_of(window.scope)}",
        (
            f"{shown(spent, of.unit)} of {shown(of.limit, of.unit)} {is_or_are(spent, of.unit)} spent{_of(window.scope)}"
            f"{_during(of, window)}. {what}{_owner(of.owner)}"
        ),
        to,
        "critical" if is_over or level.amount >= of.limit else "warning",
        scope=window.scope,
        window_start_us=window.start_us,
        threshold=level.amount,
        unit=of.unit,
        limit=of.limit,
        spent=spent,
    )


def pace(of: Watched, window: WindowSpent, spent: int, now_us: int, to: tuple[str, ...]) -> Alert:
    """A window is spent faster than evenly."""
    assert window.end_us is not None
    elapsed = (now_us - window.start_us) / (window.end_us - window.start_us)
    gone = _time(exhausted_us(spent, of.limit, window, now_us))
    return Alert(
        "pace",
        of.name,
        f"Budget {of.name} is being spent too fast{_of(window.scope)}",
        (
            f"{shown(spent, of.unit)} of {shown(of.limit, of.unit)} ({100 * spent / of.limit:.0f}%) {is_or_are(spent, of.unit)} spent{_of(window.scope)}"
            f" when {100 * elapsed:.0f}% of the time is over. At this pace the limit is reached at {gone}; the window ends at"
            f" {_time(window.end_us)}.{_owner(of.owner)}"
        ),
        to,
        "warning",
        scope=window.scope,
        window_start_us=window.start_us,
        unit=of.unit,
        limit=of.limit,
        spent=spent,
    )


def blocked(budget: Budget, found: Shortfall, to: tuple[str, ...], now_us: int) -> Alert:
    """A call was refused: once an hour of each window."""
    want, unit = found.want, _unit(found.want.unit)
    is_one_call = "call" in budget.per
    message = f"A call asked for {shown(found.asked, unit)}, and {shown(want.limit or 0, unit)} {is_or_are(want.limit or 0, unit)} allowed"
    if not is_one_call:
        spent, held = (
            f"{shown(count, unit)} {is_or_are(count, unit)}" for count in (found.spent, found.held)
        )
        message += f"{_of(want.scope)}; {spent} spent and {held} held by calls under way"
    message += ". It was not sent, and others like it are not either."
    if want.end_us is not None and want.since_us is None:
        message += f" The next window begins at {_time(want.end_us)}."
    return Alert(
        "blocked",
        budget.name,
        f"Budget {budget.name} refuses calls{_of(want.scope)}",
        f"{message}{_owner(budget.owner or '')}",
        to,
        "critical",
        scope=want.scope,
        # A rolling budget's parts are no periods of their own.
        window_start_us=None if want.since_us is not None or is_one_call else want.start_us,
        unit=unit,
        limit=want.limit,
        spent=found.spent,
        key=(now_us // _HOUR_US,),
    )


def question(
    budget: Budget, found: Shortfall, standing: Standing, task_id: str, to: tuple[str, ...]
) -> Alert:
    """A task waits for a person."""
    want, unit, short = found.want, _unit(found.want.unit), standing.approval_id[:8]
    spent = f"{shown(found.spent, unit)} of {shown(want.limit or 0, unit)} {is_or_are(found.spent, unit)} spent{_of(want.scope)}"
    if found.threshold is None:
        wanted = f"asks for {shown(standing.asked, unit)} more"
        title = f"Budget {budget.name}: a task asks for more{_of(want.scope)}"
    else:
        wanted = f"waits until somebody takes note that {shown(found.threshold, unit)} {is_or_are(found.threshold, unit)} passed"
        title = f"Budget {budget.name}: somebody has to take note{_of(want.scope)}"
    return Alert(
        "approval",
        budget.name,
        title,
        (
            f"{spent}, and task {task_id} {wanted}. Decide with `spendgraph approvals approve {short} --by NAME --why"
            f" REASON` or `spendgraph approvals deny` by {_time(standing.expires_us)}; silence means no.{_owner(budget.owner or '')}"
        ),
        to,
        "warning",
        scope=want.scope,
        window_start_us=want.start_us,
        threshold=found.threshold,
        unit=unit,
        spent=found.spent,
        task_id=task_id,
        key=(standing.approval_id,),
    )


def dear_call(
    budget: Budget,
    warn_nanousd: int,
    cost_nanousd: int,
    what: str,
    task_id: str,
    step_id: str,
    to: tuple[str, ...],
) -> Alert:
    """A single call cost more than it should."""
    return Alert(
        "dear_call",
        budget.name,
        f"Budget {budget.name}: a call cost {shown(cost_nanousd, 'nanousd')}",
        (
            f"A call of {what} cost {shown(cost_nanousd, 'nanousd')}; from {shown(warn_nanousd, 'nanousd')} on you want to know."
            f" `spendgraph task {task_id}` shows what it was part of.{_owner(budget.owner or '')}"
        ),
        to,
        "warning",
        threshold=warn_nanousd,
        unit="nanousd",
        spent=cost_nanousd,
        task_id=task_id,
        key=(step_id,),
    )


def _of(scope: str) -> str:
    return f" for {scope}" if scope else ""


def _owner(owner: str) -> str:
    return f" Its owner is {owner}." if owner else ""


def _during(of: Watched, window: WindowSpent) -> str:
    if of.rolling_us:
        return " within the rolling period"
    if window.end_us is None:
        return ""
    return f" in the window from {_time(window.start_us)} to {_time(window.end_us)}"


def _time(at_us: int) -> str:
    return from_us(at_us).strftime("%Y-%m-%d %H:%M UTC")


def _unit(unit: str) -> Literal["nanousd", "tokens", "calls"]:
    return "nanousd" if unit == "nanousd" else "tokens" if unit == "tokens" else "calls"
