"""A report as text and as files: what is shown adds up, what is written is exact."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.kit import write
from spendgraph_reports.amounts import footed, rounded
from spendgraph_reports.errors import FootingError
from spendgraph_reports.period import Period
from spendgraph_reports.rendering import shown, to_csv, to_json, to_parquet
from spendgraph_reports.report import Column, Report, frame_of

COLUMNS = (
    Column("feature", "text", "The feature."),
    Column("cost_nanousd", "money", "Its cost.", adds=True),
    Column("limit_nanousd", "money", "Its limit."),
    Column("share", "share", "Of all."),
    Column("change", "change", "Beside before."),
    Column("is_flagged", "flag", "Whether somebody should look."),
)
HOSTILE = "=cmd|' /C calc'!A0"
ROWS = [
    {
        "feature": HOSTILE,
        "cost_nanousd": 10_004_999_999,
        "limit_nanousd": 2**53 + 1,
        "share": 0.75,
        "change": float("inf"),
        "is_flagged": True,
    },
    {"feature": "", "cost_nanousd": 3_335_000_001, "share": 0.25, "change": -0.5, "is_flagged": False},
]


def report(total: int = 13_340_000_000) -> Report:
    """A report of two rows."""
    return Report(
        "test",
        "A test",
        Period.month("2026-09"),
        frame_of(ROWS, COLUMNS),
        COLUMNS,
        totals={"cost_nanousd": total},
    )


@given(st.lists(st.integers(-(10**12), 10**12)), st.sampled_from([0, 2, 4, 9]))
def test_what_is_shown_adds_up(amounts: list[int], places: int) -> None:
    """Rounded amounts add up to the rounded sum, and each is less than a unit from what it is."""
    unit = 10 ** (9 - places)
    cells = footed(amounts, places)
    assert sum(cells) == rounded(sum(amounts), unit)
    assert all(abs(cell * unit - amount) < unit for cell, amount in zip(cells, amounts, strict=True))


def test_cells_for_people() -> None:
    """Cents add up, nothing is an empty cell, who has no name is still there."""
    cells = shown(report())
    assert cells.headings == ["feature", "cost", "limit", "share", "change", "is flagged"]
    assert cells.rows == [
        [HOSTILE, "$10.00", "$9,007,199.25", "75.0 %", "new", "yes"],
        ["(none)", "$3.34", "", "25.0 %", "-50.0 %", "no"],
    ]
    assert cells.total == ["total", "$13.34", "", "", "", ""]


def test_a_report_that_does_not_foot_is_none() -> None:
    """Whoever made it hears of it, and not whoever reads it."""
    with pytest.raises(
        FootingError,
        match=r"add up to \$13\.34 of cost_nanousd for 2026-09 \(UTC\), and the ledger says \$13\.3400",
    ):
        report(13_340_000_001)


def test_csv_is_exact_and_safe(tmp_path: Path) -> None:
    """A feature that is a formula is text; money is exact, twice."""
    ledger = write(tmp_path / "ledger.db", [])
    to_csv(report(), tmp_path / "report.csv", ledger)
    with (tmp_path / "report.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            [
                "feature",
                "cost_usd",
                "cost_nanousd",
                "limit_usd",
                "limit_nanousd",
                "share",
                "change",
                "is_flagged",
            ],
            [
                "'" + HOSTILE,
                "10.004999999",
                "10004999999",
                "9007199.254740993",
                "9007199254740993",
                "0.75",
                "",
                "true",
            ],
            ["", "3.335000001", "3335000001", "", "", "0.25", "-0.5", "false"],
        ]


def test_json_says_what_its_columns_mean(tmp_path: Path) -> None:
    """One document; no number in it is rounded."""
    ledger = write(tmp_path / "ledger.db", [])
    to_json(report(), tmp_path / "report.json", ledger)
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["since"] == "2026-09-01T00:00:00Z"
    assert document["columns"][1] == {
        "name": "cost_usd",
        "kind": "dollars",
        "meaning": "Its cost. In US dollars, exactly.",
    }
    assert document["rows"][0]["limit_nanousd"] == 2**53 + 1
    assert document["rows"][1]["limit_usd"] is None
    assert document["totals"] == {"cost_nanousd": 13_340_000_000}


def test_parquet_has_types(tmp_path: Path) -> None:
    """Decimals for dollars, integers for nano-dollars, and nothing where nothing is known."""
    ledger = write(tmp_path / "ledger.db", [])
    to_parquet(report(), tmp_path / "report.parquet", ledger)
    found = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path / 'report.parquet'}')")
    assert [str(kind) for kind in found.types] == [
        "VARCHAR", "DECIMAL(38,9)", "BIGINT", "DECIMAL(38,9)", "BIGINT", "DOUBLE", "DOUBLE", "BOOLEAN",
    ]  # fmt: skip
    first, second = found.fetchall()
    assert first[0] == HOSTILE
    assert (str(first[3]), first[4]) == ("9007199.254740993", 2**53 + 1)
    assert second[4] is None


def test_an_empty_report_is_written_too(tmp_path: Path) -> None:
    """With its columns."""
    ledger = write(tmp_path / "ledger.db", [])
    empty = Report(
        "test", "A test", Period.month("2026-09"), frame_of([], COLUMNS), COLUMNS, totals={"cost_nanousd": 0}
    )
    to_parquet(empty, tmp_path / "empty.parquet", ledger)
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{tmp_path / 'empty.parquet'}')").fetchone() == (0,)
    assert shown(empty).rows == []


def test_a_report_with_fewer_columns_is_the_same_report() -> None:
    """Its totals are those of the columns that are left."""
    assert shown(report().only("share", "feature")).headings == ["share", "feature"]
    assert report().only("feature").totals == {}
    assert report().only("feature", "cost_nanousd").totals == {"cost_nanousd": 13_340_000_000}
    with pytest.raises(ValueError, match=r"expected columns of the report test \(feature, .*\), found costs"):
        report().only("costs")


def test_integers_never_pass_through_a_float() -> None:
    """A frame does not take what may have lost a nano-dollar."""
    with pytest.raises(TypeError, match=r"cost_nanousd: expected integers, found 1\.0"):
        frame_of([{"cost_nanousd": 1.0}], COLUMNS[1:2])
