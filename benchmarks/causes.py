"""Spending by tags with one or two causes in it, seeded: who is to blame is known, and it is what an explanation has to name.

A company of `dimensions` tags (3 to 6 of tenant, feature, model, environment, version, template, workload class, team), whose values are as they are: few tenants
have most of the spending, production is nine tenths, a feature has its team, a few versions and models. Its cells are drawn with a log-normal size; each
of four weeks and the week that is judged moves every tenant, every feature and every cell by itself, so that siblings of a cause move as well, and some cells
come and go. Then a cause: the cells with the same values of one to three tags have moved, so much that it is seen from outside, by at least a fifth of what is
expected of all. Of ten causes six are cells that became 1.6 to 8 times as dear, three are new spending that falls on each of the cells alike, each with its own
noise, and one is a value that never was there before. One case in four has two causes.

A case's truth can be told from the data: no other combination as short has the same cells, and each tag of it leaves out siblings that are at least a tenth of
what is in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.explain.cells import Cells, cells_of

Floats = NDArray[np.float64]

NAMES: Final = ("tenant", "feature", "model", "environment", "version", "template", "workload_class", "team")
WEEKS: Final = 4
LEAST_RISE: Final = 0.2
LEAST_LEFT_OUT: Final = 0.1

Row = dict[str, Any]
Tags = dict[str, str]


class Case(NamedTuple):
    """One incident.

    Attributes:
        cells: What is known of it.
        causes: The combinations that are to be named.
    """

    cells: Cells
    causes: tuple[Tags, ...]


def cases(count: int, *, seed: int, rows: int = 1500) -> Iterator[Case]:
    """So many incidents, a quarter of them with two causes.

    Args:
        count: How many.
        seed: Of everything.
        rows: About how many cells a company has.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        case = None
        while case is None:
            case = _case(rng, rows, two=number % 4 == 3)
        yield case


def _case(rng: np.random.Generator, rows: int, *, two: bool) -> Case | None:
    width = int(rng.integers(3, 7))
    dimensions = tuple(NAMES[at] for at in sorted(map(int, rng.permutation(len(NAMES))[:width])))
    tags = _company(rng, dimensions, rows)
    size = rng.lognormal(0, 1.0, len(tags)) * np.array([_weight(each) for each in tags])
    weeks = np.array([_week(rng, tags, size) for _ in range(WEEKS)])
    now = _week(rng, tags, size)
    usual: Floats = weeks.mean(axis=0)
    causes: list[Tags] = []
    extra = np.zeros(len(tags))
    while len(causes) < (2 if two else 1):
        cause = _cause(rng, tags, usual, dimensions)
        if cause is None or any(_overlaps(cause, other) for other in causes):
            return None
        inside = np.array([_has(each, cause) for each in tags])
        own = float(usual[inside].sum())
        least = LEAST_RISE * float(usual.sum()) * rng.uniform(1.0, 2.0)
        dollars = max(own * math.exp(rng.uniform(math.log(0.6), math.log(7.0))), least)
        kind = rng.choice(["dearer", "added", "new"], p=[0.6, 0.3, 0.1])
        share: Floats = (
            inside.astype(np.float64)
            * (np.ones(len(tags)) if kind == "added" else usual)
            * rng.lognormal(0, 0.3, len(tags))
        )
        extra += dollars * share / share.sum()
        if kind == "new" and len(cause) == 1:
            weeks[:, inside] = 0
        causes.append(cause)
    observed = _rows(tags, now + extra)
    return Case(cells_of(dimensions, observed, [_rows(tags, week) for week in weeks]), tuple(causes))


