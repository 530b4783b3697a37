"""The sentences of the anomaly review: true for every ledger, made from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from spendgraph_reports.amounts import counted, dollars, percent
from spendgraph_reports.report import UNNAMED

if TYPE_CHECKING:
    from datetime import datetime

    from spendgraph_anomaly.explain import Change
    from spendgraph_anomaly.review.cuts import Tags

_TOLD: Final = 5
"""So many incidents have a sentence of their own."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def cut_text(tags: Tags) -> str:
    """Whose spending it is.

    >>> cut_text({"tenant": "acme", "cost_center": ""})
    'tenant acme, cost center (none)'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value or UNNAMED}" for name, value in tags.items())


def lasting(hours: float) -> str:
    """How long something lasted.

    >>> lasting(0.25), lasting(1.0), lasting(5.5), lasting(72.0)
    ('15 minutes', '1 hour', '5.5 hours', '3 days')
    """
    if hours < 1:
        return counted(round(60 * hours), "minute")
    if hours < 48:
        return f"{hours:g} hour" if hours == 1 else f"{hours:.3g} hours"
    return f"{hours / 24:.3g} days"


def moment(at: datetime, zone: str) -> str:
    """When something began, for people.

    >>> from datetime import UTC, datetime
    >>> moment(datetime(2026, 11, 3, 9, tzinfo=UTC), "Europe/Berlin")
    'Tue 3 Nov, 10:00'
    """
    local = at.astimezone(ZoneInfo(zone))
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}, {local:%H:%M}"


def sentence(row: Mapping[str, Any], zone: str) -> str:
    """One incident, read out."""
    when = f"{moment(row['began'], zone)}, for {lasting(row['hours'])}"
    expected = dollars(row["expected_nanousd"])
    usual = "where nothing was to be expected" if expected == dollars(0) else f"instead of {expected}"
    said = f"{when}: {row['cut']} spent {dollars(row['observed_nanousd'])} {usual}"
    who = f", most of it {row['carrier']}" if row.get("carrier") else ""
    because = f": {row['cause']}" if row.get("cause") else ""
    task = f"; see task {row['sample_task']}" if row.get("sample_task") else ""
    return f"{said}{who}{because}{task}."


def change_text(change: Change) -> str:
    """What changed, in words and numbers."""
    grew = f"+{dollars(change.nanousd)}"
    match change.part:
        case "calls":
            return f"{change.now:,.0f} calls instead of {change.before:,.0f} ({grew})"
        case "tokens per call":
            return f"{change.now:,.0f} tokens a call instead of {change.before:,.0f} ({grew})"
        case "cache":
            return f"{percent(change.now)} of the input from the prompt cache instead of {percent(change.before)} ({grew})"
        case "models":
            return f"{percent(change.now)} of the calls are {change.what or 'others'}, instead of {percent(change.before)} ({grew})"
        case "price":
            return f"other prices for the same ({grew})"


def too_new(cuts: Sequence[Tags]) -> tuple[str, ...]:
    """The caveat that some cuts have too short a past to be judged."""
    if not cuts:
        return ()
    names = "; ".join(map(cut_text, cuts[:3]))
    more = f", and {len(cuts) - 3} more" if len(cuts) > 3 else ""
    return (
        f"{counted(len(cuts), 'cut')} spent for the first time too shortly ago to be judged: {names}{more}.",
    )


def findings_of(
    rows: Sequence[Mapping[str, Any]], cost_nanousd: int, least_nanousd: int, zone: str
) -> tuple[str, ...]:
    """What a review found, the dearest first."""
    least = dollars(least_nanousd)
    if not rows:
        return (f"Nothing stood out by {least} or more.",)
    excess = sum(row["excess_nanousd"] for row in rows)
    of_it = f", {percent(excess / cost_nanousd)} of what was spent" if cost_nanousd > 0 else ""
    said = [f"{counted(len(rows), 'incident')} cost {dollars(excess)} more than was to be expected{of_it}."]
    said += [sentence(row, zone) for row in rows[:_TOLD]]
    if len(rows) > _TOLD:
        rest = sum(row["excess_nanousd"] for row in rows[_TOLD:])
        said.append(f"{len(rows) - _TOLD} more come to {dollars(rest)}.")
    return tuple(said)
