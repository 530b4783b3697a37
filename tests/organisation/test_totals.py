"""Whatever the rules: no unit of any column is lost, and shares are kept."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spendgraph.policy import Policy
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.organisation.dividing import Divider
from spendgraph_reports.period import Period

KEYS = ("team", "cost_center", "extra.region", "tenant")
SUMS = ("cost_nanousd", "input_tokens", "steps")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu"])
DAYS = st.integers(0, 400).map(lambda days: date(2026, 1, 1) + timedelta(days))
VALUES = st.sampled_from(["a", "b", "c"])
AMOUNTS = st.one_of(st.integers(-3, 3), st.integers(-(2**62), 2**62))


def tags(least: int) -> st.SearchStrategy[dict[str, str]]:
    """Some tags with their values."""
    return st.dictionaries(st.sampled_from(["team", "cost_center", "x_region"]), VALUES, min_size=least)


@st.composite
def shares(draw: st.DrawFn) -> list[Decimal]:
    """Two to five percentages that add up to 100."""
    cuts = draw(st.lists(st.integers(1, 9_999), min_size=1, max_size=4, unique=True).map(sorted))
    return [Decimal(upper - lower) / 100 for lower, upper in zip([0, *cuts], [*cuts, 10_000], strict=True)]


@st.composite
def organisations(draw: st.DrawFn) -> Organisation:
    """Up to four mappings and three splits, at any time, for anything, chained and overlapping."""

    def dated(name: str) -> dict[str, Any]:
        days = sorted({draw(DAYS), draw(DAYS)})
        ends = {"to": days[1]} if len(days) == 2 and draw(st.booleans()) else {}
        return {"name": name, "from": days[0], **ends, "when": draw(tags(1))}

    mappings = [{**dated(f"m{number}"), "set": draw(tags(1))} for number in range(draw(st.integers(0, 4)))]
    splits: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        percents = draw(shares())
        setting = draw(
            st.lists(tags(0), min_size=5, max_size=5, unique_by=lambda each: tuple(sorted(each.items())))
        )
        into = [
            {"share": f"{percent}%", "set": each} for percent, each in zip(percents, setting, strict=False)
        ]
        splits.append({**dated(f"s{number}"), "into": into})
    return Organisation.of(Policy.model_validate({"mappings": mappings, "splits": splits}))


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of sums, some alike, some with corrections in them."""
    return [
        {
            **{name: draw(VALUES) for name in KEYS},
            **{name: draw(AMOUNTS) for name in SUMS},
        }
        for _ in range(draw(st.integers(0, 8)))
    ]


def totals(found: list[dict[str, Any]]) -> list[int]:
    """The sum of every column of sums."""
    return [sum(row[name] for row in found) for name in SUMS]


def totals_by(names: list[str], found: list[dict[str, Any]]) -> dict[tuple[str, ...], list[int]]:
    """The totals of the rows that are alike in these columns."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in found:
        alike.setdefault(tuple(row[name] for name in names), []).append(row)
    return {key: totals(those) for key, those in alike.items()}


@settings(max_examples=100, deadline=None)
@given(organisation=organisations(), booked=rows(), zone=ZONES)
def test_every_column_keeps_its_total(
    organisation: Organisation, booked: list[dict[str, Any]], zone: str
) -> None:
    """In every piece of an open period, to the unit, and for each tenant, whom no rule sets; no row is there twice."""
    kept = [name for name in KEYS if name not in organisation.changed_tags()]
    assert "tenant" in kept
    for piece in organisation.boundaries(Period(), zone):
        found = organisation.apply(booked, piece, zone, sums=SUMS)
        assert totals(found) == totals(booked)
        assert totals_by(kept, found) == totals_by(kept, booked)
        assert len(totals_by([*KEYS, "rule"], found)) == len(found)
        assert organisation.apply(booked, piece, zone, sums=SUMS) == found


@given(organisation=organisations(), zone=ZONES, first=DAYS, length=st.integers(1, 90))
def test_the_pieces_of_a_period_are_the_period(
    organisation: Organisation, zone: str, first: date, length: int
) -> None:
    """Each begins where the one before it ends, and no rule begins or ends within one."""
    period = Period.days(first, first + timedelta(length), zone)
    pieces = organisation.boundaries(period, zone)
    assert (pieces[0].since_us, pieces[-1].until_us) == (period.since_us, period.until_us)
    assert [piece.until_us for piece in pieces[:-1]] == [piece.since_us for piece in pieces[1:]]
    for piece in pieces:
        assert organisation.boundaries(piece, zone) == [piece]


@given(shares=shares(), amounts=st.lists(AMOUNTS, max_size=60))
def test_parts_add_up_and_come_near_their_shares(shares: list[Decimal], amounts: list[int]) -> None:
    """Each within a unit of its share and of the amount's sign; all together within as many units as there are parts."""
    divider = Divider(shares)
    fractions = [Fraction(share) / 100 for share in shares]
    sums = [0] * len(shares)
    for amount in amounts:
        parts = divider.divide(amount)
        assert sum(parts) == amount
        assert all(part * amount >= 0 for part in parts)
        assert all(
            abs(part - amount * fraction) <= 1 for part, fraction in zip(parts, fractions, strict=True)
        )
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    assert all(
        abs(total - sum(amounts) * fraction) < len(shares)
        for total, fraction in zip(sums, fractions, strict=True)
    )


def test_many_small_rows_are_divided_as_their_sum_would_be() -> None:
    """A hundred users with a step each, split 60 to 40, are 60 steps and 40, not 100 and none."""
    divider = Divider([Decimal("0.6"), Decimal("0.4")])
    parts = [divider.divide(1) for _ in range(100)]
    assert [sum(part) for part in zip(*parts, strict=True)] == [60, 40]


def test_a_correction_takes_back_what_its_charge_gave() -> None:
    """A unit that went to the first part comes from the first part."""
    divider = Divider([Decimal("0.6"), Decimal("0.4")])
    assert [divider.divide(amount) for amount in (1, -1, 0)] == [[1, 0], [-1, 0], [0, 0]]
