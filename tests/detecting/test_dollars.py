"""Dollars decide as well: what is unusual and worth nothing pages nobody, and a fortune pages at once."""

from __future__ import annotations

import pytest

from detecting.kit import judge, working_hours
from spendgraph_anomaly.detectors import Settings


def test_fifty_times_the_usual_worth_forty_cents_never_pages() -> None:
    """Three weeks of 0.8 cents an hour, then an hour of 40 cents: fifty times the usual, and nobody is told."""
    said = judge([*[0.008] * 500, 0.40, *[0.008] * 30])

    assert not any(each.alert for each in said)


def test_the_same_spike_worth_forty_dollars_does() -> None:
    """A hundred times as much money: it is told of once."""
    said = judge([*[0.8] * 500, 40.0, *[0.8] * 30])

    assert [place for place, each in enumerate(said) if each.alert] == [500]
    assert said[500].kind == "spike"


@pytest.mark.parametrize("every_s", [300, 600, 3600, 86_400])
def test_three_thousand_dollars_on_the_first_hour_page(every_s: int) -> None:
    """The very first bin of a tenant nobody knows: $3,000 are told of whatever the scorers say."""
    said = judge([3000.0], every_s)

    assert (said[0].alert, said[0].kind, said[0].severity) == (True, "velocity", "high")
    assert said[0].abstained != ""


def test_three_thousand_dollars_within_an_hour_page_on_day_one() -> None:
    """Six bins of ten minutes that are $500 each: told of as soon as $1,000 are above the usual within an hour."""
    said = judge([*[0.1] * 30, *[500.0] * 6], 600)

    assert [place for place, each in enumerate(said) if each.alert] == [32]


def test_three_thousand_dollars_page_an_old_tenant() -> None:
    """Three weeks of $10 an hour by day, then $3,000 in one hour."""
    said = judge([*working_hours(21), *[0.0] * 10, 3000.0])

    assert said[-1].alert
    assert said[-1].severity == "high"


def test_who_spends_three_thousand_every_hour_is_not_paged_for_it() -> None:
    """The rule is for dollars above the usual: a big tenant's everyday hours are told of once, when it is new."""
    said = judge([3000.0] * 24 * 14)

    assert [place for place, each in enumerate(said) if each.alert] == [0]


def test_nobody_is_suspended_for_a_score_alone() -> None:
    """A spike of $40 is unusual enough and too small; one of $400 is lost money, and goes on; with neither bound the small one would do."""
    quiet = [1.0] * 500
    small, large = judge([*quiet, 40.0]), judge([*quiet, 400.0])
    bold = judge([*quiet, 40.0], settings=Settings(suspend_lost=0, suspend_per_hour=0))

    assert (small[-1].alert, small[-1].may_suspend) == (True, False)
    assert (large[-1].alert, large[-1].may_suspend) == (True, True)
    assert bold[-1].may_suspend


def test_what_has_stopped_is_not_suspended() -> None:
    """The hour after a spike of $400 loses nothing any more: the rate is a condition of its own."""
    said = judge([*[1.0] * 500, 400.0, 1.0])

    assert (said[-2].may_suspend, said[-1].may_suspend) == (True, False)
    assert said[-1].ongoing


def test_a_new_tenants_noise_suspends_nobody() -> None:
    """In the first two days no score is known: only the dollar rule may suspend."""
    said = judge([1.0, 90.0, 3.0, 400.0, 80.0, 2.0] * 8)

    assert not any(each.may_suspend for each in said)
