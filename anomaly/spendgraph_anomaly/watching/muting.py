"""What people have said of incidents, and of which others nobody is told for it.

Noise raises the bar: incidents of that scope that are as quick, or as slow, are not told up to half as much again as the one that was noise.
What is expected is not told in the same hours of the week, or at all until a day, up to twice as much. What is larger is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph.ledger.incidents import Mute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spendgraph.ledger.incidents import MuteRow

DAY_US: Final = 86_400_000_000
QUARTER_US: Final = 900_000_000

_SLOW: Final = frozenset({"shift", "drift"})
"""What goes on for days; everything else is a matter of minutes or hours, whatever it is called."""

NOISE_US: Final = 30 * DAY_US
"""How long noise is muted when nothing else is said."""

EXPECTED_US: Final = 90 * DAY_US
"""How long the same hours of the week are."""


def noise_mute(incident: Mapping[str, Any], now_us: int, for_us: int = NOISE_US) -> Mute:
    """What is learnt from an incident that was noise."""
    return Mute(_times(incident, 3, 2), now_us + for_us)


def expected_mute(
    incident: Mapping[str, Any], zone: str, now_us: int, *, until_us: int | None = None
) -> Mute:
    """What is learnt from an incident that was expected.

    Args:
        incident: The incident.
        zone: Whose hours of the week are meant.
        now_us: The time.
        until_us: Mute every hour until then, instead of the same hours of the week.
    """
    if until_us is not None:
        return Mute(_times(incident, 2, 1), until_us)
    hours = hours_of_week(incident["start_us"], incident["until_us"], zone)
    return Mute(_times(incident, 2, 1), now_us + EXPECTED_US, tuple(sorted(hours)), zone)


def mute_of(incident: Mapping[str, Any], mutes: Iterable[MuteRow]) -> MuteRow | None:
    """The word for which nobody is told of an incident, as it is now."""
    for row in mutes:
        if (row.watch, row.scope) != (incident["watch"], incident["scope"]):
            continue
        if row.verdict == "noise" and (row.kind in _SLOW) != (incident["kind"] in _SLOW):
            continue
        if incident["excess_nanousd"] > row.mute.below_nanousd:
            continue
        hours = row.mute.hours
        if hours and not hours_of_week(incident["start_us"], incident["until_us"], row.mute.zone) <= set(
            hours
        ):
            continue
        return row
    return None


def hours_of_week(start_us: int, until_us: int, zone: str) -> set[int]:
    """The hours of the week of which a stretch of time has a part, 0 is Monday's first.

    >>> sorted(hours_of_week(1_790_553_600_000_000, 1_790_560_800_000_000, "Europe/Berlin"))
    [2, 3]
    """
    first = start_us - start_us % QUARTER_US
    # By quarters, because some zones are 30 or 45 minutes beside UTC's hours; a week has every hour there is.
    moments = range(first, min(until_us, first + 7 * DAY_US), QUARTER_US)
    times = (from_us(moment).astimezone(ZoneInfo(zone)) for moment in moments)
    return {time.weekday() * 24 + time.hour for time in times}


def _times(incident: Mapping[str, Any], by: int, of: int) -> int:
    return max(0, int(incident["excess_nanousd"])) * by // of
