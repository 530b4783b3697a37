"""The imported invoices of a period beside the ledger: how much of each has an owner, and what nobody can explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars, percent
from spendgraph_reports.months import months
from spendgraph_reports.reconcile.compare import GOAL, Reconciliation
from spendgraph_reports.reconcile.imported import reconcile_imported
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

_PARTS: Final = ("invoice", "owned", "unattributed", "residual")

COLUMNS: Final = (
    Column("provider", "text", "Whose invoice."),
    Column("month", "day", "The invoice's month, of UTC days."),
    Column("invoice_nanousd", "money", "What is billed; missing for a usage export.", adds=True),
    Column("owned_nanousd", "money", "Of that, what the ledger has with an owner.", adds=True, label="with an owner"),
    Column("unattributed_nanousd", "money", "What the ledger has without required tags.", adds=True, label="unattributed"),
    Column("residual_nanousd", "money", "What is billed and not in the ledger: nobody's. Below 0 where the ledger has more.", adds=True),
    Column("invoice_tokens", "count", "What a usage export counts; missing for an invoice.", adds=True),
    Column("owned_tokens", "count", "Of those, what the ledger has with an owner.", adds=True, label="tokens with an owner"),
    Column("unattributed_tokens", "count", "What the ledger has without required tags.", adds=True),
    Column("residual_tokens", "count", "What is used and not in the ledger.", adds=True),
    Column("coverage", "share", "The ledger's share of the invoice."),
    Column("without_owner", "share", "The share that has no owner: unattributed, or not in the ledger."),
    Column("is_flagged", "flag", "Whether that is more than 5 percent.", label="above the goal"),
)  # fmt: skip


def invoices(books: Books, period: Period) -> Report:
    """The newest imported invoice of each provider and month, beside what the ledger has of the provider then.

    Args:
        books: The ledger.
        period: Its calendar months are looked at, each whole.

    Returns:
        `COLUMNS`: a provider's month, in dollars, or in tokens where only a usage export was imported. What is owned,
        unattributed and residual adds up to the invoice. Those with most dollars or tokens without an owner come first.

    Raises:
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
    """
    rows = [
        _row(reconcile_imported(books.ledger, provider, month), month)
        for month, _ in months(period, books.zone)
        for provider in sorted({row.provider for row in books.reader.invoices(month=month)})
    ]
    rows.sort(key=lambda row: (-row["without_owner"], row["month"], row["provider"]))
    return Report(
        name="invoices",
        title="Invoices beside the ledger",
        period=period,
        frame=frame_of(rows, COLUMNS),
        columns=COLUMNS,
        totals={
            column.name: sum(row.get(column.name) or 0 for row in rows) for column in COLUMNS if column.adds
        },
        findings=_findings(rows),
        caveats=()
        if not rows
        else ("An invoice's month is of UTC days, whatever the time zone of the report.",),
        zone=books.zone,
    )


def _row(found: Reconciliation, month: str) -> dict[str, Any]:
    parts = (found.invoice, found.ledger - found.unattributed, found.unattributed, found.residual)
    return {
        "provider": found.provider or "",
        "month": month,
        **{f"{name}_{found.unit}": part for name, part in zip(_PARTS, parts, strict=True)},
        "coverage": found.coverage,
        "without_owner": found.unattributed_share or 0.0,
        "is_flagged": found.invoice > 0 and not found.reaches_goal,
    }


def _findings(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    if not rows:
        return ("No invoice of this period was imported: nothing says what went around the meter.",)
    missed = [row for row in rows if row["is_flagged"]]
    goal = percent(GOAL).replace(".0", "")
    many = "1 invoice" if len(rows) == 1 else f"{len(rows)} invoices"
    said = [
        f"{len(missed)} of {many} missed the goal: at most {goal} without an owner."
        if missed
        else f"At most {goal} of what was billed has no owner, on {many}."
    ]
    for row in rows[:3]:
        if row["without_owner"] > 0:
            amount = (
                dollars(row["unattributed_nanousd"] + max(row["residual_nanousd"], 0))
                if row.get("invoice_nanousd") is not None
                else f"{row['unattributed_tokens'] + max(row['residual_tokens'], 0):,} tokens"
            )
            said.append(
                f"{row['provider']} {row['month']}: {amount} without an owner, {percent(row['without_owner'])}."
            )
    return tuple(said)
