"""How often versions that cost the same are called different, and what a planted regression is found to cost.

    python benchmarks/version_tests.py [--shuffles N] [--seed N] [--json]

On a simulated company's 90 days. `the same`: the tasks of a feature are dealt at random to an old and a new version, so that whatever differs is
chance; at the level of 5 percent about 5 percent of such pairs may be called different. `planted`: the version whose prompt is longer by
mistake is compared with the one before it; the history's truth has the exact dollars of the excess.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from spendgraph_demo.history import Parameters, write_history
from spendgraph_reports.books import Books
from spendgraph_reports.efficiency import versions
from spendgraph_reports.efficiency.comparing import LEVEL, Floats, compare
from spendgraph_reports.efficiency.deploys import Deploys, read_deploys
from spendgraph_reports.period import Period

END = date(2026, 11, 1)
FEATURES = ("inbox-triage", "support-chat", "contract-review", "lead-research")
RESAMPLES = 199


class Alike(NamedTuple):
    """Pairs of versions that are the same."""

    pairs: int
    mean: int
    """Called different by their mean."""
    typical: int
    """Called different by their typical task."""
    covered: int
    """Whose interval holds the ratio 1."""


def alike(deploys: Deploys, *, shuffles: int, seed: int) -> Alike:
    """Deal tasks at random to two versions, the new one having a third, and compare them."""
    rng = np.random.default_rng(seed)
    pools = [_pool(deploys, feature) for feature in FEATURES]
    pairs = mean = typical = covered = 0
    for number in range(shuffles):
        before: dict[str, Floats] = {}
        after: dict[str, Floats] = {}
        for tenant, costs in pools[number % len(pools)].items():
            is_new = rng.random(len(costs)) < 1 / 3
            before[tenant], after[tenant] = costs[~is_new], costs[is_new]
        found = compare(before, after, seed=number, resamples=RESAMPLES)
        if found is None or found.low is None or found.high is None:
            continue
        pairs += 1
        mean += found.p_mean <= LEVEL
        typical += found.p_typical <= LEVEL
        covered += found.low <= 1 <= found.high
    return Alike(pairs, mean, typical, covered)


def _pool(deploys: Deploys, feature: str) -> dict[str, Floats]:
    """What the tasks of all versions of a feature cost, by tenant."""
    costs: defaultdict[str, list[Floats]] = defaultdict(list)
    for version in deploys.versions[feature,].values():
        for tenant, paid in version.costs().items():
            costs[tenant].append(paid)
    return {tenant: np.concatenate(paid) for tenant, paid in costs.items()}


def planted(books: Books, period: Period, truth: dict[str, Any]) -> dict[str, Any]:
    """The regression that the truth knows, as the report finds it."""
    (event,) = (each for each in truth["planted"] if each["name"] == "prompt growth after a deploy")
    report = versions(books, period, features=[event["tags"]["feature"]], after=event["tags"]["version"])
    (row,) = report.frame.to_dict("records")
    return {
        "version": row["after"],
        "verdict": row["verdict"],
        "p_adjusted": row["p_adjusted"],
        "ratio": row["ratio"],
        "found_nanousd": row["extra_nanousd"],
        "truth_nanousd": event["nanousd"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shuffles", type=int, default=500, help="pairs of versions that are the same")
    parser.add_argument("--seed", type=int, default=7, help="of the history and the shuffles")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    parameters = Parameters(end=END, seed=options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        write_history(path, parameters)
        truth = json.loads(path.with_suffix(".truth.json").read_text())
        period = Period.days(END - timedelta(days=parameters.days), END, parameters.timezone)
        with Books(path, zone=parameters.timezone) as books:
            same = alike(
                read_deploys(books, period, "version", FEATURES), shuffles=options.shuffles, seed=options.seed
            )
            regression = planted(books, period, truth)
    if options.json:
        print(json.dumps({"same": same._asdict(), "planted": regression}))
        return
    print(f"{same.pairs} pairs of versions that are the same, at the level of {LEVEL:.0%}")
    for name, called in (("by their mean", same.mean), ("by their typical task", same.typical)):
        interval = stats.binomtest(called, same.pairs).proportion_ci()
        print(
            f"  called different {name:22} {called / same.pairs:6.1%}  (95 % interval {interval.low:.1%} to {interval.high:.1%})"
        )
    print(f"  whose interval holds the ratio 1      {same.covered / same.pairs:6.1%}")
    off = regression["found_nanousd"] / regression["truth_nanousd"] - 1
    print(
        f"planted: {regression['version']} is {regression['verdict']} (p {regression['p_adjusted']:.4f}), {regression['ratio']:.2f} times as"
        f" much; ${regression['found_nanousd'] / 1e9:.2f} more, and the truth is ${regression['truth_nanousd'] / 1e9:.2f} ({off:+.1%})"
    )


if __name__ == "__main__":
    main()
