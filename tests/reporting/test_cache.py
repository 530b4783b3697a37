"""The prompt cache: what was found and written, what that saved and cost, and where it fell."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.kit import CONTEXTS, DAY, ZONES
from reporting.priced import call, calls, ended, keep, price_of, prune, usage_of
from spendgraph.ledger import StepRow
from spendgraph.pricing import Usage
from spendgraph_reports.books import Books
from spendgraph_reports.efficiency import cache
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import Report

SEPTEMBER = Period.month("2026-09")
CLAUDE, GPT = 1, 2


@settings(max_examples=12)
@given(
    calls(),
    st.sampled_from(ZONES),
    st.booleans(),
    st.sampled_from([["feature"], ["tenant", "model"], ["day"], ["extra.squad", "day"]]),
)
def test_rows_add_up_to_what_was_sent_saved_and_written(
    rows: list[StepRow], zone: str, roll: bool, by: list[str]
) -> None:
    """To the token and the nano-dollar, in any zone, by day too; writing costs what a call without its reads would have lost."""
    period = Period.month("2026-09", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(keep(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books,
    ):
        report = cache(books, period, by=by)
    mine = [row for row in rows if row.started_us in period]
    for name in ("input_tokens", "cache_read_tokens", "saved_nanousd"):
        assert report.frame[name].sum() == sum(getattr(row, name) for row in mine)
    written = 0
    for row in ended(mine):
        written -= price_of(row).saved(replace(usage_of(row), cache_read_tokens=0))
    assert report.frame["writing_nanousd"].sum() == written
    assert not report.frame.duplicated(by).any()


def asked(path: Path, *by: str, period: Period = SEPTEMBER, zone: str = "UTC") -> Report:
    """The report of a period."""
    with Books(path, zone=zone) as books:
        return cache(books, period, by=by)


def test_a_ratio_beside_that_of_the_month_before(tmp_path: Path) -> None:
    """80 percent in August, 20 in September, of 1,000,000 tokens each: 600,000 reads less, at $1.125 a million."""
    august = call(
        "a", Usage(input_tokens=1_000_000, cache_read_tokens=800_000), GPT, started_us=DAY - 30 * DAY_US
    )
    september = call("b", Usage(input_tokens=1_000_000, cache_read_tokens=200_000), GPT)
    report = asked(keep(tmp_path / "ledger.db", [august, september]), "feature")
    (row,) = report.frame.to_dict("records")
    assert (row["hit_ratio"], row["before_ratio"], row["saved_nanousd"]) == (0.2, 0.8, 225_000_000)
    first, second = report.findings
    assert first == (
        "20.0 % of the input was found in the prompt cache, 80.0 % in 2026-08; that saved $0.22, with $0.00 for writing it taken"
        " off."
    )
    assert second == (
        "triage fell from 80.0 % to 20.0 % of 1,000,000 tokens: as before, reading would have saved about $0.68 more."
    )


def test_a_cache_that_is_written_and_not_found_costs_more_than_none(tmp_path: Path) -> None:
    """1,000,000 tokens in calls of 100,000, written for five minutes at $0.75 a million more, and 100,000 found: -$0.48."""
    usage = Usage(input_tokens=100_000, cache_write_5m_tokens=100_000)
    rows = [call(str(number), usage, CLAUDE) for number in range(10)]
    rows.append(call("found", Usage(input_tokens=100_000, cache_read_tokens=100_000), CLAUDE))
    report = asked(keep(tmp_path / "ledger.db", rows), "feature")
    assert (report.totals["writing_nanousd"], report.totals["saved_nanousd"]) == (750_000_000, -480_000_000)
    assert report.totals["cache_write_tokens"] == 1_000_000
    assert report.findings[-1] == (
        "triage paid $0.48 more than without a cache: it was written more than it was found."
    )


def test_writing_a_long_context_costs_its_own_rate(tmp_path: Path) -> None:
    """Above 200,000 tokens $1.50 a million, below $0.75: one call of each, of 250,000 and of 50,000."""
    rows = [
        call("a", Usage(input_tokens=250_000, cache_write_5m_tokens=250_000), CLAUDE),
        call("b", Usage(input_tokens=50_000, cache_write_5m_tokens=50_000), CLAUDE),
    ]
    report = asked(keep(tmp_path / "ledger.db", rows), "model")
    assert report.totals["writing_nanousd"] == 375_000_000 + 37_500_000


def test_what_langchains_cache_answered_was_not_sent(tmp_path: Path) -> None:
    """It is counted apart: its tokens are those of an earlier call."""
    usage = Usage(input_tokens=1_000, cache_read_tokens=500)
    hit = call("a", usage, GPT, status="cache_hit", cost_nanousd=0, saved_nanousd=0)
    report = asked(keep(tmp_path / "ledger.db", [hit, call("b", usage, GPT)]), "feature")
    (row,) = report.frame.to_dict("records")
    assert (row["langchain_hits"], row["input_tokens"], row["hit_ratio"]) == (1, 1_000, 0.5)


def test_days_are_those_of_the_time_zone_and_each_beside_the_one_before(tmp_path: Path) -> None:
    """Three calls of Berlin's 21st and 22nd, one of them late in the evening of the UTC day before; the broken day is named."""
    found, lost = (Usage(input_tokens=1_000_000, cache_read_tokens=read) for read in (900_000, 60_000))
    rows = [
        call("before", found, GPT, started_us=DAY - 90 * 60_000_000 - DAY_US),  # 22:30 UTC on the 19th
        call("first", found, GPT, started_us=DAY - 90 * 60_000_000),  # 22:30 UTC on the 20th
        call("second", lost, GPT, started_us=DAY + DAY_US),
    ]
    path = keep(tmp_path / "ledger.db", rows)
    period = Period.between("2026-09-21", "2026-09-23", "Europe/Berlin")
    report = asked(path, "feature", "day", period=period, zone="Europe/Berlin")
    assert report.frame[["day", "hit_ratio", "before_ratio"]].to_dict("split")["data"] == [
        ["2026-09-21", 0.9, 0.9],
        ["2026-09-22", 0.06, 0.9],
    ]
    assert report.findings[1].startswith("triage, 2026-09-22 fell from 90.0 % to 6.0 % of 1,000,000 tokens")


@pytest.mark.parametrize("by", [(), ("feature", "feature")])
def test_it_is_by_different_names(tmp_path: Path, by: tuple[str, ...]) -> None:
    """At least one."""
    with pytest.raises(ValueError, match="expected one or more different tags to report by"):
        asked(keep(tmp_path / "ledger.db", []), *by)


def test_a_period_in_which_nothing_was_sent_has_no_row(tmp_path: Path) -> None:
    """And says so."""
    path = keep(tmp_path / "ledger.db", [call("a", Usage(), kind="tool", context_id=CONTEXTS[0].context_id)])
    report = asked(path, "feature")
    assert report.is_empty
    assert report.findings == ("Nothing was sent to a model in this period.",)


def test_what_was_sent_is_known_of_pruned_calls_too(tmp_path: Path) -> None:
    """What writing them cost is not, and that is said."""
    usage = Usage(input_tokens=100_000, cache_write_5m_tokens=100_000)
    path = keep(
        tmp_path / "ledger.db", [call("a", usage, CLAUDE, started_us=DAY - DAY_US), call("b", usage, CLAUDE)]
    )
    prune(path, DAY)
    report = asked(path, "feature")
    assert (report.totals["cache_write_tokens"], report.totals["writing_nanousd"]) == (200_000, 75_000_000)
    assert report.caveats[-1].startswith("Steps that started before 2026-09-21 00:00 UTC may be pruned")
