"""Predictions: chosen by what was known, with intervals that hold, and simple where little is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spendgraph_anomaly.forecasting import DAYS, HOURS, history, predict
from spendgraph_anomaly.forecasting.backtest import backtest, origins_of
from spendgraph_anomaly.forecasting.choosing import ranked, replayed
from spendgraph_anomaly.forecasting.intervals import spread
from spendgraph_anomaly.forecasting.models import QUICK

WEEK = np.array([100.0, 100, 100, 100, 100, 20, 20])


def noisy(days: int, seed: int, off: float = 0.2) -> NDArray[np.float64]:
    """Weeks with noise of so much."""
    rng = np.random.default_rng(seed)
    return np.asarray(np.resize(WEEK, days) * rng.lognormal(0, off, days), dtype=np.float64)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "Nothing has been spent yet, so nothing is expected."),
        ([0.0] * 90, "Nothing has been spent yet, so nothing is expected."),
        ([1.0, 2.0, 3.0, 4.0, 5.0], "The history of 5 bins is shorter than 2 seasons of 7: it goes on at the linear burn rate."),
    ],
    ids=["none", "zeros", "five"],
)  # fmt: skip
def test_what_is_short_falls_back_and_says_so(values: list[float], said: str) -> None:
    """To the linear burn rate, or to nothing."""
    one = predict(history(values), 30)
    assert one.notes == (said,)
    assert one.models == ("linear burn",)
    assert one.path.tolist() == [float(np.mean(values)) if any(values) else 0.0] * 30
    assert one.done is None


@settings(max_examples=25)
@given(
    st.lists(st.one_of(st.just(0.0), st.just(float("nan")), st.floats(-10, 1e6)), max_size=80),
    st.sampled_from([DAYS, HOURS]),
    st.integers(1, 40),
)
def test_a_prediction_is_numbers_within_its_bounds(
    values: list[float], seasons: tuple[int, ...], horizon: int
) -> None:
    """Whatever the series: bounds hold the sum, the wider the surer, and sums of what is not below nothing never fall."""
    one = predict(history(values, seasons), horizon, family=QUICK)
    sums = np.cumsum(one.path)
    low, high = one.bounds(80)
    far_low, far_high = one.bounds(95)
    slack = 1e-9 * (1 + np.abs(sums).max())
    assert np.isfinite(one.path).all()
    assert (far_low <= low + slack).all()
    assert (low <= sums + slack).all()
    assert (sums <= high + slack).all()
    assert (high <= far_high + slack).all()
    if one.path.min() >= 0:
        assert (np.diff(low) >= 0).all()
        assert (np.diff(high) >= 0).all()


def test_a_constant_goes_on_and_is_sure() -> None:
    """Three dollars a day are ninety in thirty days, to the ninth place."""
    one = predict(history(np.full(60, 3.0)), 30)
    assert float(one.path.sum()) == pytest.approx(90, abs=1e-9)
    low, high = one.bounds(95)
    assert high[-1] - low[-1] == pytest.approx(0, abs=1e-3)


def test_a_week_goes_on() -> None:
    """Weekends are forecast as weekends."""
    one = predict(history(np.tile(WEEK, 10)), 14)
    assert one.path == pytest.approx(np.tile(WEEK, 2), abs=0.5)


def test_the_backtest_knows_only_what_was_known() -> None:
    """At each moment, a series with another future has the same forecasts."""
    known = history(noisy(120, 1))
    done = backtest(known, 10, family=QUICK)
    for at, origin in enumerate(done.origins):
        other = known.values.copy()
        other[origin:] = 7_777.0
        again = backtest(history(other), 10, family=QUICK)
        for name, paths in done.paths.items():
            mine, theirs = paths[at], again.paths[name][at]
            assert (mine is None) == (theirs is None)
            assert mine is None or np.array_equal(mine, theirs)  # type: ignore[arg-type]


def test_the_choice_of_a_moment_knows_only_outcomes_that_had_come() -> None:
    """What the backtest would have chosen is not changed by what came after it."""
    known = history(noisy(120, 2))
    done = backtest(known, 10, family=QUICK)
    order = list(done.paths)
    last = done.origins[-1]
    other = known.values.copy()
    other[last:] *= 50
    again = backtest(history(other), 10, family=QUICK)
    said, theirs = replayed(done, order)[-1], replayed(again, order)[-1]
    assert said is not None
    assert theirs is not None
    assert np.array_equal(said, theirs)


def test_moments_are_never_whole_weeks_apart() -> None:
    """They would all be Mondays."""
    for count in range(20, 400, 7):
        origins = origins_of(count, 30, 7)
        assert all(second - first != 7 for first, second in pairwise(origins))
        assert len(origins) <= 16
        assert all(0 < origin <= count - 15 for origin in origins)


def test_without_a_backtest_the_order_of_trust_decides() -> None:
    """And with one, who was much nearer comes first."""
    known = history(np.tile(WEEK, 10))
    done = backtest(known, 7, family=QUICK)
    assert ranked(done, ["linear burn", "weekday profile"])[0] == "weekday profile"
    assert ranked(done, ["linear burn", "weekday profile"], before=0) == ["linear burn", "weekday profile"]


def test_intervals_hold_what_they_promise() -> None:
    """Of 60 seeded series, the sum of the next 20 days lies within the 80 percent interval 42 to 57 times."""
    inside = {80: 0, 95: 0}
    for seed in range(60):
        values = noisy(140, 100 + seed, 0.5)
        one = predict(history(values[:120]), 20, family=QUICK)
        for level in inside:
            low, high = one.bounds(level)
            inside[level] += bool(low[-1] <= values[120:].sum() <= high[-1])
    assert 42 <= inside[80] <= 57
    assert inside[95] >= 54


def test_an_interval_of_a_sum_is_no_sum_of_intervals() -> None:
    """Noise of days cancels out: relative to the sum, thirty days are surer than one."""
    one = predict(history(noisy(300, 3, 0.5)), 28)
    low, high = one.bounds(80)
    sums = np.cumsum(one.path)
    assert (high - low)[-1] / sums[-1] < 0.6 * (high - low)[0] / sums[0]


def test_fewer_moments_make_a_wider_interval() -> None:
    """The same errors at three moments that overlap are worth less than at twenty that do not."""
    came = [np.full(10, 11.0)] * 20
    said = [np.full(10, 10.0)] * 20
    known = history(np.full(400, 10.0))
    few = spread(said[:3], came[:3], [100, 101, 102], known, 10)
    many = spread(said, came, list(range(100, 300, 10)), known, 10)
    assert few.widths[80][-1] > many.widths[80][-1]
    assert many.widths[95][-1] >= 1.9 * many.widths[80][-1]


def test_a_bin_ahead_is_needed() -> None:
    """Of nothing ahead nothing is forecast."""
    with pytest.raises(ValueError, match="expected one bin ahead or more, found 0"):
        predict(history([1.0]), 0)
