"""What finance brings in: versions that stay, the newest of which counts; whole, or not there."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import change, rows
from spendgraph.errors import LedgerBusy, LedgerError
from spendgraph.ledger import (
    ContractRow,
    ImportedFile,
    Invoice,
    InvoiceLineRow,
    InvoiceRow,
    Ledger,
    PlanRow,
)

ACME = ContractRow("acme", "team", 299_000_000_000, "2026-01-01", "2026-08-01")
ACME_LATER = ContractRow("acme", "business", 1_190_000_000_000, "2026-08-01")
GLOBEX = ContractRow("globex", "starter", 0, "2026-03-15", "2026-09-30")
ONE = [ImportedFile("contracts.csv", "1" * 64)]
OTHER = [ImportedFile("contracts.csv", "2" * 64)]
COST = InvoiceLineRow("2026-08-02", "gpt-5", "gpt-5, input", 2, 1_500_000_000)
CREDIT = InvoiceLineRow("2026-08-31", "gpt-5", "credit", 1, -500_000_000)
USED = InvoiceLineRow("2026-08-02", "gpt-5", "", 1, None, 1_000, 50, 800, 0, 0)


def bill(*lines: InvoiceLineRow, provider: str = "openai", month: str = "2026-08") -> Invoice:
    """An invoice."""
    return Invoice(provider, month, "openai", lines, outside_lines=3)


def test_a_list_of_contracts_is_kept_and_read(ledger: Ledger) -> None:
    """By tenant and day, as typed rows, and with who brought it in from which file."""
    done = ledger.intake.contracts([GLOBEX, ACME_LATER, ACME], ONE, by="ann")
    assert done == (1, True, None, 3)
    assert ledger.contracts() == [ACME, ACME_LATER, GLOBEX]
    (kept,) = ledger.imports()
    assert (kept["kind"], kept["rows"], kept["imported_by"], kept["counts"]) == ("contracts", 3, "ann", True)
    assert kept["files"] == '[{"name": "contracts.csv", "sha256": "' + "1" * 64 + '"}]'
    assert ledger.verify() == []


@pytest.mark.parametrize(
    ("since", "until", "tenants"),
    [
        (date(2026, 7, 31), date(2026, 8, 1), ["acme team", "globex starter"]),
        (date(2026, 8, 1), date(2026, 8, 2), ["acme business", "globex starter"]),
        (date(2026, 9, 29), date(2026, 9, 30), ["acme business", "globex starter"]),
        (date(2026, 9, 30), None, ["acme business"]),
        (None, date(2026, 3, 15), ["acme team"]),
        (None, date(2026, 1, 1), []),
    ],
    ids=[
        "last day",
        "first day",
        "last day of globex",
        "from its end on",
        "before its beginning",
        "before all",
    ],
)
def test_contracts_of_a_period_are_half_open(
    ledger: Ledger, since: date | None, until: date | None, tenants: list[str]
) -> None:
    """A contract holds from its first day to before the first day after it."""
    ledger.intake.contracts([ACME, ACME_LATER, GLOBEX], ONE)
    assert [f"{row.tenant} {row.plan}" for row in ledger.contracts(since=since, until=until)] == tenants


def test_the_newest_list_counts_whole_and_the_older_one_stays(ledger: Ledger, path: Path) -> None:
    """Who is not in the new list has no contract any more; the rows of both are in the file."""
    ledger.intake.contracts([ACME, GLOBEX], ONE)
    assert ledger.intake.contracts([ACME_LATER], OTHER) == (2, True, 1, 1)
    assert ledger.contracts() == [ACME_LATER]
    assert rows(path, "SELECT import_id, tenant FROM contracts ORDER BY 1, 2") == [
        (1, "acme"),
        (1, "globex"),
        (2, "acme"),
    ]
    assert [(row["import_id"], row["counts"]) for row in ledger.imports()] == [(2, True), (1, False)]
    assert ledger.verify() == []


def test_the_same_file_again_changes_nothing(ledger: Ledger, path: Path) -> None:
    """It is said, with the import that has it; under another name, too."""
    ledger.intake.contracts([ACME, GLOBEX], ONE)
    again = ledger.intake.contracts([GLOBEX, ACME], [ImportedFile("renamed.csv", "1" * 64)])
    assert again == (1, False, None, 2)
    assert rows(path, "SELECT count(*) FROM imports") == [(1,)]


def test_going_back_to_an_older_file_is_a_new_version(ledger: Ledger) -> None:
    """The newest counts: what came before the last import is no longer what is there."""
    ledger.intake.contracts([ACME], ONE)
    ledger.intake.contracts([GLOBEX], OTHER)
    assert ledger.intake.contracts([ACME], ONE) == (3, True, 2, 1)
    assert ledger.contracts() == [ACME]


def test_the_same_file_read_in_another_way_is_a_new_version(ledger: Ledger) -> None:
    """Another column map gives other rows of the same bytes."""
    ledger.intake.invoice(bill(COST), ONE)
    assert ledger.intake.invoice(bill(CREDIT), ONE).is_new
    assert not ledger.intake.invoice(bill(CREDIT), ONE).is_new


def test_list_prices_are_those_of_a_day(ledger: Ledger) -> None:
    """A price holds from its day until the plan's next one; without a day it always did."""
    always, raised = PlanRow("team", 299_000_000_000), PlanRow("team", 349_000_000_000, "2026-09-01")
    new = PlanRow("trial", 0, "2026-08-15")
    ledger.intake.plans([raised, always, new], ONE)
    assert ledger.plans() == [always, raised, new]
    assert ledger.plans(at=date(2026, 8, 14)) == [always]
    assert ledger.plans(at=date(2026, 8, 31)) == [always, new]
    assert ledger.plans(at=date(2026, 9, 1)) == [raised, new]


