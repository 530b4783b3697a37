"""Series to judge: weeks of a shop, and real LLM tenants where their data is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spendgraph_anomaly.detectors import Detector, Judgement, Settings

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MONDAY_US = 1_767_571_200_000_000
"""Monday 5 January 2026, 00:00 UTC."""

DATA = Path(os.environ.get("SPENDGRAPH_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def judge(
    values: Sequence[float],
    every_s: int = 3600,
    *,
    settings: Settings | None = None,
    zone: str = "UTC",
    start_us: int = MONDAY_US,
) -> list[Judgement]:
    """What a new detector says of a series."""
    detector = Detector(every_s, zone, settings or Settings())
    return [
        detector.observe(start_us + place * every_s * 1_000_000, value) for place, value in enumerate(values)
    ]


def working_hours(days: int, *, busy: float = 10.0, quiet: float = 0.0) -> list[float]:
    """Hours of days on which work is done from 8 to 18, a little more at noon."""
    return [
        (busy * (1.0 + 0.1 * (12 <= hour < 14)) if 8 <= hour < 18 else quiet)
        for _ in range(days)
        for hour in range(24)
    ]


def hourly(tens: Sequence[float]) -> list[float]:
    """Hours of tens of minutes."""
    return [sum(tens[place : place + 6]) for place in range(0, len(tens), 6)]
