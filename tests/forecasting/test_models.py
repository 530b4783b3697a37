"""Models go on from any series, in their time, and say why where they cannot; statsmodels' numbers are those of R."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spendgraph_anomaly.forecasting.models import FAMILY, QUICK, attempt, history, suited
from spendgraph_anomaly.forecasting.models.autoregression import AUTOREGRESSION
from spendgraph_anomaly.forecasting.models.history import DAYS, HOURS
from spendgraph_anomaly.forecasting.models.linear import LINEAR
from spendgraph_anomaly.forecasting.models.model import Clock, Model, TimeUpError
from spendgraph_anomaly.forecasting.models.naive import NAIVE
from spendgraph_anomaly.forecasting.models.profile import MEDIAN, PROFILE
from spendgraph_anomaly.forecasting.models.smoothing import ETS, ets

WEEK = np.array([100.0, 100, 100, 100, 100, 20, 20])
SERIES = st.lists(
    st.one_of(
        st.just(0.0), st.just(float("nan")), st.just(float("inf")), st.floats(-1e3, 1e9), st.floats(0, 1e-9)
    ),
    max_size=60,
)


def path(model: Model, values: Any, horizon: int, window: int = 0) -> NDArray[np.float64]:
    """What a model says, which must say something."""
    one = attempt(model, history(values, window=window), horizon)
    assert one.path is not None, one.why
    return one.path


@settings(max_examples=40)
@given(SERIES, st.sampled_from([DAYS, HOURS]), st.integers(1, 50))
def test_no_model_raises(values: list[float], seasons: tuple[int, ...], horizon: int) -> None:
    """Of gaps, zeros, infinities, few points: it goes on with numbers, or says why not."""
    known = history(values, seasons)
    for model in FAMILY:
        one = attempt(model, known, horizon)
        assert (one.path is None) == bool(one.why)
        if one.path is not None:
            assert one.path.shape == (horizon,)
            assert np.isfinite(one.path).all()


def test_ets_forecasts_what_r_forecasts() -> None:
    """ETS(A,N,A) of R's `forecast` on its Australian tourists, from the reference that comes with statsmodels."""
    folder = files("statsmodels") / "tsa" / "tests" / "results"
    reference = json.loads((folder / "fit_ets_results_seasonal.json").read_text())["FALSE"]["ANA"]
    fitted = np.array(reference["fitted"]) + np.array(reference["residuals"])
    model = ets(fitted, 4)
    level, *seasonal = reference["initstate"]
    model.set_initialization_method("known", initial_level=level, initial_seasonal=seasonal[::-1])
    found = model.smooth([reference["alpha"][0], reference["gamma"][0]]).forecast(4)
    assert found == pytest.approx([75.32914757, 50.16726775, 62.21021038, 65.90296904], abs=1e-4)


def test_autoregression_finds_the_process_it_is_given() -> None:
    """y(t) = 10 + 0.5 (y(t-7) - 10): 80 bins on, the wave of the first week has died down to 10."""
    values = [float(20 if at == 3 else 10) for at in range(7)]
    for at in range(7, 70):
        values.append(10 + 0.5 * (values[at - 7] - 10) + 1e-3 * ((at * 7919) % 13 - 6))
    assert path(AUTOREGRESSION, values, 28)[-1] == pytest.approx(10, abs=0.01)


def test_the_linear_burn_is_the_mean_of_the_window() -> None:
    """$30 in ten days is $3 a day, whatever was before."""
    assert path(LINEAR, [50.0] * 20 + [1.0, 5.0] * 5, 3, window=10).tolist() == [3.0, 3.0, 3.0]


def test_a_week_comes_again() -> None:
    """Five days of 100 and two of 20: the next Saturday is 20, not the mean."""
    for model in (PROFILE, NAIVE):
        assert path(model, np.tile(WEEK, 8), 14) == pytest.approx(np.tile(WEEK, 2))
    assert path(ETS, np.tile(WEEK, 8), 14) == pytest.approx(np.tile(WEEK, 2), abs=0.5)


def test_the_recent_median_forgets_a_spike_and_knows_the_day_of_the_week() -> None:
    """A day of a hundred times as much yesterday does not come again; what came at this hour a week ago may."""
    days = np.ones((14, 24))
    days[7, 9] = 5.0
    days[13] = 100.0
    one = attempt(MEDIAN, history(days.reshape(-1), HOURS), 48)
    assert one.path is not None
    assert one.path.tolist() == [1.0] * 48


@pytest.mark.parametrize("model", FAMILY, ids=lambda model: model.name)
@pytest.mark.parametrize("times", [1e-6, 1e6], ids=["small", "large"])
def test_a_forecast_in_cents_is_that_in_dollars(model: Model, times: float) -> None:
    """Scaled input gives scaled output."""
    seasons = HOURS if model.rhythm == "hour" else DAYS
    values = np.random.default_rng(5).lognormal(0, 0.5, 24 * 16)
    one = attempt(model, history(values, seasons), 20)
    other = attempt(model, history(values * times, seasons), 20)
    assert one.path is not None
    assert other.path is not None
    assert other.path / times == pytest.approx(one.path, rel=0.05)


def test_what_explodes_is_held() -> None:
    """No bin is above twice the highest there was, and none below nothing where nothing was."""
    values = np.exp(np.linspace(0, 12, 60))
    for model in suited(FAMILY, history(values)):
        one = attempt(model, history(values), 90)
        assert one.path is not None, one.why
        assert one.path.max() <= 2 * values.max()
        assert one.path.min() >= 0


def test_a_search_that_takes_too_long_ends_with_what_it_has() -> None:
    """The clock stops the optimiser at its next step, and keeps the parameters of that step."""
    now = iter([0.0, 0.1, 0.5])
    clock = Clock(0.3, lambda: next(now))
    clock(np.array([1.0]))
    with pytest.raises(TimeUpError):
        clock(np.array([2.0]))
    assert clock.found is not None
    assert clock.found.tolist() == [2.0]
    stopped = Clock(-1.0)
    known = history(np.tile(WEEK, 10) + np.random.default_rng(1).normal(0, 5, 70))
    for model in FAMILY:
        learned = model.learn(known, stopped)
        assert np.isfinite(model.go_on(known, 7, learned)).all() or model.rhythm == "hour"


def test_gaps_are_mended_by_the_past_alone() -> None:
    """What is missing is that of a week before, and how much is missing is said."""
    known = history([*WEEK, float("nan"), 100.0, float("inf")])
    assert known.values[7:].tolist() == [100.0, 100.0, 100.0]
    assert known.mended == 2


@pytest.mark.parametrize("seasons", [(), (1,), (24, 24), (168, 24)], ids=str)
def test_seasons_must_be_some(seasons: tuple[int, ...]) -> None:
    """The shortest first."""
    with pytest.raises(ValueError, match="expected seasons of two bins and more, the shortest first"):
        history([1.0], seasons)


def test_regressions_are_trusted_where_they_see_weeks() -> None:
    """By the hour, with fifteen days they come first; with twelve, and by the day, they do not."""
    long, short, daily = history(np.ones(360), HOURS), history(np.ones(288), HOURS), history(np.ones(360))
    assert [model.name for model in suited(FAMILY, long)][:2] == ["autoregression", "log autoregression"]
    assert suited(FAMILY, short)[0].name == "recent median"
    assert [model.name for model in suited(QUICK, daily)] == [
        "STL",
        "weekday profile",
        "weekday burn",
        "seasonal naive",
        "linear burn",
    ]
