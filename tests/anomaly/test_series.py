"""Series add up to the ledger, bin by bin, whatever the cut, the zone, and however late a row came."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, GLOBEX, step, task
from reporting.kit import DAY, ZONES, cost, spending, write
from spendgraph.ledger import Ledger, StepRow
from spendgraph.policy import parse_policy
from spendgraph_anomaly.series import Every, Metric, series_of, whole_bins
from spendgraph_reports.books import SUMS, Books
from spendgraph_reports.months import closed
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period

HOUR_US = 3_600_000_000
TODAY = Period(DAY, DAY + DAY_US)
BY = st.lists(
    st.sampled_from(["feature", "team", "tenant", "user", "model", "template", "kind", "extra.squad"]),
    max_size=3,
    unique=True,
)
EVERY: tuple[Every, ...] = ("quarter", "hour", "day")
SPLIT = Organisation.of(
    parse_policy("""
splits:
  - name: the index
    from: 2026-09-20
    when: {feature: search}
    into:
      - {share: 66.7%, set: {team: sales}}
      - {share: 33.3%, set: {team: support}}
""")
)


def booked(path: Path, *rows: StepRow, roll: bool = False) -> Path:
    """A ledger with these steps of acme's and globex's."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, GLOBEX, task(), *rows)
        if roll:
            ledger.upkeep.roll()
    return path


