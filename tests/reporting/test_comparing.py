"""Two versions compared: what differs is found, what does not is left alone, and tenants are no difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from spendgraph_reports.efficiency.comparing import Comparison, Floats, adjusted, compare

LEVEL = 0.05


def lognormal(rng: np.random.Generator, mean: float, sigma: float, size: int) -> Floats:
    """Costs with this mean, however skewed."""
    return mean * rng.lognormal(-(sigma**2) / 2, sigma, size)


def compared(before: Floats, after: Floats, **options: int) -> Comparison:
    """Of one tenant."""
    found = compare({"acme": before}, {"acme": after}, **options)
    assert found is not None
    return found


def test_a_dearer_version_is_found_with_its_ratio() -> None:
    """1.5 times as dear, of costs that scatter as much as they are."""
    rng = np.random.default_rng(1)
    found = compared(lognormal(rng, 100, 0.8, 400), lognormal(rng, 150, 0.8, 300))
    assert found.p_mean < 0.001
    assert found.p_typical < 0.001
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1.5 < found.high
    assert found.dearer > 0.6
    assert found.ratio == pytest.approx(found.after_mean / found.before_mean)


def welch(before: Floats, after: Floats, axis: int = -1) -> Floats:
    """Welch's t, without its sign."""
    found: Floats = np.abs(
        np.asarray(stats.ttest_ind(before, after, equal_var=False, axis=axis).statistic, dtype=float)
    )
    return found


def test_its_p_values_are_scipys_of_one_tenant() -> None:
    """Those of a permutation test of Welch's t, but for the chance in both, and of Brunner and Munzel's."""
    rng = np.random.default_rng(2)
    before, after = lognormal(rng, 100, 1.0, 60), lognormal(rng, 150, 0.7, 45)
    wanted = stats.permutation_test(
        (before, after),
        welch,
        vectorized=True,
        n_resamples=9_999,
        alternative="greater",
        rng=np.random.default_rng(3),
    )
    found = compared(before, after)
    assert found.p_mean == pytest.approx(float(wanted.pvalue), abs=0.02)
    assert 0.02 < found.p_mean < 0.6
    ranks = stats.brunnermunzel(before, after, distribution="normal")
    assert found.p_typical == pytest.approx(float(ranks.pvalue))


@pytest.mark.parametrize(
    ("before_sigma", "after_sigma", "before_size", "after_size"),
    [(1.0, 1.0, 80, 40), (0.5, 1.2, 60, 120)],
    ids=["the same", "the same mean, scattered otherwise"],
)
def test_versions_that_cost_the_same_are_rarely_called_different(
    before_sigma: float, after_sigma: float, before_size: int, after_size: int
) -> None:
    """Of 200 such pairs about ten at the level of 5 percent: 3 to 20 here, where chance alone explains 3 to 18."""
    rng = np.random.default_rng(4)
    called = 0
    for seed in range(200):
        found = compared(
            lognormal(rng, 100, before_sigma, before_size),
            lognormal(rng, 100, after_sigma, after_size),
            seed=seed,
            resamples=199,
        )
        called += found.p_mean <= LEVEL
    assert 3 <= called <= 20


def test_tenants_that_get_a_version_first_are_no_difference() -> None:
    """A task of the large tenant costs ten times that of the small one; the new version runs mostly for the large one."""
    rng = np.random.default_rng(50)
    found = compare(
        {"large": lognormal(rng, 1_000, 0.5, 40), "small": lognormal(rng, 100, 0.5, 360)},
        {"large": lognormal(rng, 1_000, 0.5, 300), "small": lognormal(rng, 100, 0.5, 30)},
    )
    assert found is not None
    assert found.p_mean > LEVEL
    assert found.p_typical > LEVEL
    assert found.ratio == pytest.approx(1, abs=0.15)
    assert found.dearer == pytest.approx(0.5, abs=0.06)


def test_a_tenant_that_had_one_version_only_is_left_out() -> None:
    """What it costs says nothing of the other version."""
    rng = np.random.default_rng(6)
    before, after = lognormal(rng, 100, 0.5, 50), lognormal(rng, 100, 0.5, 40)
    alone = compare({"acme": before}, {"acme": after})
    assert compare({"acme": before, "gone": before * 9}, {"acme": after, "new": after * 9}) == alone
    assert compare({"gone": before}, {"new": after}) is None


def test_small_tenants_are_compared_together() -> None:
    """Each has too few tasks to be compared by itself; together they have enough."""
    rng = np.random.default_rng(7)
    found = compare(
        {str(tenant): lognormal(rng, 100, 0.5, 4) for tenant in range(20)},
        {str(tenant): lognormal(rng, 200, 0.5, 3) for tenant in range(20)},
    )
    assert found is not None
    assert (found.before_tasks, found.after_tasks) == (80, 60)
    assert found.p_mean < 0.001


def test_costs_that_are_all_alike_differ_without_doubt_or_not_at_all() -> None:
    """No scatter: no interval; equal ones have a p of 1."""
    ten, twenty = np.full(30, 10.0), np.full(40, 20.0)
    same = compared(ten, ten)
    assert (same.ratio, same.low, same.dearer, same.p_mean, same.p_typical) == (1.0, None, 0.5, 1.0, 1.0)
    other = compared(ten, twenty)
    assert (other.ratio, other.low, other.dearer) == (2.0, None, 1.0)
    assert other.p_mean < 0.001
    assert other.p_typical < 0.001


def test_many_tasks_that_cost_nothing_do_not_hide_the_others() -> None:
    """Seven of ten cost nothing; the others are three times as dear. Where nothing cost anything before, there is no ratio."""
    rng = np.random.default_rng(8)
    before, after = (
        np.where(rng.random(600) < 0.7, 0.0, lognormal(rng, mean, 0.6, 600)) for mean in (100, 300)
    )
    found = compared(before, after)
    assert found.p_mean < 0.001
    assert found.low is not None
    assert found.low > 2
    assert compared(np.zeros(50), after).ratio is None


def test_equal_costs_and_seeds_give_equal_answers() -> None:
    """Whoever makes the report again gets the same one."""
    rng = np.random.default_rng(9)
    before, after = lognormal(rng, 100, 1, 50), lognormal(rng, 110, 1, 50)
    assert compared(before, after, seed=3) == compared(before, after, seed=3)


def test_of_many_comparisons_few_are_found_by_chance() -> None:
    """Benjamini and Hochberg's: of three, the smallest is multiplied by three."""
    assert adjusted([0.01, 0.5, 0.04]) == pytest.approx([0.03, 0.5, 0.06])
    assert adjusted([]) == []
