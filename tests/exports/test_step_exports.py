"""The steps of a period in files: exact, whole or not there, private, and no formulas."""

from __future__ import annotations

import json
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exports.kit import TOTAL, by_step, cells
from ledger.rows import START_US
from spendgraph.errors import LedgerError
from spendgraph_reports.errors import ExportError
from spendgraph_reports.exports import Exported, export_csv, export_json, export_parquet
from spendgraph_reports.exports.cells import safe
from spendgraph_reports.period import Period

WRITERS = pytest.mark.parametrize(
    "write", [export_csv, export_json, export_parquet], ids=["csv", "json", "parquet"]
)


@WRITERS
def test_an_export_holds_every_step_and_its_cost(write: Any, books: Path, tmp_path: Path) -> None:
    """Corrections are rows; the cost is the ledger's to the nano-dollar."""
    target = tmp_path / "out"
    assert write(books, target) == Exported(target, 6, TOTAL)


@WRITERS
def test_a_period_ends_before_its_end(write: Any, books: Path, tmp_path: Path) -> None:
    """A step that starts at the very end belongs to what follows."""
    first = write(books, tmp_path / "first", Period(None, START_US + 86_400_000_000))
    second = write(books, tmp_path / "second", Period(START_US + 86_400_000_000, None))
    assert (first.rows, second.rows) == (5, 1)
    assert first.cost_nanousd + second.cost_nanousd == TOTAL


@WRITERS
def test_an_export_is_private_and_replaces_what_was_there(write: Any, books: Path, tmp_path: Path) -> None:
    """Mode 0600 whatever the old file had, and nothing else is left in the folder."""
    target = tmp_path / "folder" / "out"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o644)
    write(books, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [file.name for file in target.parent.iterdir()] == ["out"]
    assert not target.read_bytes().startswith(b"old")


@WRITERS
def test_a_failed_export_leaves_the_old_file(write: Any, tmp_path: Path) -> None:
    """What stands there is whole: the new file or the old one."""
    target = tmp_path / "out"
    target.write_text("old")
    (tmp_path / "none.db").write_bytes(b"not a ledger at all")
    with pytest.raises(LedgerError):
        write(tmp_path / "none.db", target)
    assert target.read_text() == "old"


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal", "ledger.db.journal-1-a.jsonl", "folder"])
def test_neither_the_ledger_nor_a_folder_is_a_target(name: str, books: Path, tmp_path: Path) -> None:
    """A slip of the hand does not cost the books."""
    (tmp_path / "folder").mkdir()
    before = books.read_bytes()
    with pytest.raises(ExportError):
        export_csv(books, tmp_path / name)
    assert books.read_bytes() == before


def test_a_file_may_be_named_after_the_ledger(books: Path, tmp_path: Path) -> None:
    """`ledger.db.csv` is nobody's but the export's."""
    assert export_csv(books, tmp_path / "ledger.db.csv").rows == 6


def test_a_folder_that_is_not_there_is_named(books: Path, tmp_path: Path) -> None:
    """The error says which file, and what to do."""
    with pytest.raises(ExportError, match=r"cannot write .*missing/out"):
        export_csv(books, tmp_path / "missing" / "out")


def test_csv_shows_sub_micro_dollars_as_digits(books: Path, tmp_path: Path) -> None:
    """$0.000000002 is neither 0 nor 2e-9."""
    export_csv(books, tmp_path / "out.csv")
    rows = by_step(cells(tmp_path / "out.csv"))
    assert rows["tiny"]["cost_usd"] == "0.000000002"
    assert rows["dear"]["cost_usd"] == "26.74"
    assert rows["hostile/late"]["cost_usd"] == "-0.000001"
    assert rows["tool"]["quantity"] == "2.5"
    assert rows["tiny"]["started"] == "2026-09-21T14:13:20Z"
    assert rows["tiny"]["quantity"] == ""


def test_a_formula_is_text_in_csv(books: Path, tmp_path: Path) -> None:
    """A feature named like a command is harmless, and so is what another separator would split off."""
    export_csv(books, tmp_path / "out.csv")
    row = by_step(cells(tmp_path / "out.csv"))["hostile"]
    assert row["feature"] == "'=cmd|' /C calc'!A0"
    assert row["tenant"] == "'+evil;'=1+1"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("  =1", "  '=1"),
        ("＝1", "'＝1"),
        ("a,@b", "a,'@b"),
        ("inbox-triage", "inbox-triage"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_what_could_be_a_formula_stands_behind_a_quote(text: str, cell: str) -> None:
    """The signs that begin a formula do, at the start of a cell or of what a spreadsheet may make one."""
    assert safe(text) == cell


def test_json_keeps_text_as_it_is_and_dollars_exact(books: Path, tmp_path: Path) -> None:
    """JSON opens in no spreadsheet by itself: nothing is added to text; dollars are strings."""
    export_json(books, tmp_path / "out.json", Period.month("2026-09"))
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    steps = by_step(document["steps"])
    assert steps["hostile"]["feature"] == "=cmd|' /C calc'!A0"
    assert (steps["tiny"]["cost_usd"], steps["tiny"]["cost_nanousd"]) == ("0.000000002", 2)
    assert steps["tiny"]["extra"] == {}
    assert (document["since"], document["until"]) == ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z")
    assert (document["rows"], document["cost_nanousd"]) == (6, TOTAL)


def test_an_empty_period_is_still_a_document(books: Path, tmp_path: Path) -> None:
    """Nothing spent is an answer."""
    export_json(books, tmp_path / "out.json", Period.month("2020-01"))
    assert json.loads((tmp_path / "out.json").read_text())["steps"] == []
    assert export_parquet(books, tmp_path / "out.parquet", Period.month("2020-01")).rows == 0


def test_parquet_has_decimals_and_utc_times(books: Path, tmp_path: Path) -> None:
    """Types that a reader need not guess."""
    export_parquet(books, tmp_path / "out.parquet")
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT typeof(cost_usd), typeof(cost_nanousd), typeof(started), cost_usd, feature"
            f" FROM read_parquet('{tmp_path / 'out.parquet'}') WHERE step_id IN ('tiny', 'hostile') ORDER BY cost_usd"
        ).fetchall()
    types = ("DECIMAL(19,9)", "BIGINT", "TIMESTAMP WITH TIME ZONE")
    assert found[0] == (*types, Decimal("0.000000002"), "search")
    assert found[1] == (*types, Decimal("0.000005000"), "=cmd|' /C calc'!A0")