def _company(rng: np.random.Generator, dimensions: tuple[str, ...], rows: int) -> list[Tags]:
    """The combinations of tags that it has."""
    tenants, features = int(rng.integers(15, 60)), int(rng.integers(4, 13))
    teams = [f"team-{int(rng.integers(0, 5))}" for _ in range(features)]
    versions = [int(rng.integers(1, 4)) for _ in range(features)]
    models = [[int(at) for at in rng.permutation(5)[: int(rng.integers(1, 4))]] for _ in range(features)]
    popular = 1 / np.arange(1, tenants + 1) ** 1.1
    found: dict[tuple[str, ...], Tags] = {}
    for _ in range(rows):
        feature = int(rng.integers(0, features))
        whole = {
            "tenant": f"tenant-{int(rng.choice(tenants, p=popular / popular.sum()))}",
            "feature": f"feature-{feature}",
            "model": f"model-{models[feature][int(rng.integers(0, len(models[feature])))]}",
            "environment": "production" if rng.random() < 0.8 else "staging",
            "version": f"{feature}.{int(rng.integers(0, versions[feature]))}",
            "template": f"template-{feature}-{int(rng.integers(0, 3))}",
            "workload_class": ("interactive", "batch", "evaluation")[int(rng.choice(3, p=[0.6, 0.3, 0.1]))],
            "team": teams[feature],
        }
        kept = {name: whole[name] for name in dimensions}
        found[tuple(kept.values())] = kept
    return list(found.values())


def _weight(tags: Tags) -> float:
    """How much more or less a cell spends for its tags."""
    weight = 1.0
    if "tenant" in tags:
        weight /= (1 + int(tags["tenant"].split("-")[1])) ** 0.6
    if tags.get("environment") == "staging":
        weight *= 0.4
    if tags.get("workload_class") == "evaluation":
        weight *= 0.5
    return weight


def _week(rng: np.random.Generator, tags: list[Tags], size: Floats) -> Floats:
    """What each cell spends in one of the weeks."""
    moves = {
        name: {value: float(rng.lognormal(0, 0.08)) for value in sorted({each[name] for each in tags})}
        for name in ("tenant", "feature")
        if name in tags[0]
    }
    together = np.array([np.prod([moves[name][each[name]] for name in moves]) for each in tags])
    seen = (rng.random(len(tags)) < 0.9).astype(np.float64)
    week: Floats = size * together * rng.lognormal(0, 0.25, len(tags)) * seen
    return week


def _cause(
    rng: np.random.Generator, tags: list[Tags], usual: Floats, dimensions: tuple[str, ...]
) -> Tags | None:
    """A combination that the data can tell from every other one; none where a few draws find none."""
    for _ in range(20):
        length = min(int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])), len(dimensions))
        of = tags[int(rng.choice(len(tags), p=usual / usual.sum()))]
        chosen = sorted(map(int, rng.permutation(len(dimensions))[:length]))
        cause = {dimensions[at]: of[dimensions[at]] for at in chosen}
        own = _spent(tags, usual, cause)
        if own > 0.35 * usual.sum() or sum(_has(each, cause) for each in tags) < 2:
            continue
        shorter = (
            {name: cause[name] for name in names}
            for fewer in range(length)
            for names in combinations(cause, fewer)
        )
        others = (
            {name: of[name] for name in names}
            for names in combinations(dimensions, length)
            if set(names) != set(cause)
        )
        inside = [_has(each, cause) for each in tags]
        if all(_spent(tags, usual, each) - own > LEAST_LEFT_OUT * own for each in shorter) and all(
            [_has(each, other) for each in tags] != inside for other in others
        ):
            return cause
    return None


def _spent(tags: list[Tags], usual: Floats, cause: Tags) -> float:
    return float(sum(usual[at] for at, each in enumerate(tags) if _has(each, cause)))


def _has(tags: Tags, cause: Tags) -> bool:
    return all(tags[name] == value for name, value in cause.items())


def _overlaps(one: Tags, other: Tags) -> bool:
    """Whether a cell can have both; causes are two only where they are told apart."""
    return all(other.get(name, value) == value for name, value in one.items())


def _rows(tags: list[Tags], spent: Floats) -> list[Row]:
    return [
        each | {"cost_nanousd": round(amount * 1e9)}
        for each, amount in zip(tags, spent.tolist(), strict=True)
        if amount > 0
    ]
