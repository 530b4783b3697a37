"""What finance has brought in, as rows: lists of contracts and plans, and invoices; each import is a version of one of them.

The newest import of a subject counts, whole; older ones stay. Days are ISO dates, the same in every time zone; an
invoice's are in UTC, as its provider's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import date

ImportKind = Literal["contracts", "plans", "invoice"]
InvoiceUnit = Literal["nanousd", "tokens"]


class ContractRow(NamedTuple):
    """What a tenant pays a month, from a day to before another.

    Attributes:
        tenant: As the tag of its steps.
        plan: The plan it is on.
        monthly_revenue_nanousd: What it pays for a whole month.
        valid_from: The first day, an ISO date.
        valid_until: The first day after it; empty: it goes on.
    """

    tenant: str
    plan: str
    monthly_revenue_nanousd: int
    valid_from: str
    valid_until: str = ""


class PlanRow(NamedTuple):
    """What a plan is listed at a month, from a day on until the plan's next one.

    Attributes:
        plan: The plan.
        monthly_list_price_nanousd: What a month of it is listed at.
        valid_from: The first day, an ISO date; empty: always.
    """

    plan: str
    monthly_list_price_nanousd: int
    valid_from: str = ""


class InvoiceLineRow(NamedTuple):
    """What an invoice has for a day, a model and an item.

    Attributes:
        day: An ISO date in UTC; empty: the file has months only.
        model: The model, as the invoice names it.
        item: What of it is billed, in the invoice's words, or empty.
        lines: How many lines of the files are added up here.
        cost_nanousd: What is billed; `None` in a usage export.
        input_tokens: All of them, cached ones included; `None`, as the next ones, unless it is a usage export.
        output_tokens: All of them.
        cache_read_tokens: Of the input, what was read from the cache.
        cache_write_5m_tokens: Of the input, what was written to it for five minutes.
        cache_write_1h_tokens: And for an hour.
    """

    day: str
    model: str
    item: str
    lines: int
    cost_nanousd: int | None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None

    @property
    def tokens(self) -> tuple[int | None, ...]:
        """Its counts of tokens, in this order."""
        return (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
        )


class InvoiceRow(NamedTuple):
    """An invoice, or a usage export, of a provider's month.

    Attributes:
        import_id: Its import: `invoice_lines` has its lines.
        provider: As the ledger names it.
        month: Of UTC days, such as `2026-08`.
        form: `openai`, `anthropic` or `csv`.
        unit: What its lines count.
        amount: The sum of its lines, in that unit.
        lines: How many lines of the month the files have.
        outside_lines: How many of other months were left out.
        imported_us: When it was brought in.
        counts: Whether it is the newest of its provider, month and unit.
    """

    import_id: int
    provider: str
    month: str
    form: str
    unit: InvoiceUnit
    amount: int
    lines: int
    outside_lines: int
    imported_us: int
    counts: bool


_NEWEST: Final = "(SELECT max(import_id) FROM imports WHERE subject = ?1)"

_CONTRACTS: Final = f"""\
SELECT {", ".join(ContractRow._fields)} FROM contracts
WHERE import_id = {_NEWEST} AND (?2 IS NULL OR valid_until = '' OR valid_until > ?2) AND (?3 IS NULL OR valid_from < ?3)
ORDER BY tenant, valid_from"""  # noqa: S608 - names are this file's own

_PLANS: Final = f"""\
SELECT {", ".join(PlanRow._fields)} FROM plans AS p
WHERE import_id = {_NEWEST} AND (?2 IS NULL OR valid_from = (
  SELECT max(valid_from) FROM plans AS q WHERE q.import_id = p.import_id AND q.plan = p.plan AND q.valid_from <= ?2
))
ORDER BY plan, valid_from"""  # noqa: S608 - as above

_COUNTS: Final = (
    "i.import_id = (SELECT max(import_id) FROM imports AS n WHERE n.subject = i.subject) AS counts"
)

_INVOICES: Final = f"""\
SELECT v.import_id, v.provider, v.month, v.form, v.unit, v.amount, v.lines, v.outside_lines, i.imported_us, {_COUNTS}
FROM invoices AS v JOIN imports AS i ON i.import_id = v.import_id
WHERE (?1 IS NULL OR v.provider = ?1) AND (?2 IS NULL OR v.month = ?2) AND (?3 OR counts)
ORDER BY v.month, v.provider, v.unit, v.import_id"""  # noqa: S608 - as above

_LINES: Final = f"""\
SELECT {", ".join(InvoiceLineRow._fields)} FROM invoice_lines WHERE import_id = ? ORDER BY day, model, item"""  # noqa: S608 - as above


def overlapping(rows: Sequence[ContractRow]) -> tuple[ContractRow, ContractRow] | None:
    """Two contracts of one tenant that hold on the same day, the one that begins first before the other."""
    for before, after in pairwise(sorted(rows, key=lambda row: (row.tenant, row.valid_from))):
        if before.tenant == after.tenant and (
            not before.valid_until or before.valid_until > after.valid_from
        ):
            return before, after
    return None


def subject_of_invoice(provider: str, month: str, unit: InvoiceUnit) -> str:
    """What an invoice is a version of: what a provider bills for a month and what it counts in it are two things."""
    return f"invoice {provider} {month} {unit}"


def read_contracts(
    connection: sqlite3.Connection, since: date | None = None, until: date | None = None
) -> list[ContractRow]:
    """The contracts of the newest list that hold on a day of a period, by tenant and day."""
    days = (None if since is None else since.isoformat(), None if until is None else until.isoformat())
    return [ContractRow(*row) for row in connection.execute(_CONTRACTS, ("contracts", *days))]


def read_plans(connection: sqlite3.Connection, at: date | None = None) -> list[PlanRow]:
    """The list prices of the newest list; those of a day, or all of them."""
    day = None if at is None else at.isoformat()
    return [PlanRow(*row) for row in connection.execute(_PLANS, ("plans", day))]


def read_invoices(
    connection: sqlite3.Connection, provider: str | None, month: str | None, *, replaced: bool
) -> list[InvoiceRow]:
    """The invoices that count, or those that a newer one has replaced, too; by month and provider."""
    found = connection.execute(_INVOICES, (provider, month, replaced))
    return [InvoiceRow(*row)._replace(counts=bool(row["counts"])) for row in found]


def read_invoice_lines(connection: sqlite3.Connection, import_id: int) -> list[InvoiceLineRow]:
    """The lines of an import, by day, model and item."""
    return [InvoiceLineRow(*row) for row in connection.execute(_LINES, (import_id,))]


def read_imports(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every import, the newest first, with whether it counts."""
    query = f"SELECT i.*, {_COUNTS} FROM imports AS i ORDER BY i.import_id DESC"  # noqa: S608 - as above
    return [{**row, "counts": bool(row["counts"])} for row in map(dict, connection.execute(query))]
