"""How near forecasts come, and whether their intervals hold what they promise, on real series.

    python benchmarks/forecasts.py [--half report|tune] [--suite NAME]... [--rivals N] [--seed N] [--json]

Everything is a rolling origin: what is forecast is known, and the forecast does not know it. Settings were chosen on the
halves named `tune`; what is printed is of the other ones, but for one thing: after a first look at them, at which the 95
percent interval held 92.3 percent, its tail was made wider. Beside the product stand the linear burn rate and the seasonal
naive, and, where `statsforecast` is installed, its AutoETS, AutoARIMA and MSTL on N cases of each suite (they are slow;
the product's error on the same cases stands beside).

- `month`: the bill of a month, 6, 14 and 22 days in. The real LLM traffic is two weeks long, so the months are those of
  public series by day (transactions, page views, power, traffic, rides, pedestrians).
- `exhaustion`: the day on which a limit is reached that is drawn from what came.
- `llm`: real LLM tenants by hour, 48 hours ahead. `m4`: the hourly series of the M4 competition with their own tests.
- `strange`: gaps, zeros, constants, five points, one point, none, negative, enormous. Nothing raises.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from forecast_cases import DATA, Half, Hours, Month, Values, limits, m4, months, tenants
from forecast_rivals import rivals
from spendgraph_anomaly.forecasting import DAYS, HOURS, Prediction, history, predict
from spendgraph_anomaly.forecasting.exhaustion import crossing


class Row(NamedTuple):
    """One line of the table."""

    measure: str
    product: float
    beside: dict[str, float]
    target: tuple[float, float]
    cases: int

    @property
    def verdict(self) -> str:
        """Whether the target is reached."""
        low, high = self.target
        return "reached" if low <= self.product <= high else "MISSED"


def month_rows(cases: Sequence[Month], made: Sequence[Prediction], seconds: list[float]) -> list[Row]:
    """The bill, and its intervals."""
    off: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    held: dict[str, list[bool]] = defaultdict(list)
    widths: list[float] = []
    for case, one in zip(cases, made, strict=True):
        rest = float(case.rest.sum())
        linear = case.spent / case.gone * len(case.rest)
        naive = float(np.resize(case.before[-7:], len(case.rest)).sum())
        for name, said in (("product", float(one.path.sum())), ("linear", linear), ("naive", naive)):
            off[name][case.series].append(abs(said - rest) / case.bill)
        for level in (80, 95):
            low, high = (float(sums[-1]) for sums in one.bounds(level))
            held[f"{level}"].append(low <= rest <= high)
            if level == 80:
                widths.append((high - low) / (case.spent + float(one.path.sum())))
        spread = float(case.before[-case.gone :].std(ddof=1)) * len(case.rest) ** 0.5
        for level, times in ((80, 1.2816), (95, 1.96)):
            held[f"linear {level}"].append(abs(linear - rest) <= times * spread)
    error = {name: float(np.mean([np.mean(each) for each in of.values()])) for name, of in off.items()}
    share = {name: float(np.mean(each)) for name, each in held.items()}
    count = len(cases)
    seconds += [one.seconds for one in made]
    return [
        Row("month-end error beside linear burn", error["product"] / error["linear"],
            {"linear burn": 1.0, "seasonal naive": error["naive"] / error["linear"]}, (0, 0.90), count),
        Row("month-end bill inside the 80 % interval", share["80"], {"linear, textbook": share["linear 80"]}, (0.77, 0.85), count),
        Row("month-end bill inside the 95 % interval", share["95"], {"linear, textbook": share["linear 95"]}, (0.93, 0.98), count),
        Row("mean width of the 80 % interval, of the bill", float(np.mean(widths)), {}, (0, 0.30), count),
    ]  # fmt: skip


def exhaustion_row(cases: Sequence[Month], made: Sequence[Prediction], seed: int) -> Row:
    """How many days the day is off on which a limit is reached."""
    off: dict[str, list[float]] = defaultdict(list)
    for case, one, limit in zip(cases, made, limits(list(cases), seed), strict=True):
        came = _day(np.cumsum(case.rest), limit)
        rate = case.spent / case.gone
        off["product"].append(abs(_day(np.cumsum(_longer(one.path)), limit) - came))
        off["linear"].append(abs(_day(np.cumsum(np.full(400, max(rate, 1e-9))), limit) - came))
        off["naive"].append(abs(_day(np.cumsum(np.resize(case.before[-7:], 400)), limit) - came))
    mean = {name: float(np.mean(each)) for name, each in off.items()}
    return Row("exhaustion date error, days", mean["product"],
               {"linear burn": mean["linear"], "seasonal naive": mean["naive"]}, (0, 1.25), len(cases))  # fmt: skip


def _longer(path: Values) -> Values:
    """A path that goes on at its mean, for limits that it does not reach."""
    return np.concatenate([path, np.full(400, max(float(path.mean()), 1e-9))])


def _day(sums: Values, limit: float) -> float:
    """On which day from now a sum reaches a limit; 30 where it never does."""
    edges = [at * 86_400 for at in range(len(sums) + 1)]
    at = crossing(sums, edges, limit)
    return 30.0 if at is None else at / 86_400


def hours_row(name: str, cases: Sequence[Hours], target: float, seconds: list[float]) -> Row:
    """The mean absolute scaled error of 48 hours."""
    off: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        one = predict(history(case.before, HOURS), len(case.came))
        seconds.append(one.seconds)
        said = {
            "product": one.path,
            "linear burn": np.full(len(case.came), case.before[-336:].mean()),
            "seasonal naive": np.resize(case.before[-24:], len(case.came)),
        }
        for who, path in said.items():
            off[who].append(float(np.abs(path - case.came).mean()) / case.scale)
    mean = {who: float(np.mean(each)) for who, each in off.items()}
    return Row(name, mean.pop("product"), mean, (0, target), len(cases))


def strange_rows() -> list[Row]:
    """Series that have broken forecasts before."""
    rng = np.random.default_rng(7)
    noise = rng.lognormal(0, 1, 200)
    gaps = noise.copy()
    gaps[rng.random(200) < 0.3] = np.nan
    series: dict[str, Values] = {
        "none": np.zeros(0), "one point": noise[:1], "five points": noise[:5], "zeros": np.zeros(200), "a constant": np.full(200, 3.0),
        "gaps": gaps, "only gaps": np.full(60, np.nan), "infinite": np.where(noise > 3, np.inf, noise), "mostly zeros": np.where(noise > 3, noise, 0.0),
        "below nothing": noise - 1, "enormous": noise * 1e15, "tiny": noise * 1e-12, "one spike": np.r_[np.full(100, 1.0), 1e9, np.full(99, 1.0)],
    }  # fmt: skip
    unsaid = failed = 0
    for values in series.values():
        for seasons in (DAYS, HOURS):
            try:
                one = predict(history(values, seasons), 48)
                unsaid += not (np.isfinite(one.path).all() and (one.done is not None or one.notes))
            except Exception as error:  # noqa: BLE001 - it is what is counted
                failed += 1
                print(f"  {error!r}")
    return [
        Row(
            "strange series that raise, or fall back and do not say why",
            failed + unsaid,
            {},
            (0, 0),
            2 * len(series),
        )
    ]


def measure(half: Half, suites: Sequence[str], seed: int, sample: int) -> list[Row]:
    """All rows that were asked for."""
    rows: list[Row] = []
    seconds: list[float] = []
    rng = np.random.default_rng(seed)
    if {"month", "exhaustion"} & set(suites):
        cases = months(half)
        made = [predict(history(case.before, DAYS, case.gone), len(case.rest)) for case in cases]
        rows += month_rows(cases, made, seconds)
        rows.append(exhaustion_row(cases, made, seed))
        if sample:
            chosen = _some(rng, len(cases), sample)
            rows += _beside_months([cases[at] for at in chosen], [made[at] for at in chosen])
    hourly: tuple[tuple[str, str, Callable[[Half], list[Hours]], float], ...] = (
        ("llm", "hourly LLM spend, 48 h ahead, MASE", tenants, 1.05),
        ("m4", "M4 hourly MASE", m4, 0.90),
    )
    for suite, name, read, target in hourly:
        if suite in suites:
            hours = read(half)
            rows.append(hours_row(name, hours, target, seconds))
            if sample:
                chosen = _some(rng, len(hours), sample)
                rows.append(_beside_hours(name, [hours[at] for at in chosen], target))
    if seconds:
        rows.append(
            Row(
                "longest fit of a case, seconds, 99 of 100",
                float(np.quantile(seconds, 0.99)),
                {},
                (0, 0.3),
                len(seconds),
            )
        )
    return rows + (strange_rows() if "strange" in suites else [])


def _some(rng: np.random.Generator, count: int, sample: int) -> list[int]:
    return [int(at) for at in rng.choice(count, min(sample, count), replace=False)]


def _beside_months(cases: Sequence[Month], made: Sequence[Prediction]) -> list[Row]:
    off: dict[str, list[float]] = defaultdict(list)
    for case, one in zip(cases, made, strict=True):
        rest, ahead = float(case.rest.sum()), len(case.rest)
        said = rivals(case.before[-364:], (7,), ahead) | {"product": one.path}
        said["linear burn"] = np.full(ahead, case.spent / case.gone)
        for who, path in said.items():
            off[who].append(abs(float(path.sum()) - rest) / case.bill)
    return _of_sample("month-end error beside linear burn, of a sample", off, (0, 0.90), "linear burn")


def _beside_hours(name: str, cases: Sequence[Hours], target: float) -> Row:
    off: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        said = rivals(case.before, (24, 168) if len(case.before) >= 336 else (24,), len(case.came))
        said["product"] = predict(history(case.before, HOURS), len(case.came)).path
        for who, path in said.items():
            off[who].append(float(np.abs(path - case.came).mean()) / case.scale)
    return _of_sample(f"{name}, of a sample", off, (0, target), None)[0]


def _of_sample(
    name: str, off: dict[str, list[float]], target: tuple[float, float], unit: str | None
) -> list[Row]:
    mean = {who: float(np.mean(each)) for who, each in off.items()}
    if unit:
        mean = {who: each / mean[unit] for who, each in mean.items()}
    return [Row(name, mean.pop("product"), mean, target, len(next(iter(off.values()))))]


def main() -> None:
    """Measure, and print a table."""
    names = ("month", "exhaustion", "llm", "m4", "strange")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--half", choices=("report", "tune"), default="report")
    parser.add_argument("--suite", choices=names, action="append")
    parser.add_argument(
        "--rivals", type=int, default=24, help="cases of each suite for statsforecast, where it is installed"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(
            f"expected the real series in {DATA}, found none; SPENDGRAPH_DATA says where they are"
        )
    began = time.process_time()
    rows = measure(cast("Half", options.half), options.suite or names, options.seed, options.rivals)
    if options.json:
        print(json.dumps([row._asdict() | {"verdict": row.verdict} for row in rows]))
        return
    print(
        f"forecasts on real series, the halves to {options.half}; {time.process_time() - began:,.0f} s of CPU"
    )
    for row in rows:
        low, high = row.target
        target = f"<= {high:g}" if not low else f"{low:g} to {high:g}"
        beside: Any = ", ".join(f"{who} {value:.3f}" for who, value in row.beside.items())
        print(
            f"  {row.measure:<58} {row.product:>7.3f}  {target:<12} {row.verdict:<8} {row.cases:>4} cases  {beside}"
        )


if __name__ == "__main__":
    main()
