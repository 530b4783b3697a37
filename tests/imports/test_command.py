"""`spendgraph import` and `spendgraph reconcile --imported`, as a person types them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from exports.kit import write_books
from spendgraph.errors import LedgerBusy, LedgerUnavailable
from spendgraph.ledger import Ledger
from spendgraph_reports.cli import register
from spendgraph_reports.errors import InputError, NotImported

CONTRACTS = "tenant,plan,monthly_revenue_usd,valid_from,valid_until\nacme,team,299.00,2026-01-01,\n"
PLANS = "plan,monthly_list_price_usd\nstarter,49.00\n"
INVOICE = """\
usage_date_utc,model,cost_usd
2026-09-21,claude,0.000004
2026-10-01,claude,5
"""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger of six steps."""
    return write_books(tmp_path / "ledger.db")


def say(*arguments: str | Path, error: type[Exception] | None = None) -> tuple[int, str]:
    """The exit code and what was said, on both streams; an error that the frame of the command line tells is expected."""
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    if error is not None:
        assert isinstance(result.exception, error)
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def write(tmp_path: Path, text: str, name: str) -> Path:
    """A file with this content."""
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_lists_are_imported_and_what_does_not_fit_is_said(books: Path, tmp_path: Path) -> None:
    """How many, which import, and plans of contracts that no list has."""
    contracts = write(tmp_path, CONTRACTS, "c.csv")
    assert say("import", "contracts", contracts, "-l", books, "--by", "ann") == (
        0,
        f"{contracts}: 1 contract, as import 1.\n",
    )
    plans = write(tmp_path, PLANS, "p.csv")
    assert say("import", "plans", plans, "-l", books) == (
        0,
        f"{plans}: 1 price, as import 2.\nContracts name plans that the list of plans has not: team.\n",
    )
    code, said = say("import", "contracts", contracts, "-l", books, "--json")
    assert (code, json.loads(said)) == (
        0,
        {
            "ledger": str(books),
            "kind": "contracts",
            "import_id": 1,
            "is_new": False,
            "replaced": None,
            "rows": 1,
            "unlisted_plans": ["team"],
        },
    )


def test_the_same_file_again_and_a_newer_one_are_told_apart(books: Path, tmp_path: Path) -> None:
    """Nothing was changed, or what it takes the place of."""
    plans = write(tmp_path, PLANS, "p.csv")
    say("import", "plans", plans, "-l", books)
    assert say("import", "plans", plans, "-l", books)[1] == (
        f"{plans} was imported before (1 price, import 1); nothing was changed.\n"
    )
    write(tmp_path, PLANS.replace("49", "59"), "p.csv")
    assert say("import", "plans", plans, "-l", books)[1] == (
        f"{plans}: 1 price, as import 2, in place of import 1, which stays.\n"
    )
    listed = " ".join(say("import", "-l", books)[1].split())
    assert "2 plans yes" in listed
    assert "1 plans replaced" in listed
    document = json.loads(say("import", "-l", books, "--json")[1])
    assert [(row["import_id"], row["counts"], row["files"][0]["name"]) for row in document] == [
        (2, True, "p.csv"),
        (1, False, "p.csv"),
    ]


def test_an_imported_invoice_is_reconciled(books: Path, tmp_path: Path) -> None:
    """The monthly report needs no file any more."""
    bill = write(tmp_path, INVOICE, "bill.csv")
    code, said = say("import", "invoice", bill, "-f", "anthropic", "-m", "2026-09", "-l", books)
    assert (code, said) == (
        0,
        f"{bill}: anthropic 2026-09, $0.000004, as import 1.\n1 line of other months left out.\n",
    )
    bill.unlink()
    arguments = ("reconcile", "--imported", "--provider", "anthropic", "-m", "2026-09", "-l", books)
    assert say(*arguments)[0] == 0
    document = json.loads(say(*arguments, "--json")[1])
    assert (document["residual_nanousd"], document["coverage"], document["reaches_goal"]) == (0, 1.0, True)


