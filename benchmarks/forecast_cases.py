"""What forecasts are measured on: real series, cut at moments of which it is known what came after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]
Half = Literal["tune", "report"]

DATA = Path(os.environ.get("SPENDGRAPH_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")

DAILY = (
    "bikeshare", "bitcoin_tx", "electricity", "nyc_taxi", "opsd_power", "pedestrians_covid", "traffic_volume", "wiki_pageviews",
)  # fmt: skip
CUTS = (6, 14, 22)
"""So many days into a month its end is forecast."""

HOURS = 48
BUSY = 0.9
"""Tenants of which so many of the hours have spending."""

ORIGINS = (192, 240, 288)
"""Hours that are known of a tenant's 336; what is forecast does not overlap."""


class Month(NamedTuple):
    """A month so many days in, by day."""

    series: str
    before: Values
    """Everything up to now, the month's days at its end."""
    gone: int
    """Days of the month that are over."""
    rest: Values
    """The days that came."""

    @property
    def spent(self) -> float:
        """What is spent of the month."""
        return float(self.before[-self.gone :].sum())

    @property
    def bill(self) -> float:
        """What the month came to."""
        return self.spent + float(self.rest.sum())


class Hours(NamedTuple):
    """A series by the hour, and the 48 hours that came."""

    series: str
    before: Values
    came: Values

    @property
    def scale(self) -> float:
        """What MASE measures by: how far each hour is from the same hour of the day before."""
        return float(np.abs(self.before[24:] - self.before[:-24]).mean())


def months(half: Half) -> list[Month]:
    """Months of real series by day: the first half of each series' years to tune on, the second to report.

    Of series with more than thirty months in their half every other one, so that they do not outweigh the others.
    """
    found: list[Month] = []
    for name in DAILY:
        days = _daily(name)
        values: Values = np.asarray(days, dtype=np.float64)
        middle = len(days) // 2
        index: Any = days.index
        starts = [
            at
            for at in range(28, len(days))
            if index[at].day == 1
            and at + index[at].days_in_month <= len(days)
            and (at < middle) == (half == "tune")
        ]
        for start in starts[:: 2 if len(starts) > 30 else 1]:
            end = start + index[start].days_in_month
            if values[start:end].sum() > 0:
                found += [
                    Month(name, values[: start + gone], gone, values[start + gone : end]) for gone in CUTS
                ]
    return found


def tenants(half: Half) -> list[Hours]:
    """Real LLM tenants by hour: every other of the busy ones to tune on, the rest to report."""
    frame = pd.read_csv(DATA / "llm" / "servegen_cost_10min.csv.gz").iloc[:, 1:]
    found: list[Hours] = []
    hours = {
        str(name): frame[name].to_numpy(dtype=np.float64).reshape(-1, 6).sum(axis=1) for name in frame.columns
    }
    busy = [name for name, spent in hours.items() if (spent > 0).mean() >= BUSY]
    for name in busy[0 if half == "tune" else 1 :: 2]:
        for origin in ORIGINS:
            one = Hours(name, hours[name][:origin], hours[name][origin : origin + HOURS])
            if one.scale > 0:
                found.append(one)
    return found


def m4(half: Half) -> list[Hours]:
    """The hourly series of the M4 competition with their tests, every other to tune on."""
    with np.load(DATA / "m4" / "m4_hourly.npz") as found:
        names = sorted(found.files, key=lambda name: int(name[1:]))
        return [
            Hours(name, found[name][:-HOURS].astype(np.float64), found[name][-HOURS:].astype(np.float64))
            for name in names[0 if half == "tune" else 1 :: 2]
        ]


def limits(cases: list[Month], seed: int) -> Iterator[float]:
    """For each month a limit that is reached within the days that came, as a share of them."""
    rng = np.random.default_rng(seed)
    for case in cases:
        yield float(rng.uniform(0.3, 0.95)) * float(case.rest.sum())


def _daily(name: str) -> pd.Series[float]:
    frame = pd.read_csv(DATA / "daily" / f"{name}.csv.gz")
    day, value = frame.columns[:2]
    found = pd.Series(frame[value].to_numpy(dtype=np.float64), index=pd.to_datetime(frame[day]))
    return found.resample("D").sum()
