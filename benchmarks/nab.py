"""The Numenta Anomaly Benchmark's scoring, standard profile: how early the labelled windows of its series are found, and at which false alarms.

What a detection counts for: inside a window the more the earlier it is (1 at its start, 0 at its end), the best one of each window and no other; outside of
one up to -0.11, less just behind a window; a window without any -1. The first 15 percent of a series (of 5,000 points at most) are a warm-up and count for
nothing. All series are scored at one threshold. 0 is a detector that never says anything, 100 one that finds every window at its start and raises no false alarm.

`sweep` is the score at the best threshold, which one knows only afterwards; `score_alerts` is that of what a detector has called an alert.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

FALSE_ALARM: Final = 0.11
WARM_UP: Final = 0.15
LONGEST_FOR_WARM_UP: Final = 5000
ARTIFICIAL: Final = ("artificialNoAnomaly", "artificialWithAnomaly")

_FAR: Final = 3.0  # widths behind a window from which on a false alarm counts in full


class Scored(NamedTuple):
    """What a corpus of series is scored.

    Attributes:
        score: 0 is saying nothing, 100 is perfect; it can be below 0.
        raw: The same before it is scaled.
        threshold: At which scores of the detector.
    """

    score: float
    raw: float
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One series with what is known of it.

    Attributes:
        name: `folder/file.csv`.
        starts_us: When each point was, microseconds since 1970 UTC; increasing.
        every_s: Seconds from a point to the next, for most of them.
        values: The points.
        windows: First and last point of each labelled window.
        weights: What a detection at a point counts for.
        window_of: Which window a point is in; -1 outside, -2 in the warm-up.
    """

    name: str
    starts_us: Ints
    every_s: int
    values: Floats
    windows: tuple[tuple[int, int], ...]
    weights: Floats
    window_of: Ints


def data_folder() -> Path:
    """Where the real data is: `SPENDGRAPH_DATA`, or `../shared/data` beside the checkout."""
    found = os.environ.get("SPENDGRAPH_DATA")
    return Path(found) if found else Path(__file__).resolve().parents[2] / "shared" / "data"


@lru_cache(maxsize=2)
def corpus(*, artificial: bool = False) -> tuple[Labelled, ...]:
    """The 47 real series, or all 58.

    Raises:
        FileNotFoundError: The data is not there.
    """
    root = data_folder() / "nab"
    labels: dict[str, list[tuple[str, str]]] = json.loads(
        (root / "labels" / "combined_windows.json").read_text()
    )
    return tuple(
        _read(root / "data" / name, name, windows)
        for name, windows in sorted(labels.items())
        if artificial or not name.startswith(ARTIFICIAL)
    )


def sweep(scores: Mapping[str, Floats], series: tuple[Labelled, ...] | None = None) -> Scored:
    """The score at the best single threshold.

    Args:
        scores: By series, a number for each point, the higher the more unusual.
        series: Which; the 47 real ones unless said.
    """
    series = corpus() if series is None else series
    steps = [_steps(each, scores[each.name]) for each in series]
    thresholds = np.concatenate([each[0] for each in steps])
    gains = np.concatenate([each[1] for each in steps])
    order = np.argsort(-thresholds, kind="stable")
    thresholds = thresholds[order]
    windows = _windows(series)
    totals = -windows + np.cumsum(gains[order])
    last_of_ties = np.flatnonzero(np.append(np.diff(thresholds) != 0, True))
    best = last_of_ties[np.argmax(totals[last_of_ties])]
    if totals[best] < -windows:  # nothing said is better than anything said
        return Scored(0.0, -windows, float("inf"))
    return _scaled(float(totals[best]), windows, float(thresholds[best]))


def score_at(
    scores: Mapping[str, Floats], threshold: float, series: tuple[Labelled, ...] | None = None
) -> Scored:
    """The score at a threshold that was fixed beforehand: points from it on are detections."""
    series = corpus() if series is None else series
    scored = score_alerts({each.name: scores[each.name] >= threshold for each in series}, series)
    return scored._replace(threshold=threshold)


def score_alerts(alerts: Mapping[str, Flags], series: tuple[Labelled, ...] | None = None) -> Scored:
    """The score of what a detector called alerts itself, by series a flag for each point."""
    series = corpus() if series is None else series
    total = 0.0
    for each in series:
        alert = alerts[each.name]
        total += float(each.weights[alert & (each.window_of == -1)].sum())
        for number in range(len(each.windows)):
            found = each.weights[alert & (each.window_of == number)]
            total += float(found.max()) if len(found) else -1.0
    return _scaled(total, _windows(series), float("nan"))


def _windows(series: tuple[Labelled, ...]) -> float:
    return float(sum(len(each.windows) for each in series))


def _scaled(raw: float, windows: float, threshold: float) -> Scored:
    return Scored(100 * (raw + windows) / (2 * windows), raw, threshold)


def _steps(series: Labelled, scores: Floats) -> tuple[Floats, Floats]:
    """Thresholds, and what each adds to the score of a series when one goes down to it."""
    outside = series.window_of == -1
    thresholds, gains = [scores[outside]], [series.weights[outside]]
    for number in range(len(series.windows)):
        inside = np.flatnonzero(series.window_of == number)
        order = inside[np.argsort(-scores[inside], kind="stable")]
        best = np.maximum.accumulate(series.weights[order])  # only the best detection of a window counts
        thresholds.append(scores[order])
        gains.append(np.diff(best, prepend=-1.0))
    return np.concatenate(thresholds), np.concatenate(gains)


def _read(file: Path, name: str, labels: list[tuple[str, str]]) -> Labelled:
    with file.open(encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split(",") for line in lines][1:]
    times = np.array([row[0] for row in rows], dtype="datetime64[us]")
    windows = tuple(
        (
            int(np.searchsorted(times, np.datetime64(first, "us"))),
            int(np.searchsorted(times, np.datetime64(last, "us"), side="right")) - 1,
        )
        for first, last in labels
    )
    starts_us = times.astype(np.int64)
    weights, window_of = _weigh(len(rows), windows)
    every_s = int(np.median(np.diff(starts_us))) // 1_000_000
    counted = np.arange(len(rows))
    starts_us = np.maximum.accumulate(starts_us - counted) + counted  # some hours are there twice, in autumn
    return Labelled(
        name, starts_us, every_s, np.array([float(row[1]) for row in rows]), windows, weights, window_of
    )


def _weigh(points: int, windows: tuple[tuple[int, int], ...]) -> tuple[Floats, Ints]:
    weights = np.full(points, -FALSE_ALARM)
    window_of = np.full(points, -1, dtype=np.int64)
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        behind = np.arange(last + 1, points)
        distance = (behind - last) / max(width - 1, 1)
        weights[behind] = FALSE_ALARM * np.where(distance > _FAR, -1.0, _sigmoid(distance))
        inside = np.arange(first, last + 1)
        weights[inside] = _sigmoid((inside - last - 1) / width) / _sigmoid(np.array([-1.0]))
        window_of[inside] = number
    window_of[: int(WARM_UP * min(points, LONGEST_FOR_WARM_UP))] = -2
    return weights, window_of


def _sigmoid(position: Floats) -> Floats:
    return 2 / (1 + np.exp(5 * position)) - 1
