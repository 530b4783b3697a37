"""Real LLM tenants with incidents put into them, seeded: what a bin of the tenant cost, which of it is the incident's, and when it was.

The tenants are those of ServeGen (14 days at 10 minutes, dollars) which spent at least $100 and were seen in at least half of all hours. The first seven days
of each are as they were and only warm a detector up; then one incident is put in, which begins and ends in the second week. The size of an incident
follows what its tenant spent in the first week, and is $2 at least:

- `stuck loop`: 4 to 30 times the mean rate on top, at once, for 1 to 10 hours.
- `runaway context`: on top too, growing from nothing to 5 to 25 times the mean rate in 6 to 24 hours.
- `bad deploy`: everything costs 2 to 4 times as much for 12 to 72 hours.
- `slow drift`: everything becomes dearer, bit by bit, up to 1.3 to 1.8 times as much within 3 to 5 days.
- `off-hours loop`: in the eight quietest hours of the day it spends as much as in a busy hour (0.7 to 1.4 times the 90th percentile of the hours), for 2 to 6 hours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from nab import Floats, Ints, data_folder

Kind = Literal["stuck loop", "runaway context", "bad deploy", "slow drift", "off-hours loop"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

TEN_MINUTES: Final = 600
HOUR: Final = 3600
DAY: Final = 86_400
WARM_UP_DAYS: Final = 7
LEAST_USD: Final = 100.0
LEAST_SEEN: Final = 0.5
LEAST_INCIDENT_USD: Final = 2.0

_DRAWS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One tenant's spending with at most one incident in it.

    Attributes:
        tenant: Who.
        every_s: Seconds of a bin.
        starts_us: When each bin begins.
        values: Dollars of each bin, the incident's among them.
        judged_from: The first bin that is judged; what is before is warm-up.
        kind: What kind of incident; none is a tenant without one.
        first: The incident's first bin.
        last: Its last one.
        incident: The incident's dollars in each bin.
    """

    tenant: str
    every_s: int
    starts_us: Ints
    values: Floats
    judged_from: int
    kind: Kind | None
    first: int
    last: int
    incident: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Tenants:
    """What tenants spent, a column each.

    Attributes:
        names: Their names.
        starts_us: When each bin begins.
        dollars: Shape `(bins, tenants)`.
        every_s: Seconds of a bin.
    """

    names: tuple[str, ...]
    starts_us: Ints
    dollars: Floats
    every_s: int


