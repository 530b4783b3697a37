"""Bringing in what finance knows: a whole list or invoice in one transaction, as a new version of it.

What is there stays; the newest version counts. The same files again change nothing.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.ledger.imported import (
    ContractRow,
    ImportKind,
    InvoiceLineRow,
    InvoiceUnit,
    PlanRow,
    overlapping,
    subject_of_invoice,
)
from spendgraph.money import MAX_NANOUSD
from spendgraph.policy.vocabulary import tag_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spendgraph.clock import Clock
    from spendgraph.ledger.statements import Execute

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ImportedFile(NamedTuple):
    """A file that was brought in.

    Attributes:
        name: Its name, without folders.
        sha256: SHA-256 of its bytes, in hex.
    """

    name: str
    sha256: str


class Invoice(NamedTuple):
    """An invoice or a usage export of a provider's month.

    Attributes:
        provider: As the ledger names it.
        month: Of UTC days, such as `2026-08`.
        form: `openai`, `anthropic` or `csv`.
        lines: One for each day, model and item.
        outside_lines: How many lines of other months were left out.
    """

    provider: str
    month: str
    form: str
    lines: Sequence[InvoiceLineRow]
    outside_lines: int = 0

    @property
    def unit(self) -> InvoiceUnit:
        """What its lines count: money where the first one has a cost."""
        return "nanousd" if self.lines and self.lines[0].cost_nanousd is not None else "tokens"

    @property
    def amount(self) -> int:
        """What its lines add up to, in that unit."""
        return sum(
            (line.cost_nanousd or 0) + (line.input_tokens or 0) + (line.output_tokens or 0)
            for line in self.lines
        )


class Imported(NamedTuple):
    """What became of an import.

    Attributes:
        import_id: The version that counts now.
        is_new: Whether it is a new one; else the same files were there already, and nothing was changed.
        replaced: The version that counted before and counts no more, or `None`.
        rows: How many rows it has.
    """

    import_id: int
    is_new: bool
    replaced: int | None
    rows: int


class _Version(NamedTuple):
    """What is to be kept: rows of a table, of an invoice with its own row of `invoices`."""

    kind: ImportKind
    subject: str
    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    invoice: tuple[Any, ...] | None = None


class Intake:
    """Takes in lists and invoices, each in one transaction.

    Args:
        transact: The ledger's `transact`.
        clock: Microseconds UTC.
    """

    def __init__(self, transact: Callable[..., Any], clock: Clock) -> None:
        self._transact = transact
        self._clock = clock

    def contracts(
        self, rows: Sequence[ContractRow], files: Sequence[ImportedFile], *, by: str = ""
    ) -> Imported:
        """Keep a list of contracts as the newest one; it takes the place of the whole list before.

        Args:
            rows: Every contract there is.
            files: Where they stand.
            by: Who brings them in.

        Raises:
            ValueError: There is none, a value is not what it should be, or two contracts of a tenant overlap.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        for row in rows:
            _expect_text("tenant", row.tenant)
            _expect_text("plan", row.plan)
            _expect_amount(row.monthly_revenue_nanousd)
            _expect_day(row.valid_from)
            if row.valid_until:
                _expect_day(row.valid_until)
                if row.valid_until <= row.valid_from:
                    raise ValueError(f"expected a contract that ends after it begins, found {row!r}")
        if (found := overlapping(rows)) is not None:
            raise ValueError(f"expected contracts of a tenant one after the other, found {found!r}")
        return self._keep(
            _Version("contracts", "contracts", "contracts", ContractRow._fields, rows), files, by
        )

    def plans(self, rows: Sequence[PlanRow], files: Sequence[ImportedFile], *, by: str = "") -> Imported:
        """Keep a list of plans and their list prices as the newest one; it takes the place of the whole list before.

        Args:
            rows: Every plan there is.
            files: Where they stand.
            by: Who brings them in.

        Raises:
            ValueError: There is none, a value is not what it should be, or a plan has two prices from one day on.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        for row in rows:
            _expect_text("plan", row.plan)
            _expect_amount(row.monthly_list_price_nanousd)
            if row.valid_from:
                _expect_day(row.valid_from)
        _expect_once((row.plan, row.valid_from) for row in rows)
        return self._keep(_Version("plans", "plans", "plans", PlanRow._fields, rows), files, by)

    def invoice(self, invoice: Invoice, files: Sequence[ImportedFile], *, by: str = "") -> Imported:
        """Keep an invoice as the newest one of its provider and month; one in dollars and one in tokens are two things.

        Args:
            invoice: What it says.
            files: Where it stands.
            by: Who brings it in.

        Raises:
            ValueError: It has no lines, or a value is not what it should be.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        _check(invoice)
        provider, month, form, lines, outside = invoice
        of_files = sum(line.lines for line in lines)
        version = _Version(
            "invoice",
            subject_of_invoice(provider, month, invoice.unit),
            "invoice_lines",
            InvoiceLineRow._fields,
            lines,
            (provider, month, form, invoice.unit, invoice.amount, of_files, outside),
        )
        return self._keep(version, files, by)

    def _keep(self, version: _Version, files: Sequence[ImportedFile], by: str) -> Imported:
        if not version.rows or not files:
            raise ValueError(
                f"expected rows to import as {version.kind} and their files, found {len(version.rows)} rows of"
                f" {len(files)} files"
            )
        if by:
            _expect_text("name of who imports", by)
        source = json.dumps([file._asdict() for file in files])
        now_us = self._clock()

        def act(execute: Execute) -> Imported:
            (newest,) = execute(_NEWEST, (version.subject,)).fetchone()
            if newest is not None and _is_same(execute, newest, version, files):
                return Imported(newest, is_new=False, replaced=None, rows=len(version.rows))
            (import_id,) = execute(_NEXT).fetchone()
            said = (import_id, version.kind, version.subject, source, len(version.rows), now_us, by)
            execute(_IMPORT, said)
            if version.invoice is not None:
                execute(_INVOICE, (import_id, *version.invoice))
            insert = _insert(version)
            for row in version.rows:
                execute(insert, (import_id, *row))
            return Imported(import_id, is_new=True, replaced=newest, rows=len(version.rows))

        kept: Imported = self._transact(act)
        return kept


