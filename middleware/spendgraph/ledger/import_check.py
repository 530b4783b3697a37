"""`verify` for what finance has brought in: every import is whole, adds up, and says one thing for each day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger.imported import subject_of_invoice

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_TABLES: Final = {"contracts": "contracts", "plans": "plans", "invoice": "invoice_lines"}

_ROWS: Final = " UNION ALL ".join(
    f"SELECT import_id, '{kind}' AS kind, count(*) AS rows FROM {table} GROUP BY import_id"  # noqa: S608 - names are this file's own
    for kind, table in _TABLES.items()
)

_WHOLE: Final = f"""\
SELECT i.import_id, i.kind, i.rows AS said, coalesce(sum(r.rows) FILTER (WHERE r.kind = i.kind), 0) AS found,
  coalesce(sum(r.rows) FILTER (WHERE r.kind <> i.kind), 0) AS others
FROM imports AS i LEFT JOIN ({_ROWS}) AS r ON r.import_id = i.import_id
GROUP BY i.import_id HAVING said <> found OR others > 0"""  # noqa: S608 - as above

_SUMS: Final = """\
SELECT v.import_id, v.provider, v.month, v.unit, v.amount, v.lines, i.kind, i.subject,
  coalesce(sum(CASE v.unit WHEN 'nanousd' THEN l.cost_nanousd ELSE l.input_tokens + l.output_tokens END), 0) AS found,
  coalesce(sum(l.lines), 0) AS found_lines,
  count(*) FILTER (WHERE (l.cost_nanousd IS NULL) <> (v.unit = 'tokens')) AS of_other_unit,
  count(*) FILTER (WHERE l.day <> '' AND substr(l.day, 1, 7) <> v.month) AS of_other_month
FROM invoices AS v JOIN imports AS i ON i.import_id = v.import_id
LEFT JOIN invoice_lines AS l ON l.import_id = v.import_id
GROUP BY v.import_id"""

_OVERLAPS: Final = """\
SELECT a.import_id, a.tenant, a.valid_from AS first, b.valid_from AS second
FROM contracts AS a JOIN contracts AS b
  ON b.import_id = a.import_id AND b.tenant = a.tenant AND b.valid_from > a.valid_from
WHERE a.valid_until = '' OR a.valid_until > b.valid_from"""


def check_imports(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """What is wrong with imports: the row concerned, and how."""
    for import_id, kind, said, found, others in connection.execute(_WHOLE):
        if said != found:
            yield f"import {import_id}", f"says {said} rows of {_TABLES[kind]}, there are {found}"
        if others:
            yield f"import {import_id}", f"is of {kind}, but {others} rows of other kinds belong to it"
    for row in connection.execute(_SUMS):
        subject = f"invoice {row['import_id']} of {row['provider']} {row['month']}"
        if row["amount"] != row["found"] or row["lines"] != row["found_lines"]:
            yield (
                subject,
                f"says {row['amount']} {row['unit']} in {row['lines']} lines, its rows add up to {row['found']} in {row['found_lines']}",
            )
        if row["of_other_unit"] or row["of_other_month"]:
            wrong = row["of_other_unit"] + row["of_other_month"]
            yield subject, f"has {wrong} rows of another unit or month"
        expected = subject_of_invoice(row["provider"], row["month"], row["unit"])
        if (row["kind"], row["subject"]) != ("invoice", expected):
            yield subject, f"is imported as {row['subject']!r}, expected {expected!r}"
    for import_id, tenant, first, second in connection.execute(_OVERLAPS):
        yield (
            f"contract of {tenant} in import {import_id}",
            f"from {first} overlaps with the one from {second}",
        )