def test_an_invoice_speaks_json(books: Path, tmp_path: Path) -> None:
    """For machines; a csv needs its columns and its provider."""
    bill = write(tmp_path, "Tag;Betrag\n01.09.2026;12,50\n", "x.csv")
    map_ = write(tmp_path, "cost: Betrag\nday: Tag\nday_format: '%d.%m.%Y'\ndecimal: ','\n", "map.yaml")
    base = ("import", "invoice", bill, "-f", "csv", "-m", "2026-09", "-l", books, "--columns", map_)
    assert say(*base)[0] == 2
    document = json.loads(say(*base, "--provider", "mistral", "--json")[1])
    assert (document["provider"], document["month"], document["amount_nanousd"]) == (
        "mistral",
        "2026-09",
        12_500_000_000,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["reconcile", "-m", "2026-09"],
        ["reconcile", "-m", "2026-09", "--imported"],
        ["reconcile", "-m", "2026-13", "--imported", "--provider", "openai"],
        ["reconcile", "x.csv", "-m", "2026-09", "--imported", "--provider", "openai"],
        ["reconcile", "x.csv", "-m", "2026-09"],
        ["import", "invoice", "x.csv", "-f", "openai", "-m", "2026-13"],
        ["import", "invoice", "x.csv", "-f", "openai", "-m", "2026-09", "-c", "cost=x"],
        ["import", "contracts"],
    ],
    ids=[
        "neither",
        "whose",
        "no month",
        "both",
        "no format",
        "no month to import",
        "columns of openai",
        "no file",
    ],
)
def test_a_wrong_call_ends_with_2(books: Path, arguments: list[str]) -> None:
    """It is said what was expected, and nothing is imported."""
    assert say(*arguments, "-l", books)[0] == 2
    with Ledger.open_readonly(books) as reader:
        assert reader.imports() == []


def test_a_wrong_cell_is_named_with_its_place(books: Path, tmp_path: Path) -> None:
    """As the frame prints it, with exit code 1; nothing is imported."""
    contracts = write(tmp_path, CONTRACTS.replace("299.00", "299,00"), "c.csv")
    assert say("import", "contracts", contracts, "-l", books, error=InputError)[1] == (
        f"{contracts}:2: expected 5 columns, found 6"
    )
    say("import", "contracts", contracts, "-l", books, "--decimal", ",", error=InputError)
    semicolons = write(tmp_path, CONTRACTS.replace(",", ";").replace("299.00", "299,00"), "s.csv")
    assert say("import", "contracts", semicolons, "-l", books, error=InputError)[1] == (
        f"{semicolons}:2: column 'monthly_revenue_usd': expected an amount of dollars such as 12.34, found '299,00'"
    )
    assert say("import", "contracts", semicolons, "-l", books, "--decimal", ",")[0] == 0


def test_without_an_import_it_is_said_what_to_do(books: Path) -> None:
    """Which invoices there are, and the command that brings one in."""
    arguments = ("reconcile", "--imported", "--provider", "openai", "-m", "2026-09", "-l", books)
    assert "bring it in with `spendgraph import invoice`" in say(*arguments, error=NotImported)[1]
    assert say("import", "-l", books)[1] == f"Nothing was imported into {books}.\n"


def test_an_import_makes_no_ledger(tmp_path: Path) -> None:
    """A path mistyped is named."""
    plans = write(tmp_path, PLANS, "p.csv")
    said = say("import", "plans", plans, "-l", tmp_path / "wrong.db", error=LedgerUnavailable)[1]
    assert said.startswith(f"there is no ledger at {tmp_path / 'wrong.db'}")
    assert not (tmp_path / "wrong.db").exists()


def test_a_locked_ledger_takes_nothing(books: Path, tmp_path: Path) -> None:
    """Another process writes for longer than anybody waits."""
    other = sqlite3.connect(books, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    say("import", "plans", write(tmp_path, PLANS, "p.csv"), "-l", books, error=LedgerBusy)
    other.rollback()
    other.close()
    assert say("import", "-l", books)[1] == f"Nothing was imported into {books}.\n"
