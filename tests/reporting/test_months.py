"""Months and years of a time zone."""

from __future__ import annotations

import pytest

from spendgraph_reports.months import before, is_whole_months, months, named, year_to_date
from spendgraph_reports.period import Period

BERLIN = "Europe/Berlin"


def test_months_of_a_period_are_cut_at_its_ends() -> None:
    """The first and the last are parts."""
    period = Period.between("2026-01-15", "2026-03-02", BERLIN)
    assert [(name, part.text) for name, part in months(period, BERLIN)] == [
        ("2026-01", "2026-01-14T23:00:00Z to 2026-01-31T23:00:00Z"),
        ("2026-02", "2026-01-31T23:00:00Z to 2026-02-28T23:00:00Z"),
        ("2026-03", "2026-02-28T23:00:00Z to 2026-03-01T23:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("period", "earlier"),
    [
        (Period.month("2026-01", BERLIN), "2025-12"),
        (Period.between("2026-01-01", "2026-04-01", BERLIN), "2025-10 to 2025-12"),
        (Period.between("2026-03-08", "2026-03-15", BERLIN), "2026-03-01 to 2026-03-07"),
    ],
    ids=["a month", "a quarter", "a week"],
)
def test_what_a_period_is_compared_with(period: Period, earlier: str) -> None:
    """Months with months, weeks with weeks."""
    assert named(before(period, BERLIN), BERLIN) == earlier


def test_the_year_goes_to_the_period_s_end() -> None:
    """From midnight of January the first, in the zone."""
    assert (
        year_to_date(Period.month("2026-08", BERLIN), BERLIN).text
        == "2025-12-31T23:00:00Z to 2026-08-31T22:00:00Z"
    )
    assert year_to_date(Period.month("2026-12"), "UTC").text == "2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z"


def test_names_of_periods() -> None:
    """Months, days or times."""
    assert not is_whole_months(Period.month("2026-08"), BERLIN)
    assert named(Period.month("2026-08"), BERLIN) == "2026-08-01 02:00 to 2026-09-01 02:00"
    assert named(Period.between("2026-08-01", "2026-08-02")) == "2026-08-01"
    with pytest.raises(ValueError, match="expected a period with a start and an end"):
        named(Period())
