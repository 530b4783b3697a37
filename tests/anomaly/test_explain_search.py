"""The search for causes: what was planted is named, to the tag, whatever the order, and no more than the data says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph_anomaly.explain.cells import cells_of
from spendgraph_anomaly.explain.search import Cut, localise

Row = dict[str, Any]

DIMENSIONS = ("feature", "tenant", "model")
FEATURES, TENANTS, MODELS = ("chat", "search", "triage"), ("acme", "globex", "initech"), ("large", "small")
EVERY = [
    {"feature": feature, "tenant": tenant, "model": model}
    for feature in FEATURES
    for tenant in TENANTS
    for model in MODELS
]


def rows(costs: dict[int, int] | None = None, each: int = 100) -> list[Row]:
    """Every combination at a cost, some of them at others."""
    costs = costs or {}
    return [{**tags, "cost_nanousd": costs.get(at, each)} for at, tags in enumerate(EVERY)]


def having(**tags: str) -> list[int]:
    """Which combinations have these tags."""
    return [at for at, each in enumerate(EVERY) if each | tags == each]


def found(now: list[Row], *weeks: list[Row]) -> list[Cut]:
    """What is found to have moved."""
    return localise(cells_of(DIMENSIONS, now, weeks))


CAUSES = [
    {"tenant": "acme"},
    {"model": "small"},
    {"feature": "chat", "tenant": "globex"},
    {"tenant": "initech", "model": "large"},
    {"feature": "triage", "tenant": "acme", "model": "small"},
]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: "+".join(cause.values()))
@pytest.mark.parametrize("cost", [200, 1000, 30, 0])
def test_a_cause_in_clean_data_is_named(cause: dict[str, str], cost: int) -> None:
    """Three equal weeks, and one in which exactly the cells of a cause cost more, or less."""
    now = rows(dict.fromkeys(having(**cause), cost))
    (cut,) = found(now, rows(), rows(), rows())
    assert cut.tags == cause
    assert cut.excess == 3 * (cost - 100) * len(having(**cause))


@given(
    cause=st.sampled_from(EVERY).flatmap(
        lambda tags: st.sets(st.sampled_from(DIMENSIONS), min_size=1).map(
            lambda names: {name: tags[name] for name in sorted(names)}
        )
    ),
    costs=st.lists(st.integers(10**6, 3 * 10**6), min_size=len(EVERY), max_size=len(EVERY)),
    factor=st.integers(3, 50),
    weeks=st.integers(1, 4),
)
def test_a_planted_cause_in_clean_data_is_always_named(
    cause: dict[str, str], costs: list[int], factor: int, weeks: int
) -> None:
    """Cells of any size, all of the cause's times the same."""
    usual = rows(dict(enumerate(costs)))
    now = rows({at: cost * (factor if at in having(**cause) else 1) for at, cost in enumerate(costs)})
    (cut,) = found(now, *[usual] * weeks)
    assert cut.tags == cause


@given(
    now=st.lists(st.integers(-(10**9), 10**12), min_size=len(EVERY), max_size=len(EVERY)),
    before=st.lists(st.integers(-(10**9), 10**12), min_size=len(EVERY), max_size=len(EVERY)),
    order=st.permutations(range(len(EVERY))),
)
def test_the_order_of_rows_changes_nothing(now: list[int], before: list[int], order: list[int]) -> None:
    """Any costs, in any order: the same causes."""
    one, other = rows(dict(enumerate(now))), rows(dict(enumerate(before)))
    assert found(one, other) == found([one[at] for at in order], [other[at] for at in reversed(order)])


@given(
    now=st.lists(st.integers(0, 10**12), min_size=len(EVERY), max_size=len(EVERY)),
    before=st.lists(st.integers(0, 10**12), min_size=len(EVERY), max_size=len(EVERY)),
)
def test_causes_move_the_way_all_moved_and_have_no_cell_in_common(now: list[int], before: list[int]) -> None:
    """Whatever the costs; and without an excess there is no cause."""
    cuts = found(rows(dict(enumerate(now))), rows(dict(enumerate(before))))
    total = sum(now) - sum(before)
    assert bool(cuts) == bool(total)
    assert all(cut.excess * total > 0 for cut in cuts)
    assert sum(cut.observed for cut in cuts) <= sum(now)
    assert sum(cut.expected for cut in cuts) <= sum(before)


