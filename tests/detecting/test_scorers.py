"""The scorers, each against numbers that were made without it."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from detecting.kit import MONDAY_US, judge, working_hours
from spendgraph_anomaly.detectors import Detector, Prior, pool
from spendgraph_anomaly.scorers import AllTimeHigh, RollingSigma, Scorer, StlMad, WindowedGaussian
from spendgraph_anomaly.scorers.past import Past
from spendgraph_anomaly.scorers.season import Smoothing, fit
from spendgraph_anomaly.scorers.tails import Tails


def test_stl_is_that_of_the_reference_data() -> None:
    """On statsmodels' own test series (CO2) and its settings, trend, season and remainders are those the original Fortran gave."""
    folder = files("statsmodels") / "tsa" / "stl" / "tests" / "results"
    points = np.array([float(line) for line in (folder / "stl_co2.csv").read_text().split()])
    rows = [line.split(",") for line in (folder / "stl_test_results.csv").read_text().splitlines()]
    place = {name.strip(): at for at, name in enumerate(rows[0])}
    reference = sorted(
        (float(row[place["idx"]]), float(row[place["season"]]), float(row[place["trend"]]))
        for row in rows[1:]
        if row[place["scenario"]].strip() == "baseline"
    )
    season = fit(points, 12, Smoothing(35, 19, 13, 4, 2, 2, inner_iter=1, outer_iter=2))

    assert season is not None
    assert season.profile == pytest.approx([row[1] for row in reference[-12:]], rel=1e-6)
    assert season.level == pytest.approx(reference[-1][2], rel=1e-6)
    assert season.remainders == pytest.approx(points - [row[1] + row[2] for row in reference], abs=1e-5)


def test_stl_is_not_moved_by_one_great_hour() -> None:
    """Two weeks of working hours with one night hour of 500 in them: what the night is expected to be stays nothing."""
    values = np.array(working_hours(14))
    values[10 * 24 + 3] = 500.0
    season = fit(values, 24)

    assert season is not None
    assert abs(season.profile[3] + season.level) < 0.5
    assert season.profile[10] + season.level == pytest.approx(10.0, abs=0.5)


def test_fewer_than_two_seasons_are_not_fitted() -> None:
    """47 hours have no daily season."""
    assert fit(np.ones(47), 24) is None


def test_windows_are_means_of_what_was_seen() -> None:
    """Of 1 to 10: the last three were 9 on average, the three as they stood two bins ago 7; what is forgotten is not known."""
    past = Past(8)
    for value in range(1, 11):
        past.add(float(value))
    found = past.means(np.array([0, 2, 7]), np.array([3]))[:, 0]

    assert found[:2].tolist() == [9.0, 7.0]
    assert np.isnan(found[2])
    assert past.mean(4) == 8.5
    assert past.blocks(2, 3).tolist() == [11.0, 15.0, 19.0]


def test_a_tail_is_read_off_the_greatest_twentieth() -> None:
    """Of 1 to 100 the five greatest are above 95, by 3 on average: 98 is one scale beyond a start of rank 6 in 101."""
    tails = Tails(
        generation=1000,
        fit_every=100,
        fewest=100,
        scales=np.zeros(1),
        starts=np.full(1, np.nan),
        weight=0.0,
        start_weight=0.0,
        least=0.01,
    )
    for value in range(1, 101):
        tails.add(np.array([float(value)]))

    assert (tails.starts.tolist(), tails.scales.tolist()) == ([95.0], [3.0])
    assert tails.surprise(np.array([98.0]))[0] == pytest.approx(1 + 2.8234, abs=1e-4)
    assert tails.surprise(np.array([95.0]))[0] == 0.0


def test_siblings_raise_what_a_new_tenant_is_allowed() -> None:
    """Three siblings that jump a lot make a prior by which a new tenant's jump is less of a surprise; two are none."""
    wild = Prior((3.0,) * 5, (1.0,) * 5)
    values = [*working_hours(4, quiet=1.0), *[1.0] * 3, 25.0]

    assert pool([wild, wild, None]) == Prior()
    assert pool([wild] * 3) == wild
    assert judged_with(wild, values) < judged_with(Prior(), values)


def test_a_sibling_tells_its_tails_once_it_has_any() -> None:
    """After a day there are none, after three weeks five finite starts and scales, which a new detector can be given."""
    detector = Detector(3600)
    for place, value in enumerate(working_hours(21, quiet=1.0)):
        if place == 24:
            assert detector.tails() is None
        detector.observe(MONDAY_US + place * 3_600_000_000, value)
    tails = detector.tails()

    assert tails is not None
    assert Detector(3600, prior=tails).prior == tails


@pytest.mark.parametrize(
    "scorer",
    [RollingSigma(3600), WindowedGaussian(), StlMad(3600), AllTimeHigh(3600)],
    ids=["three sigma", "windowed Gaussian", "STL + MAD", "all-time high"],
)
def test_baselines_see_a_great_hour_and_no_later_ones(scorer: Scorer) -> None:
    """A spike scores higher than all before it, and a constant series scores nothing."""
    scores = [scorer.score(value) for value in [*working_hours(14, quiet=1.0), *[1.0] * 3, 80.0]]

    assert scores[-1] == max(scores)
    assert scores[-1] > 2 * max(scores[72:-1])


def test_three_sigma_is_a_z_score() -> None:
    """A day of 0 and 2 by turns has mean 1 and standard deviation 1.0215: 5 is 3.916 of them away."""
    scorer = RollingSigma(3600)
    for place in range(24):
        scorer.score(2.0 * (place % 2))

    assert scorer.score(5.0) == pytest.approx(3.9158, abs=1e-4)


def judged_with(prior: Prior, values: list[float]) -> float:
    """The surprise of the last value."""
    detector = Detector(3600, prior=prior)
    return [detector.observe(MONDAY_US + place * 3_600_000_000, value) for place, value in enumerate(values)][
        -1
    ].surprise


def test_judging_needs_no_name_to_be_repeatable() -> None:
    """Two detectors of the same series say the same."""
    values = working_hours(5)

    assert judge(values) == judge(values)