def test_an_invoice_is_kept_with_its_sum(ledger: Ledger) -> None:
    """Credits count against it; what it says of lines is of the files."""
    assert ledger.intake.invoice(bill(CREDIT, COST), ONE) == (1, True, None, 2)
    (found,) = ledger.invoices()
    assert found == InvoiceRow(
        1, "openai", "2026-08", "openai", "nanousd", 1_000_000_000, 3, 3, found.imported_us, counts=True
    )
    assert ledger.invoice_lines(1) == [COST, CREDIT]
    assert ledger.verify() == []


def test_an_invoice_replaces_the_one_of_its_provider_and_month(ledger: Ledger) -> None:
    """Not another month's or provider's, and not the usage export of the same month; `replaced` shows the old one."""
    ledger.intake.invoice(bill(COST), ONE)
    ledger.intake.invoice(bill(USED), ONE)
    ledger.intake.invoice(bill(COST._replace(day=""), provider="mistral"), ONE)
    ledger.intake.invoice(bill(COST._replace(day="2026-09-01"), month="2026-09"), ONE)
    assert ledger.intake.invoice(bill(CREDIT), OTHER).replaced == 1
    assert [(row.import_id, row.provider, row.month, row.unit, row.amount) for row in ledger.invoices()] == [
        (3, "mistral", "2026-08", "nanousd", 1_500_000_000),
        (5, "openai", "2026-08", "nanousd", -500_000_000),
        (2, "openai", "2026-08", "tokens", 1_050),
        (4, "openai", "2026-09", "nanousd", 1_500_000_000),
    ]
    of_august = ledger.invoices(provider="openai", month="2026-08", replaced=True)
    assert [(row.import_id, row.counts) for row in of_august] == [(1, False), (5, True), (2, True)]
    assert ledger.verify() == []