@lru_cache(maxsize=2)
def tenants(every_s: int = TEN_MINUTES) -> Tenants:
    """The tenants that spent enough and were seen often enough, in bins of ten minutes or an hour.

    Raises:
        FileNotFoundError: The data is not there.
    """
    frame = pd.read_csv(data_folder() / "llm" / "servegen_cost_10min.csv.gz", index_col="ts")
    dollars = frame.to_numpy(dtype=np.float64)
    starts_us = np.array(list(frame.index), dtype="datetime64[us]").astype(np.int64)
    hours = _sums(dollars, HOUR // TEN_MINUTES)
    kept = (hours.sum(axis=0) >= LEAST_USD) & ((hours > 0).mean(axis=0) >= LEAST_SEEN)
    names = tuple(name for name, keep in zip(map(str, frame.columns), kept.tolist(), strict=True) if keep)
    together = every_s // TEN_MINUTES
    return Tenants(names, starts_us[::together], _sums(dollars[:, kept], together), every_s)


def cases(count: int, *, seed: int, every_s: int = HOUR, kinds: Sequence[Kind] = KINDS) -> list[Case]:
    """Tenants with an incident each, of all kinds in turn.

    Args:
        count: How many.
        seed: Of which tenants, and of the incidents. An incident is the same in bins of ten minutes and of an hour.
        every_s: Seconds of a bin.
        kinds: Which kinds.
    """
    fine = tenants(TEN_MINUTES)
    rng = np.random.default_rng(seed)
    columns = (int(column) for _ in repeat(None) for column in rng.permutation(len(fine.names)))
    made: list[Case] = []
    for number, column in enumerate(columns):
        if len(made) == count:
            break
        drawn = np.random.default_rng([seed, number])
        case = _case(fine, column, kinds[len(made) % len(kinds)], every_s, drawn)
        made += [] if case is None else [case]
    return made


def new_tenants(count: int, *, seed: int, every_s: int = HOUR, days: int = 28) -> list[Case]:
    """Tenants without an incident from their first day on, longer than the data is.

    The first 14 days are as they were. Each later day is one of the same weekday out of them, with all of it times a factor of its own (log-normal,
    sigma 0.15) and each bin too (0.10), so that maxima are exceeded as often as one would think. Judged is from the third day's end on.
    """
    source = tenants(every_s)
    rng = np.random.default_rng(seed)
    per_day = DAY // every_s
    found: list[Case] = []
    for column in map(int, rng.permutation(len(source.names))[:count]):
        real = source.dollars[:, column].reshape(-1, per_day)
        later = [
            real[(day % 7) + 7 * int(rng.integers(2))]
            * rng.lognormal(-(0.15**2) / 2, 0.15)
            * rng.lognormal(-(0.10**2) / 2, 0.10, per_day)
            for day in range(len(real), days)
        ]
        values = np.concatenate([real.ravel()[: days * per_day], *later])
        starts_us = source.starts_us[0] + np.arange(len(values)) * (every_s * 1_000_000)
        nothing = np.zeros(len(values))
        found.append(
            Case(source.names[column], every_s, starts_us, values, 3 * per_day, None, -1, -1, nothing)
        )
    return found


def _case(fine: Tenants, column: int, kind: Kind, every_s: int, rng: np.random.Generator) -> Case | None:
    """An incident in bins of ten minutes, then in the bins that are asked for; none where this kind costs this tenant nothing."""
    clean = fine.dollars[:, column]
    incident = np.zeros(len(clean))
    for _ in range(_DRAWS):
        first, extra = _incident(kind, clean, rng)
        if extra.sum() >= LEAST_INCIDENT_USD:
            incident[first : first + len(extra)] = extra
            break
    else:
        return None
    together = every_s // fine.every_s
    seen = np.flatnonzero(incident) // together
    return Case(
        tenant=fine.names[column],
        every_s=every_s,
        starts_us=fine.starts_us[::together],
        values=_sums(clean + incident, together),
        judged_from=WARM_UP_DAYS * DAY // every_s,
        kind=kind,
        first=int(seen[0]),
        last=int(seen[-1]),
        incident=_sums(incident, together),
    )


def _incident(kind: Kind, clean: Floats, rng: np.random.Generator) -> tuple[int, Floats]:
    """When an incident begins, and its dollars from there on."""
    hour = HOUR // TEN_MINUTES
    before = clean[: WARM_UP_DAYS * 24 * hour]
    mean = float(before.mean()) or float(clean.mean())  # of a tenant that came later
    shortest_h, longest_h = {
        "stuck loop": (1, 10),
        "runaway context": (6, 24),
        "bad deploy": (12, 72),
        "slow drift": (72, 120),
        "off-hours loop": (2, 6),
    }[kind]
    bins = round(rng.uniform(shortest_h, longest_h) * hour)
    if kind == "off-hours loop":
        first = _quiet_start(before, bins, len(clean), rng)
    else:
        first = int(rng.integers(len(before), len(clean) - bins))
    progress = (np.arange(bins) + 1) / bins
    noise = rng.lognormal(0, 0.15, bins)
    its_own = clean[first : first + bins]
    if kind == "stuck loop":
        return first, mean * _log_uniform(rng, 4, 30) * noise
    if kind == "runaway context":
        return first, mean * _log_uniform(rng, 5, 25) * progress * noise
    if kind == "off-hours loop":
        busy = float(np.quantile(_sums(before, hour), 0.9)) / hour
        return first, (busy or mean) * rng.uniform(0.7, 1.4) * noise
    growth = np.ones(bins) if kind == "bad deploy" else progress
    factor = rng.uniform(2.0, 4.0) if kind == "bad deploy" else rng.uniform(1.3, 1.8)
    return first, its_own * (factor - 1) * growth


def _quiet_start(before: Floats, bins: int, points: int, rng: np.random.Generator) -> int:
    """A beginning of the second week from which `bins` fit into the eight hours of a day in which least is spent."""
    hour = HOUR // TEN_MINUTES
    by_hour: Floats = before.reshape(-1, 24, hour).sum(axis=(0, 2))
    eight = [float(np.roll(by_hour, -start)[:8].sum()) for start in range(24)]
    quiet = eight.index(min(eight)) * hour
    day = int(rng.integers(WARM_UP_DAYS, points // (24 * hour) - 1))
    return day * 24 * hour + quiet + int(rng.integers(0, 8 * hour - bins + 1))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _sums(values: Floats, together: int) -> Floats:
    """Sums of so many bins each, along the first axis."""
    sums: Floats = values.reshape(-1, together, *values.shape[1:]).sum(axis=1)
    return sums
