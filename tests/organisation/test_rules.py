"""Which rules apply to which rows, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spendgraph.clock import to_us
from spendgraph.policy import Policy, parse_policy
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import Period

JULY = Period.month("2026-07")
NOTHING = Organisation()


def organisation(*mappings: str, splits: tuple[str, ...] = ()) -> Organisation:
    """The rules of a policy, each from 1 July unless it says so."""
    lines = ["mappings:", *_entries(mappings, "m"), "splits:", *_entries(splits, "s")]
    return Organisation.of(parse_policy("\n".join(lines)))


def _entries(bodies: tuple[str, ...], prefix: str) -> list[str]:
    dated = [body if "from:" in body else f"from: 2026-07-01, {body}" for body in bodies]
    return [f"  - {{name: {prefix}{number}, {body}}}" for number, body in enumerate(dated, start=1)]


def row(cost: int = 100, **tags: str) -> dict[str, Any]:
    """A row of sums."""
    return {"team": "", "cost_center": "", **tags, "cost_nanousd": cost, "steps": 10}


def applied(
    rules: Organisation, *rows: dict[str, Any], period: Period = JULY
) -> list[tuple[str, str, int, int, str]]:
    """Team, cost center, cost, steps and rule of what rows become."""
    return [
        (each["team"], each["cost_center"], each["cost_nanousd"], each["steps"], each["rule"])
        for each in rules.apply(rows, period, sums=["cost_nanousd", "steps"])
    ]


def test_without_rules_rows_stay_as_they_are() -> None:
    """They have the column `rule`, empty."""
    assert Organisation.of(Policy()) == NOTHING
    assert (NOTHING.needed_tags(), NOTHING.changed_tags()) == ((), ())
    assert NOTHING.boundaries(Period()) == [Period()]
    assert applied(NOTHING, row(team="a"), row(7, team="b")) == [("a", "", 100, 10, ""), ("b", "", 7, 10, "")]
    assert applied(organisation("when: {team: a}, set: {team: b}")) == []


def test_mappings_apply_in_the_files_order_each_on_what_the_one_before_it_made() -> None:
    """Growth became sales, then sales became revenue: growth is revenue; the other way round it is not."""
    first, then = "when: {team: growth}, set: {team: sales}", "when: {team: sales}, set: {team: revenue}"
    assert applied(organisation(first, then), row(team="growth")) == [("revenue", "", 100, 10, "m1; m2")]
    assert applied(organisation(then, first), row(team="growth")) == [("sales", "", 100, 10, "m2")]


def test_a_row_must_have_one_of_the_values_wanted_of_every_tag() -> None:
    """Extra tags are columns as the ledger's reader names them."""
    rules = organisation("when: {team: [growth, outreach], x_region: eu}, set: {team: sales}")
    assert rules.needed_tags() == ("team", "extra.region")
    assert rules.changed_tags() == ("team",)
    rows = [
        {"team": team, "extra.region": region, "cost_nanousd": 1}
        for team, region in [("growth", "eu"), ("outreach", "eu"), ("growth", "us"), ("legal", "eu")]
    ]
    assert [tuple(each.values()) for each in rules.apply(rows, JULY, sums=["cost_nanousd"])] == [
        ("sales", "eu", "m1", 2),
        ("growth", "us", "", 1),
        ("legal", "eu", "", 1),
    ]


def test_the_providers_team_can_be_mapped_as_well() -> None:
    """A mapping of `team` alone leaves it."""
    rules = organisation("when: {owner_team: growth}, set: {owner_team: sales}")
    rows = [{"team": "growth", "owner_team": "growth", "steps": 1}]
    assert rules.apply(rows, JULY, sums=["steps"]) == [
        {"team": "growth", "owner_team": "sales", "rule": "m1", "steps": 1}
    ]


def test_a_mapping_that_changes_nothing_is_not_named() -> None:
    """The row came there by itself."""
    rules = organisation("when: {cost_center: cc-1}, set: {team: sales}")
    assert applied(rules, row(team="sales", cost_center="cc-1"), row(team="it", cost_center="cc-1")) == [
        ("sales", "cc-1", 100, 10, ""),
        ("sales", "cc-1", 100, 10, "m1"),
    ]


def test_a_split_sees_what_the_mappings_made_and_its_parts_stay() -> None:
    """The sales that growth has become is split; a part that is growth's stays growth's."""
    rules = organisation(
        "when: {team: growth}, set: {team: sales}",
        splits=("when: {team: sales}, into: [{share: 75%, set: {team: growth}}, {share: 25%}]",),
    )
    assert applied(rules, row(team="growth"), row(4, team="sales")) == [
        ("growth", "", 75, 8, "m1; s1 (75%)"),
        ("sales", "", 25, 2, "m1; s1 (25%)"),
        ("growth", "", 3, 7, "s1 (75%)"),
        ("sales", "", 1, 3, "s1 (25%)"),
    ]