_NEWEST: Final = "SELECT max(import_id) FROM imports WHERE subject = ?"
_NEXT: Final = "SELECT coalesce(max(import_id), 0) + 1 FROM imports"

_IMPORT: Final = """\
INSERT INTO imports (import_id, kind, subject, files, rows, imported_us, imported_by) VALUES (?, ?, ?, ?, ?, ?, ?)"""

_OF_INVOICE: Final = "provider, month, form, unit, amount, lines, outside_lines"
_INVOICE: Final = f"INSERT INTO invoices (import_id, {_OF_INVOICE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names are this file's own


def _insert(version: _Version) -> str:
    columns = ("import_id", *version.columns)
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {version.table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names are this package's own


def _is_same(execute: Execute, import_id: int, version: _Version, files: Sequence[ImportedFile]) -> bool:
    """Whether an import has the same files, read in the same way."""
    (source,) = execute("SELECT files FROM imports WHERE import_id = ?", (import_id,)).fetchone()
    if sorted(file["sha256"] for file in json.loads(source)) != sorted(file.sha256 for file in files):
        return False
    if version.invoice is not None:
        facts = execute(f"SELECT {_OF_INVOICE} FROM invoices WHERE import_id = ?", (import_id,)).fetchone()  # noqa: S608 - as above
        if tuple(facts) != version.invoice:
            return False
    kept: list[tuple[Any, ...]] = execute(
        f"SELECT {', '.join(version.columns)} FROM {version.table} WHERE import_id = ?",  # noqa: S608 - as above
        (import_id,),
    ).fetchall()
    return set(kept) == set(version.rows)


def _check(invoice: Invoice) -> None:
    """See that an invoice and each of its lines is what it should be."""
    _expect_text("provider", invoice.provider)
    _expect_text("form", invoice.form)
    if not _MONTH.fullmatch(invoice.month):
        raise ValueError(f"expected a month such as 2026-08, found {invoice.month!r}")
    _expect_once((line.day, line.model, line.item) for line in invoice.lines)
    for line in invoice.lines:
        _expect_text("model", line.model)
        if line.item:
            _expect_text("item", line.item)
        if line.day:
            _expect_day(line.day)
            if not line.day.startswith(f"{invoice.month}-"):
                raise ValueError(f"expected a day of {invoice.month}, found {line.day!r}")
        _expect_numbers(line, invoice.unit)
    if abs(invoice.amount) > MAX_NANOUSD:
        raise ValueError(f"expected a sum that a ledger can hold, found {invoice.amount:,} {invoice.unit}")


def _expect_numbers(line: InvoiceLineRow, unit: InvoiceUnit) -> None:
    tokens = [count for count in line.tokens if count is not None]
    if (line.cost_nanousd is None, len(tokens)) != ((False, 0) if unit == "nanousd" else (True, 5)):
        raise ValueError(f"expected lines that all have a cost or all have tokens, found {line!r}")
    if any(not 0 <= count <= MAX_NANOUSD for count in tokens) or abs(line.cost_nanousd or 0) > MAX_NANOUSD:
        raise ValueError(f"expected counts of at least 0 and a cost that a ledger can hold, found {line!r}")


def _expect_text(what: str, text: str) -> None:
    if not text.strip() or tag_text(what, text) != text:
        raise ValueError(f"expected a {what} in Unicode's form NFC, found {text!r}")


def _expect_amount(nanousd: int) -> None:
    if not 0 <= nanousd <= MAX_NANOUSD:
        raise ValueError(f"expected an amount of at least 0 that a ledger can hold, found {nanousd!r}")


def _expect_day(text: str) -> None:
    if not _is_day(text):
        raise ValueError(f"expected a day such as 2026-08-01, found {text!r}")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None


def _expect_once(keys: Iterable[tuple[str, ...]]) -> None:
    seen = set[tuple[str, ...]]()
    for key in keys:
        if key in seen:
            raise ValueError(f"expected {key!r} once, found it again")
        seen.add(key)
