"""Whether an incident stops somebody: its score is sure, it has cost enough, and money still goes out fast.

Only calls that were booked as soon as they were over count, and each at no more than what such a call cost before the incident.
So neither late rows, corrections and imports nor a new price ever suspend anybody.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph_anomaly.watching.reading import GRACE_US
from spendgraph_reports.amounts import dollars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spendgraph.ledger.watch_reader import PromptRow, WatchReader
    from spendgraph_anomaly.watching.cuts import Cut, Suspension

_HOUR_US: Final = 3_600_000_000
_RATE_US: Final = 900_000_000
_RATES_PER_HOUR: Final = 4
"""How fast money goes out is that of the last quarter of an hour."""

_DAY_US: Final = 86_400_000_000
"""So far back calls are looked at one by one: what an incident has cost before does not stop anybody now."""


class Grounds(NamedTuple):
    """Why somebody is stopped.

    Attributes:
        lost_nanousd: What the incident has cost beyond what is usual, at the prices of before.
        nanousd_per_hour: How much more than usual goes out in an hour now, the same.
    """

    lost_nanousd: int
    nanousd_per_hour: int

    def sentence(self) -> str:
        """The same for whoever is refused."""
        return (
            f"{dollars(self.lost_nanousd)} more than usual is spent, and it goes on at"
            f" {dollars(self.nanousd_per_hour)} an hour"
        )


def grounds_for(
    cut: Cut, suspension: Suspension, watched: WatchReader, incident: Mapping[str, Any], now_us: int
) -> Grounds | None:
    """Why an incident stops its scope now; `None` where it does not.

    Args:
        cut: What is watched.
        suspension: What it takes.
        watched: Reads the ledger.
        incident: The incident as it is, with what it had come to when it stopped somebody last.
        now_us: The time.
    """
    if not incident["may_suspend"] or incident["end_us"] is not None:
        return None
    judged = incident["excess_nanousd"] - incident["suspended_excess_nanousd"]
    if judged < suspension.least_nanousd:
        return None
    tags, start_us = cut.selecting(incident["tags"]), incident["start_us"]
    usual = incident["expected_nanousd"] * _HOUR_US // (incident["until_us"] - start_us)
    recent = watched.prompt(now_us - _RATE_US, now_us, GRACE_US, tags)
    if _cost(recent) * _RATES_PER_HOUR - usual < suspension.least_nanousd_per_hour:
        return None
    before = former_prices(watched.prompt(start_us - _DAY_US, start_us, GRACE_US, {}))
    whole = watched.prompt(max(start_us, now_us - _DAY_US), now_us, GRACE_US, tags)
    lost = min(
        judged, _at(before, whole) - incident["expected_nanousd"] - incident["suspended_excess_nanousd"]
    )
    rate = _at(before, recent) * _RATES_PER_HOUR - usual
    if lost < suspension.least_nanousd or rate < suspension.least_nanousd_per_hour:
        return None
    return Grounds(lost, rate)


class Former(NamedTuple):
    """What calls of one kind came to before: which prices they had, their units, and what they cost."""

    price_ids: frozenset[str]
    units: int
    cost_nanousd: int


def former_prices(rows: Iterable[PromptRow]) -> dict[tuple[str, ...], Former]:
    """What calls cost in a time, by what they were."""
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    units: dict[tuple[str, ...], int] = defaultdict(int)
    costs: dict[tuple[str, ...], int] = defaultdict(int)
    for row in rows:
        key = _kind_of(row)
        ids[key].add(row.price_id)
        units[key] += row.units
        costs[key] += row.cost_nanousd
    return {key: Former(frozenset(ids[key]), units[key], costs[key]) for key in ids}


def at_former_prices(row: PromptRow, before: Mapping[tuple[str, ...], Former]) -> int:
    """What calls would have cost at what such calls cost before; never more than they did.

    A model's price is new when it has not been seen before. A tool has no price of its own in the ledger: what its calls
    cost on average is compared. What was not used before counts as it is.
    """
    former = before.get(_kind_of(row))
    if former is None or former.units <= 0:
        return row.cost_nanousd
    is_known = row.price_id in former.price_ids
    if is_known and (row.price_id or row.kind != "tool"):
        return row.cost_nanousd
    return min(row.cost_nanousd, row.units * former.cost_nanousd // former.units)


def _at(before: Mapping[tuple[str, ...], Former], rows: Iterable[PromptRow]) -> int:
    return sum(at_former_prices(row, before) for row in rows)


def _cost(rows: Iterable[PromptRow]) -> int:
    return sum(row.cost_nanousd for row in rows)


def _kind_of(row: PromptRow) -> tuple[str, ...]:
    return row.kind, row.name, row.provider, row.model, row.service_tier