@settings(max_examples=25)
@given(
    spending(),
    BY,
    st.sampled_from(EVERY),
    st.sampled_from(ZONES),
    st.booleans(),
    st.integers(0, DAY_US),
    st.booleans(),
)
def test_every_cut_adds_up_to_the_ledger(
    rows: list[StepRow], by: list[str], every: Every, zone: str, roll: bool, shift: int, is_shared: bool
) -> None:
    """To the nano-dollar and in every bin: late rows and corrections are where the step started."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        period = Period(DAY - 3 * DAY_US + shift, DAY + 9 * DAY_US + 2 * shift)
        with Books(path, zone=zone, organisation=SPLIT if is_shared else None) as books:
            found = series_of(books, by, period, every)
            (whole,) = series_of(books, (), period, every)
        since, until = closed(whole_bins(period, every, zone))
        ends = [*whole.starts_us[1:], until]
        assert whole.starts_us[0] == since
        expected = [
            cost(rows, int(start), int(end)) for start, end in zip(whole.starts_us, ends, strict=True)
        ]
        assert whole.values.tolist() == expected
        assert (
            sum((one.values for one in found), np.zeros(len(expected), dtype=np.int64)).tolist() == expected
        )
        assert all(one.values.dtype == np.int64 for one in found)
        assert len({tuple(one.tags.items()) for one in found}) == len(found)


@settings(max_examples=10)
@given(spending(), st.sampled_from(EVERY))
def test_steps_and_tokens_are_counted_as_exactly(rows: list[StepRow], every: Every) -> None:
    """Steps are charges; a correction changes tokens and is no step."""
    period = Period(DAY - 50 * DAY_US, DAY + 50 * DAY_US)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows)
        with Books(path) as books:
            counted: dict[Metric, int] = {
                metric: sum(
                    int(one.values.sum()) for one in series_of(books, ["team"], period, every, metric=metric)
                )
                for metric in ("steps", "tokens")
            }
    assert counted["steps"] == sum(row.entry == "charge" for row in rows)
    assert counted["tokens"] == sum(row.input_tokens + row.output_tokens for row in rows)


def test_hours_without_a_step_are_zeros(tmp_path: Path) -> None:
    """Two steps, at 03:10 and 22:59: 24 hours, of which 22 came to nothing."""
    early = step("early", started_us=DAY + 3 * HOUR_US + 600_000_000, cost_nanousd=7)
    late = step("late", started_us=DAY + 23 * HOUR_US - 60_000_000, cost_nanousd=9)
    path = booked(tmp_path / "ledger.db", early, late)
    with Books(path) as books:
        (found,) = series_of(books, [], TODAY, "hour")
    assert len(found.values) == len(found.starts_us) == 24
    assert {hour: cost for hour, cost in enumerate(found.values.tolist()) if cost} == {3: 7, 22: 9}
    assert set(np.diff(found.starts_us)) == {HOUR_US}


def test_a_correction_is_folded_into_the_hour_of_its_step(tmp_path: Path) -> None:
    """A step of 04:00 corrected the next week changes 04:00, rolled up before or not."""
    at = DAY + 4 * HOUR_US
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(ACME, task(), step("one", started_us=at, cost_nanousd=500))
        ledger.upkeep.roll()
        week = 7 * DAY_US
        ledger.post(
            step(
                "two", entry="correction", corrects_step_id="one", started_us=at, recorded_us=at + week, cost_nanousd=-120
            )
        )  # fmt: skip
    with Books(tmp_path / "ledger.db") as books:
        (found,) = series_of(books, ["tenant"], TODAY, "hour")
    assert found.tags == {"tenant": "acme"}
    assert found.values[4] == found.values.sum() == 380


def test_cuts_come_largest_first_and_filters_hold(tmp_path: Path) -> None:
    """Globex spent 90, acme 40: in that order; of acme alone there is one series."""
    rows = [
        step("a", cost_nanousd=40, context_id=ACME.context_id, started_us=DAY),
        step("b", cost_nanousd=90, context_id=GLOBEX.context_id, started_us=DAY),
    ]
    path = booked(tmp_path / "ledger.db", *rows)
    with Books(path) as books:
        found = series_of(books, ["tenant", "feature"], TODAY, "hour")
        alone = series_of(books, ["feature"], TODAY, "hour", tenant="acme")
    assert [dict(one.tags) for one in found] == [
        {"tenant": "globex", "feature": "search"},
        {"tenant": "acme", "feature": "triage"},
    ]
    assert [(dict(one.tags), int(one.values.sum())) for one in alone] == [({"feature": "triage"}, 40)]


def test_a_day_of_berlin_takes_the_hours_that_are_its_own(tmp_path: Path) -> None:
    """23:30 UTC is of the next day there; the day on which clocks are put back has 25 hours."""
    autumn = closed(Period.between("2026-10-25", "2026-10-26", "Europe/Berlin"))
    moments = [autumn[0], autumn[0] + 24 * HOUR_US + 1, autumn[1]]
    rows = [step(f"s{number}", started_us=at, cost_nanousd=10**number) for number, at in enumerate(moments)]
    path = booked(tmp_path / "ledger.db", *rows)
    with Books(path, zone="Europe/Berlin") as books:
        (found,) = series_of(books, [], Period.between("2026-10-24", "2026-10-27", "Europe/Berlin"), "day")
    assert found.values.tolist() == [0, 11, 100]


def test_what_is_not_over_is_there_and_left_out_of_the_finished(tmp_path: Path) -> None:
    """At 05:20 the hour of 05:00 has what was spent so far; five hours are finished, and none before the first is over."""
    rows = [step(f"s{hour}", started_us=DAY + hour * HOUR_US, cost_nanousd=1 + hour) for hour in range(6)]
    path = booked(tmp_path / "ledger.db", *rows)
    with Books(path) as books:
        (now,) = series_of(books, [], TODAY, "hour", now_us=DAY + 5 * HOUR_US + 1_200_000_000)
        (early,) = series_of(books, [], TODAY, "hour", now_us=DAY - 1)
        (long_ago,) = series_of(books, [], TODAY, "hour", now_us=DAY + 90 * DAY_US)
    assert now.complete_until_us == DAY + 5 * HOUR_US
    assert now.values.sum() == 21
    assert now.finished().values.tolist() == [1, 2, 3, 4, 5]
    assert now.finished().starts_us.tolist() == [DAY + hour * HOUR_US for hour in range(5)]
    assert early.finished().values.tolist() == []
    assert len(long_ago.finished().values) == 24


def test_an_empty_ledger_has_one_series_of_everything_and_no_cuts(tmp_path: Path) -> None:
    """Nothing of everything is zeros; nobody spent nothing."""
    path = booked(tmp_path / "ledger.db")
    with Books(path) as books:
        (found,) = series_of(books, [], TODAY, "quarter")
        assert found.values.tolist() == [0] * 96
        assert series_of(books, ["tenant"], TODAY, "quarter") == []


def test_money_is_shown_in_dollars_and_tokens_are_not(tmp_path: Path) -> None:
    """Statistics take dollars; a series of tokens has none."""
    path = booked(tmp_path / "ledger.db", step(started_us=DAY, cost_nanousd=2_500_000_000))
    with Books(path) as books:
        (money,) = series_of(books, [], TODAY, "day")
        (tokens,) = series_of(books, [], TODAY, "day", metric="tokens")
        assert money.dollars().tolist() == [2.5]
        with pytest.raises(ValueError, match="expected a series of cost, found one of tokens"):
            tokens.dollars()
        with pytest.raises(ValueError, match="expected a metric of cost, steps, tokens, found 'dollars'"):
            series_of(books, [], TODAY, "day", metric="dollars")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Listening(Books):
    """Books that remember which names they were asked by."""

    def rows(
        self, by: Sequence[str], period: Period, *, sums: Sequence[str] = SUMS, **filters: object
    ) -> list[dict[str, Any]]:
        """The same rows."""
        self.asked = list(by)
        return super().rows(by, period, sums=sums, **filters)


@pytest.mark.parametrize(
    ("every", "zone", "bucket"),
    [
        ("quarter", "UTC", "quarter_us"),
        ("hour", "UTC", "hour"),
        ("hour", "Asia/Kathmandu", "hour"),
        ("day", "UTC", "day"),
        ("day", "Europe/Berlin", "hour"),
        ("day", "Asia/Kathmandu", "quarter_us"),
    ],
)
def test_bins_are_read_from_the_longest_sums_that_they_are_made_of(
    tmp_path: Path, every: Every, zone: str, bucket: str
) -> None:
    """Hours are summed by account and few, quarters of an hour by user and version: a year of those is slow to read."""
    path = booked(tmp_path / "ledger.db", step(started_us=DAY), roll=True)
    period = Period.between("2026-09-20", "2026-09-23", zone)
    with Listening(path, zone=zone) as books:
        (found,) = series_of(books, ["tenant"], period, every)
    assert books.asked == ["tenant", bucket]
    assert found.values.sum() == 5_000