def test_everything_that_moved_alike_has_no_tags() -> None:
    """All cells at twice their cost: nobody is to blame."""
    (cut,) = found(rows(each=200), rows(), rows())
    assert cut.tags == {}


def test_nothing_moved() -> None:
    """The same costs, or no rows at all."""
    assert found(rows(), rows()) == []
    assert found([], []) == []
    assert found([]) == []


def test_two_causes_are_both_named() -> None:
    """One tenant at ten times, and one feature of another tenant at twenty times; the larger one first."""
    first, second = having(tenant="acme"), having(tenant="globex", feature="chat")
    now = rows({**dict.fromkeys(first, 1000), **dict.fromkeys(second, 2000)})
    assert [cut.tags for cut in found(now, rows(), rows())] == [
        {"tenant": "acme"},
        {"feature": "chat", "tenant": "globex"},
    ]


def test_a_tag_that_says_nothing_is_not_named() -> None:
    """The tenant has one feature only: that it is this feature's too is no news."""
    usual = [*rows(), {"feature": "chat", "tenant": "umbra", "model": "large", "cost_nanousd": 100}]
    now = [*rows(), {"feature": "chat", "tenant": "umbra", "model": "large", "cost_nanousd": 5000}]
    (cut,) = found(now, usual, usual)
    assert cut.tags == {"tenant": "umbra"}


def test_of_two_that_say_the_same_the_first_dimension_is_named() -> None:
    """A feature and its team have the same cells."""
    usual = [
        {"team": team, "feature": feature, "tenant": tenant, "cost_nanousd": 100}
        for feature, team in (("chat", "support"), ("search", "growth"), ("triage", "growth"))
        for tenant in TENANTS
    ]
    now = [{**row, "cost_nanousd": 900 if row["feature"] == "chat" else 100} for row in usual]
    for first, second in (("feature", "team"), ("team", "feature")):
        (cut,) = localise(cells_of((first, second, "tenant"), now, [usual, usual]))
        assert list(cut.tags) == [first]


def test_what_never_was_there_is_named_by_what_is_rare_about_it() -> None:
    """At night nothing is expected of anybody; of the loop's tags the tenant is rare in the feature at all hours, the environment is not."""
    names = ("feature", "tenant", "environment")
    loop = [
        {"feature": "chat", "tenant": "acme", "environment": "production", "cost_nanousd": 10_000},
    ]
    background = [
        {"feature": "chat", "tenant": f"tenant-{n}", "environment": "production", "cost_nanousd": 1000}
        for n in range(20)
    ] + [{"feature": "chat", "tenant": "acme", "environment": "production", "cost_nanousd": 1000}]
    (cut,) = localise(cells_of(names, loop, [[], []], background=background))
    assert cut.tags == {"tenant": "acme"}


def test_noise_of_siblings_is_no_second_cause() -> None:
    """Another tenant moves as it does from week to week; only the one that moved ten times as far is named."""
    weeks = [
        rows({**dict.fromkeys(having(tenant="globex"), cost), **dict.fromkeys(having(tenant="acme"), 100)})
        for cost in (100, 300, 40, 250)
    ]
    now = rows({**dict.fromkeys(having(tenant="globex"), 420), **dict.fromkeys(having(tenant="acme"), 2500)})
    assert [cut.tags for cut in found(now, *weeks)] == [{"tenant": "acme"}]


def test_thousands_of_cells_of_six_dimensions_take_a_moment() -> None:
    """4,000 cells: the cause is named; how long it takes is in the benchmark."""
    names = ("a", "b", "c", "d", "e", "f")
    usual: list[Row] = [
        {
            "a": f"a{n % 40}",
            "b": f"b{n % 13}",
            "c": f"c{n % 7}",
            "d": f"d{n % 5}",
            "e": f"e{n % 3}",
            "f": f"f{n % 11}",
            "cost_nanousd": 1000 + n % 17,
        }
        for n in range(4000)
    ]
    now = [
        {**row, "cost_nanousd": row["cost_nanousd"] * (30 if (row["b"], row["e"]) == ("b3", "e1") else 1)}
        for row in usual
    ]
    (cut,) = localise(cells_of(names, now, [usual] * 4))
    assert cut.tags == {"b": "b3", "e": "e1"}
