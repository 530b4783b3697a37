"""`spendgraph export` and `spendgraph reconcile`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from exports.kit import TOTAL, write_books
from spendgraph_reports.cli import register

INVOICE = "usage_date_utc,model,cost_usd\n2026-09-21,claude,0.000004\n"
OPENAI = (
    'start_time_iso,amount_value,amount_currency,line_item\n2026-09-21T00:00:00Z,770.00,usd,"gpt-5, input"\n'
)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger of six steps."""
    return write_books(tmp_path / "ledger.db")


def say(*arguments: str | Path) -> tuple[int, str]:
    """The exit code and what was said, on both streams."""
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "focus"])
def test_export_writes_a_file_and_says_what_it_holds(form: str, books: Path, tmp_path: Path) -> None:
    """Rows, dollars and the period, and the version of FOCUS."""
    code, said = say("export", form, "--ledger", books, "--from", "2026-09-01", "--to", "2026-10-01", "-o", tmp_path / "out")  # fmt: skip
    assert code == 0
    assert (tmp_path / "out").stat().st_size > 0
    assert "$26.745004001" in said
    assert ("FOCUS 1.2" in said) == (form == "focus")


def test_export_speaks_json(books: Path, tmp_path: Path) -> None:
    """For machines."""
    code, said = say(
        "export", "focus", "--ledger", books, "--month", "2026-09", "-o", tmp_path / "out", "--json"
    )
    document = json.loads(said)
    assert (code, document["cost_nanousd"], document["focus_version"]) == (0, TOTAL, "1.2")
    assert (document["since"], document["until"]) == ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z")


@pytest.mark.parametrize(
    "period",
    [["--month", "2026-13"], ["--from", "soon"], ["--month", "2026-09", "--to", "2026-10-01"]],
    ids=["no month", "no date", "both"],
)
def test_a_wrong_period_is_called_wrongly(period: list[str], books: Path, tmp_path: Path) -> None:
    """Exit code 2, and nothing is written."""
    assert say("export", "csv", "--ledger", books, "-o", tmp_path / "out", *period)[0] == 2
    assert not (tmp_path / "out").exists()


def test_focus_knows_no_other_midnight(books: Path, tmp_path: Path) -> None:
    """A month in Berlin is no row of whole UTC days."""
    arguments = (
        "--month",
        "2026-09",
        "--timezone",
        "Europe/Berlin",
        "-o",
        tmp_path / "out",
        "--ledger",
        books,
    )
    assert say("export", "focus", *arguments)[0] == 2
    assert say("export", "csv", *arguments)[0] == 0


def test_reconcile_shows_the_residual_and_ends_with_1(books: Path, tmp_path: Path) -> None:
    """More than five percent without an owner is a problem."""
    (tmp_path / "cost.csv").write_text(OPENAI)
    code, said = say(
        "reconcile", tmp_path / "cost.csv", "--format", "openai", "--month", "2026-09", "--ledger", books
    )
    assert code == 1
    assert "residual: not in the ledger, nobody's $743.259999998 96.5 %" in " ".join(said.split())
    assert "MISSED" in said


def test_reconcile_ends_with_0_where_all_is_well(books: Path, tmp_path: Path) -> None:
    """An invoice that the ledger covers."""
    (tmp_path / "cost.csv").write_text(INVOICE)
    arguments = (
        "reconcile",
        tmp_path / "cost.csv",
        "--format",
        "anthropic",
        "--month",
        "2026-09",
        "--ledger",
        books,
    )
    assert say(*arguments)[0] == 0
    document = json.loads(say(*arguments, "--json")[1])
    assert (document["residual_nanousd"], document["coverage"], document["reaches_goal"]) == (0, 1.0, True)


def test_any_csv_is_reconciled_with_columns(books: Path, tmp_path: Path) -> None:
    """By options or by a file."""
    (tmp_path / "x.csv").write_text("Day;Amount\n2026-09-21;26,74\n")
    (tmp_path / "map.yaml").write_text("cost: Amount\nday: Day\ndecimal: ','\n")
    base = (
        "reconcile",
        tmp_path / "x.csv",
        "-f",
        "csv",
        "-m",
        "2026-09",
        "--provider",
        "openai",
        "-l",
        books,
    )
    assert say(*base, "-c", "cost=Amount", "-c", "day=Day", "-c", "decimal=,")[0] == 0
    assert say(*base, "--columns", tmp_path / "map.yaml")[0] == 0
    assert say(*base)[0] == 2
    assert say(*base, "-c", "price=Amount")[0] == 2
