"""Lists that finance keeps: what each tenant pays, and what each plan is listed at.

A list is read whole before anything is written. Its columns are known by their names, in any order; others are left
out. Dates are days of whatever calendar a report counts in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from spendgraph.ledger import ContractRow, Imported, ImportedFile, Ledger, PlanRow
from spendgraph.ledger.imported import overlapping
from spendgraph_reports.errors import InputError
from spendgraph_reports.reconcile.lines import Cell
from spendgraph_reports.reconcile.tables import Table, TextFile, read_file, read_table

DecimalMark = Literal[".", ","]

CONTRACTS: Final = ("tenant", "plan", "monthly_revenue_usd", "valid_from", "valid_until")
"""The columns of a list of contracts."""

PLANS: Final = ("plan", "monthly_list_price_usd")
"""The columns of a list of plans; `valid_from` may be there, too."""


def import_contracts(
    ledger: Ledger, path: Path, *, decimal: DecimalMark = ".", day_format: str | None = None, by: str = ""
) -> Imported:
    """Keep the contracts of a file as the newest list; the same file again changes nothing.

    Args:
        ledger: Where they are kept.
        path: A CSV with the columns `tenant`, `plan`, `monthly_revenue_usd`, `valid_from` (the first day) and `valid_until`
            (the first day after it, or nothing).
        decimal: What stands before cents.
        day_format: How dates are written, as strptime has it; else ISO.
        by: Who brings them in.

    Raises:
        InputError: The file does not say what it should; nothing is kept.
        LedgerUnavailable: The ledger cannot be written; nothing is kept.
    """
    file = read_file(path)
    table = _table(file, CONTRACTS, "contract")
    rows: list[ContractRow] = []
    line_of: dict[int, int] = {}
    for row in table.cells():
        since = row.cell("valid_from").plain_date(day_format)
        until = row.cell("valid_until").plain_date(day_format) if row.has("valid_until") else None
        if until is not None and until <= since:
            raise row.cell("valid_until").wrong(f"a day after {since}, when it begins")
        contract = ContractRow(
            row.cell("tenant").name(),
            row.cell("plan").name(),
            _dollars(row.cell("monthly_revenue_usd"), decimal),
            since.isoformat(),
            until.isoformat() if until else "",
        )
        rows.append(contract)
        line_of[id(contract)] = row.line
    if (pair := overlapping(rows)) is not None:
        before, after = pair
        raise InputError(
            file.name,
            expected=f"a contract of {after.tenant!r} that begins when the one in line {line_of[id(before)]} has ended"
            f" ({before.valid_until or 'it has no end'})",
            found=repr(after.valid_from),
            line=line_of[id(after)],
            column="valid_from",
        )
    return ledger.intake.contracts(rows, [_source(file)], by=by)


def import_plans(
    ledger: Ledger, path: Path, *, decimal: DecimalMark = ".", day_format: str | None = None, by: str = ""
) -> Imported:
    """Keep the list prices of a file as the newest list; the same file again changes nothing.

    Args:
        ledger: Where they are kept.
        path: A CSV with the columns `plan`, `monthly_list_price_usd` and, if prices change, `valid_from`.
        decimal: What stands before cents.
        day_format: How dates are written, as strptime has it; else ISO.
        by: Who brings them in.

    Raises:
        InputError: The file does not say what it should; nothing is kept.
        LedgerUnavailable: The ledger cannot be written; nothing is kept.
    """
    file = read_file(path)
    table = _table(file, PLANS, "plan")
    line_of: dict[tuple[str, str], int] = {}
    rows: list[PlanRow] = []
    for row in table.cells():
        since = row.cell("valid_from").plain_date(day_format).isoformat() if row.has("valid_from") else ""
        plan = PlanRow(row.cell("plan").name(), _dollars(row.cell("monthly_list_price_usd"), decimal), since)
        known = line_of.setdefault((plan.plan, since), row.line)
        if known != row.line:
            again = f"the plan once for each valid_from: it is in line {known}, too"
            raise row.cell("plan").wrong(again)
        rows.append(plan)
    return ledger.intake.plans(rows, [_source(file)], by=by)


def _table(file: TextFile, columns: tuple[str, ...], what: str) -> Table:
    table = read_table(file.text, file.name)
    table.require(*columns)
    if not table.rows:
        raise InputError(file.name, expected=f"at least one {what}", found="a header only", line=1)
    return table


def _dollars(cell: Cell, decimal: DecimalMark) -> int:
    amount = cell.dollars(decimal_comma=decimal == ",")
    if amount < 0:
        raise cell.wrong("an amount of at least 0")
    return amount


def _source(file: TextFile) -> ImportedFile:
    return ImportedFile(file.plain_name, file.sha256)
