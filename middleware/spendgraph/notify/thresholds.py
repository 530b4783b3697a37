"""What of a window's spending people are told: thresholds it has passed, its limit, and its pace. No ledger, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from spendgraph.policy.periods import rolling_us

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from spendgraph.ledger.alerts import WindowSpent
    from spendgraph.notify.channels import Channels
    from spendgraph.policy import Budget

REARM_POINTS: Final = 5
"""A rolling budget's threshold counts anew once spending was so many points of the limit below it."""

Kind = Literal["threshold", "overrun", "pace"]


class Level(NamedTuple):
    """Spending of which somebody is told.

    Attributes:
        kind: `threshold`, or `overrun` for what passes the limit.
        amount: The spending from which, in the budget's unit.
        percent: The same for a person, such as `80%`.
        to: Who is told.
    """

    kind: Kind
    amount: int
    percent: str
    to: tuple[str, ...]


class Watched(NamedTuple):
    """A budget whose spending somebody wants to hear of.

    Attributes:
        name: Its name.
        owner: Its owner, or empty.
        unit: What it counts.
        limit: Its limit, above zero.
        rolling_us: How long its period is, where that rolls; else 0.
        levels: What is told, the highest first.
        pace_to: Who is told that it is spent too fast.
        least: Less than this is nothing to anybody.
    """

    name: str
    owner: str
    unit: Literal["nanousd", "tokens", "calls"]
    limit: int
    rolling_us: int
    levels: tuple[Level, ...]
    pace_to: tuple[str, ...]
    least: int


def watched(budget: Budget, channels: Channels) -> Watched | None:
    """What is to be watched of a budget; `None` where nobody wants to hear of it."""
    notifying = [each for each in budget.thresholds if "notify" in each.do]
    owner = channels.known([budget.owner])
    if budget.limit <= 0 or "call" in budget.per or not (notifying or owner):
        return None
    levels = [
        Level(
            "threshold", _share(budget.limit, each.at), _percent(each.at), (*owner, *_others(each.to, owner))
        )
        for each in sorted(notifying, key=lambda each: each.at, reverse=True)
    ]
    levels.insert(0, Level("overrun", budget.limit + 1, "100%", owner or levels[0].to))
    pace_to = (*owner, *_others(levels[-1].to, owner))
    has_end = budget.period not in {None, "total"} and not rolling_us(budget.period)
    least = min(level.amount for level in levels)
    if has_end:
        least = min(least, -(-budget.limit // 10))
    return Watched(
        budget.name,
        budget.owner or "",
        budget.unit,
        budget.limit,
        rolling_us(budget.period),
        tuple(levels),
        pace_to if has_end else (),
        least,
    )


def is_too_fast(spent: int, limit: int, window: WindowSpent, now_us: int) -> bool:
    """Whether a window is spent more than 25 percent faster than evenly.

    Not before a tenth of the limit and a twentieth of the time are gone, and not when there is nothing left to save.
    """
    if window.end_us is None or spent >= limit or spent * 10 < limit:
        return False
    span_us = window.end_us - window.start_us
    elapsed_us = now_us - window.start_us
    if elapsed_us * 20 < span_us or elapsed_us >= span_us:
        return False
    return spent * span_us * 4 > 5 * limit * elapsed_us


def exhausted_us(spent: int, limit: int, window: WindowSpent, now_us: int) -> int:
    """When the limit is reached if it goes on like this."""
    return window.start_us + (now_us - window.start_us) * limit // spent


def rolling_sums(parts: Sequence[WindowSpent], unit: str, period_us: int) -> list[int]:
    """What is spent of a rolling budget in each of its parts, the oldest first: in it, and in those of the period before it."""
    sums: list[int] = []
    oldest = total = 0
    for part in parts:
        while parts[oldest].start_us < part.start_us - period_us:
            total -= parts[oldest].spent(unit)
            oldest += 1
        total += part.spent(unit)
        sums.append(total)
    return sums


def has_fallen(
    parts: Sequence[WindowSpent], unit: str, since_us: int, until_us: int, below: int, period_us: int
) -> bool:
    """Whether a rolling budget's spending was below an amount at the start of a part that began after one time, up to another.

    Args:
        parts: The counter's parts, the oldest first, back to a period before `since_us`.
        unit: The budget's unit.
        since_us: The start of the part in which it was told the last time, or a period ago.
        until_us: The start of the part in which it is looked at.
        below: The amount.
        period_us: How long a part counts: those that start so much earlier still do.
    """
    sums = rolling_sums(parts, unit, period_us)
    return any(
        since_us < part.start_us <= until_us and total - part.spent(unit) < below
        for part, total in zip(parts, sums, strict=True)
    )


def rearms_at(threshold: int, limit: int) -> int:
    """Below which spending a rolling budget's threshold counts anew."""
    return max(threshold - limit * REARM_POINTS // 100, 1)


def _share(limit: int, at: Decimal) -> int:
    """The smallest whole amount that is at least this share of a limit, exactly."""
    part, whole = at.as_integer_ratio()
    return -(-limit * part // whole)


def _percent(at: Decimal) -> str:
    part, whole = at.as_integer_ratio()
    text = f"{100 * part / whole:.2f}".rstrip("0").rstrip(".")
    return f"{text}%"


def _others(names: Sequence[str], but: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name not in but))