BAD: list[Any] = [
    pytest.param("contracts", [], id="nothing"),
    pytest.param("contracts", [ACME._replace(tenant=" ")], id="no tenant"),
    pytest.param("contracts", [ACME._replace(tenant="a\u200bcme")], id="an invisible character"),
    pytest.param("contracts", [ACME._replace(plan="x" * 257)], id="a long plan"),
    pytest.param("contracts", [ACME._replace(monthly_revenue_nanousd=-1)], id="a negative price"),
    pytest.param("contracts", [ACME._replace(monthly_revenue_nanousd=2**63)], id="more than an integer holds"),
    pytest.param("contracts", [ACME._replace(valid_from="2026-02-30")], id="no day"),
    pytest.param("contracts", [ACME._replace(valid_from="20260101")], id="a day in another form"),
    pytest.param("contracts", [ACME._replace(valid_until="2026-01-01")], id="ends when it begins"),
    pytest.param("contracts", [ACME, ACME_LATER._replace(valid_from="2026-07-31")], id="overlap"),
    pytest.param("contracts", [ACME, ACME], id="twice the same"),
    pytest.param("plans", [PlanRow("team", 1), PlanRow("team", 2)], id="two prices"),
    pytest.param("plans", [PlanRow("team", 1, "soon")], id="no day of a plan"),
    pytest.param("invoice", bill(), id="no lines"),
    pytest.param("invoice", bill(COST, USED), id="dollars and tokens"),
    pytest.param("invoice", bill(COST, COST), id="a line twice"),
    pytest.param("invoice", bill(COST, month="2026-13"), id="no month"),
    pytest.param("invoice", bill(COST, month="2026-09"), id="another month"),
    pytest.param("invoice", bill(USED._replace(output_tokens=-1)), id="negative tokens"),
    pytest.param("invoice", bill(USED._replace(output_tokens=None)), id="tokens of one class only"),
    pytest.param("invoice", bill(COST._replace(cost_nanousd=2**63 - 1), COST._replace(item="")), id="too large a sum"),
    pytest.param("invoice", bill(COST, provider=""), id="no provider"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given"), BAD)
def test_what_is_not_as_it_should_be_is_refused(ledger: Ledger, path: Path, kind: str, given: Any) -> None:
    """A ValueError, and nothing is written."""
    with pytest.raises(ValueError, match="expected"):
        getattr(ledger.intake, kind)(given, ONE)
    assert rows(path, "SELECT count(*) FROM imports") == [(0,)]


def test_an_import_that_fails_half_way_is_not_there(ledger: Ledger, path: Path) -> None:
    """One transaction: neither the import's row nor those before the one that failed."""
    change(
        path,
        "CREATE TRIGGER full BEFORE INSERT ON contracts WHEN NEW.tenant = 'globex' BEGIN SELECT raise(ABORT, 'full'); END",
    )
    with pytest.raises(LedgerError):
        ledger.intake.contracts([ACME, GLOBEX], ONE)
    assert rows(path, "SELECT (SELECT count(*) FROM imports), (SELECT count(*) FROM contracts)") == [(0, 0)]
    change(path, "DROP TRIGGER full")
    assert ledger.intake.contracts([ACME, GLOBEX], ONE) == (1, True, None, 2)


def test_a_locked_ledger_is_said_to_be_busy(ledger: Ledger, path: Path) -> None:
    """Another process keeps the lock for longer than anybody waits: nothing is written, and later it works."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy):
        ledger.intake.contracts([ACME], ONE)
    other.rollback()
    other.close()
    assert ledger.contracts() == []
    assert ledger.intake.contracts([ACME], ONE).is_new


def test_imports_at_once_are_versions_one_after_the_other(ledger: Ledger) -> None:
    """Eight threads, eight lists: the last one counts, and says which one it took the place of."""
    lists = [ACME._replace(monthly_revenue_nanousd=cents) for cents in range(8)]

    def bring(row: ContractRow) -> tuple[int, int | None, ContractRow]:
        file = ImportedFile("c.csv", f"{row.monthly_revenue_nanousd:064x}")
        done = ledger.intake.contracts([row], [file])
        return done.import_id, done.replaced, row

    with ThreadPoolExecutor(8) as pool:
        done = sorted(pool.map(bring, lists))
    assert [(new, old) for new, old, _ in done] == [(1, None), *((n, n - 1) for n in range(2, 9))]
    assert ledger.contracts() == [done[-1][2]]


@pytest.mark.parametrize("table", ["imports", "contracts", "plans", "invoices", "invoice_lines"])
def test_nothing_that_was_brought_in_is_changed(ledger: Ledger, path: Path, table: str) -> None:
    """The database itself refuses, whoever asks."""
    ledger.intake.contracts([ACME], ONE)
    ledger.intake.plans([PlanRow("team", 1)], ONE)
    ledger.intake.invoice(bill(COST), ONE)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET import_id = 9"):
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
            change(path, statement)


FREE = ("PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON")
TAMPERED: list[Any] = [
    pytest.param("contracts", "DELETE FROM contracts WHERE tenant = 'globex'", "says 2 rows of contracts, there are 1", id="a row is gone"),
    pytest.param("contracts", "UPDATE contracts SET import_id = 2 WHERE tenant = 'globex'", "is of plans, but 1 rows of other kinds", id="a row of another import"),
    pytest.param("contracts", "UPDATE contracts SET import_id = 9 WHERE tenant = 'globex'", "refers to a row of imports that does not exist", id="a row of none"),
    pytest.param("contracts", "UPDATE contracts SET tenant = 'acme' WHERE tenant = 'globex'", "overlaps with the one from 2026-03-15", id="an overlap"),
    pytest.param("invoice_lines", "UPDATE invoice_lines SET cost_nanousd = 1 WHERE item = 'credit'", "says 1000000000 nanousd in 3 lines, its rows add up to 1500000001 in 3", id="a sum"),
    pytest.param("invoice_lines", "UPDATE invoice_lines SET day = '2026-09-01' WHERE item = 'credit'", "has 1 rows of another unit or month", id="a day"),
    pytest.param("invoices", "UPDATE invoices SET provider = 'mistral'", "is imported as 'invoice openai 2026-08 nanousd', expected 'invoice mistral 2026-08 nanousd'", id="whose it is"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "statement", "message"), TAMPERED)
def test_verify_finds_what_was_changed(
    ledger: Ledger, path: Path, table: str, statement: str, message: str
) -> None:
    """Each kind of tampering, behind the triggers' back."""
    ledger.intake.contracts([ACME, GLOBEX], ONE)
    ledger.intake.plans([PlanRow("team", 1)], ONE)
    ledger.intake.invoice(bill(COST, CREDIT), ONE)
    ledger.close()
    change(
        path, *FREE, f"DROP TRIGGER {table}_refuse_update", f"DROP TRIGGER {table}_refuse_delete", statement
    )
    with Ledger.open_readonly(path) as reader:
        found = [f"{problem.subject} {problem.message}" for problem in reader.verify()]
    assert any(message in text for text in found), found


LISTS = st.lists(st.sampled_from([ACME, GLOBEX, ACME_LATER]), min_size=1, max_size=3, unique=True)


@settings(max_examples=25, deadline=None)
@given(brought=st.lists(LISTS, min_size=1, max_size=6))
def test_whatever_is_brought_in_the_last_list_counts(brought: list[list[ContractRow]]) -> None:
    """Any order of lists: what is read is the last one, and equal ones in a row are one version."""
    with Ledger.open(":memory:") as ledger:
        for number, contracts in enumerate(brought):
            file = ImportedFile(f"{number}.csv", f"{hash(frozenset(contracts)):x}")
            ledger.intake.contracts(contracts, [file])
        assert set(ledger.contracts()) == set(brought[-1])
        changes = [key for key, _ in groupby(brought, key=frozenset)]
        assert len(ledger.imports()) == len(changes)
        assert ledger.verify() == []