def test_the_first_split_that_matches_counts() -> None:
    """A row is not divided twice, not even where a later split would match a part."""
    rules = organisation(
        splits=(
            "when: {cost_center: cc-1}, into: [{share: 50%, set: {team: x}}, {share: 50%, set: {team: y}}]",
            "when: {team: [a, x]}, into: [{share: 50%}, {share: 50%, set: {team: z}}]",
        )
    )
    assert applied(rules, row(team="a", cost_center="cc-1"), row(team="a")) == [
        ("x", "cc-1", 50, 5, "s1 (50%)"),
        ("y", "cc-1", 50, 5, "s1 (50%)"),
        ("a", "", 50, 5, "s2 (50%)"),
        ("z", "", 50, 5, "s2 (50%)"),
    ]


def test_rows_that_have_become_equal_are_one() -> None:
    """Before they are divided, so that fewer units are left over."""
    rules = organisation(
        splits=(
            "when: {team: [a, b]}, into: [{share: 60%, set: {team: x}}, {share: 40%, set: {team: y}}]",
            "when: {team: c}, into: [{share: 60%, set: {team: x}}, {share: 40%, set: {team: z}}]",
        )
    )
    assert applied(rules, row(1, team="a"), row(1, team="b"), row(2, team="a")) == [
        ("x", "", 2, 18, "s1 (60%)"),
        ("y", "", 2, 12, "s1 (40%)"),
    ]


def test_a_rule_applies_from_its_first_day_and_not_on_the_day_it_ends() -> None:
    """Half-open, like every period; a rule that has ended or not begun leaves the row alone."""
    rules = organisation("from: 2026-07-10, to: 2026-07-20, when: {team: a}, set: {team: b}")
    before, during, after = rules.boundaries(JULY)
    assert [piece.text for piece in (before, during, after)] == [
        "2026-07-01T00:00:00Z to 2026-07-10T00:00:00Z",
        "2026-07-10T00:00:00Z to 2026-07-20T00:00:00Z",
        "2026-07-20T00:00:00Z to 2026-08-01T00:00:00Z",
    ]
    found = [applied(rules, row(team="a"), period=piece)[0][0] for piece in (before, during, after)]
    assert found == ["a", "b", "a"]


def test_an_open_period_is_cut_at_every_date() -> None:
    """Two rules that begin on one day make one cut."""
    rules = organisation(
        "from: 2026-07-10, when: {team: a}, set: {team: b}",
        "from: 2026-07-10, to: 2026-08-01, when: {team: b}, set: {team: c}",
    )
    pieces = rules.boundaries(Period())
    assert [(piece.since, piece.until) for piece in pieces] == [
        (None, "2026-07-10T00:00:00Z"),
        ("2026-07-10T00:00:00Z", "2026-08-01T00:00:00Z"),
        ("2026-08-01T00:00:00Z", None),
    ]
    assert [applied(rules, row(team="a"), period=piece)[0][0] for piece in pieces] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("UTC", datetime(2026, 10, 25, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC)),  # the hour changes at three in the morning
        ("America/New_York", datetime(2026, 10, 25, 4, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 10, 24, 18, 15, tzinfo=UTC)),
    ],
)
def test_days_begin_at_midnight_of_the_reports_time_zone(zone: str, begins: datetime) -> None:
    """On the day in October that has 25 hours, too."""
    rules = organisation("from: 2026-10-25, to: 2026-10-26, when: {team: a}, set: {team: b}")
    _, day, _ = rules.boundaries(Period(), zone)
    hours = 25 if zone == "Europe/Berlin" else 24
    assert day == Period(to_us(begins), to_us(begins + timedelta(hours=hours)))


def test_a_day_whose_midnight_the_clock_skips_begins_when_it_begins() -> None:
    """In Santiago 6 September 2026 begins at one."""
    rules = organisation("from: 2026-09-06, when: {team: a}, set: {team: b}")
    assert rules.boundaries(Period(), "America/Santiago")[1].since == "2026-09-06T04:00:00Z"


def test_a_period_within_which_a_rule_begins_is_refused() -> None:
    """No row of it could be told apart."""
    rules = organisation("from: 2026-07-10, when: {team: a}, set: {team: b}")
    with pytest.raises(
        ValueError, match=r"'m1' does at 2026-07-10T00:00:00Z; apply the rules to each of bound"
    ):
        applied(rules, row())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"team": "a", "steps": 1}], "found no 'cost_nanousd'"),
        ([{"cost_nanousd": 1, "steps": 1}], r"found no 'team'; group by needed_tags\(\) too"),
        ([row(), {**row(), "day": "x"}], "in every row, found team, cost_center, cost_nanousd, steps, day"),
        ([{**row(), "rule": "m1"}], "expected rows without 'rule'"),
        ([{**row(), "steps": 1.5}], "expected a whole number in 'steps', found 1.5"),
        ([{**row(), "steps": None}], "expected a whole number in 'steps', found None"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: list[dict[str, Any]], message: str) -> None:
    """With what was expected and found."""
    with pytest.raises(ValueError, match=message):
        applied(organisation("when: {team: a}, set: {team: b}"), *rows)
