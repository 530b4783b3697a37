"""What finance brings in: contracts, list prices and invoices, each import a version that stays."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger.migrations.ordered import migrations
from spendgraph.ledger.migrations.sql import iso, refuse_changes

if TYPE_CHECKING:
    from sqlite_utils import Database

_DATE: Final = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'"


@migrations()
def m012_create_imports(db: Database) -> None:
    """One row per import, and the rows that came with it; the newest import of a thing counts."""
    db.execute("""\
CREATE TABLE imports (
  import_id INTEGER PRIMARY KEY, -- order of importing
  kind TEXT NOT NULL CHECK (kind IN ('contracts', 'plans', 'invoice')),
  subject TEXT NOT NULL CHECK (subject <> ''), -- what it is a version of: the newest import of a subject counts
  files TEXT NOT NULL CHECK (json_valid(files)), -- names and SHA-256 of the files, a JSON list of objects
  rows INTEGER NOT NULL CHECK (rows > 0), -- how many rows of contracts, plans or invoice_lines came with it
  imported_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  imported_by TEXT NOT NULL -- who brought it in, or empty
) STRICT""")
    db.execute("CREATE INDEX imports_of_subject ON imports (subject, import_id)")
    db.execute(f"""\
CREATE TABLE plans (
  import_id INTEGER NOT NULL REFERENCES imports (import_id),
  plan TEXT NOT NULL CHECK (plan <> ''),
  valid_from TEXT NOT NULL CHECK (valid_from = '' OR valid_from GLOB {_DATE}), -- ISO date from which it is listed; empty: always
  monthly_list_price_nanousd INTEGER NOT NULL CHECK (monthly_list_price_nanousd >= 0),
  PRIMARY KEY (import_id, plan, valid_from)
) STRICT, WITHOUT ROWID""")
    db.execute(f"""\
CREATE TABLE contracts (
  import_id INTEGER NOT NULL REFERENCES imports (import_id),
  tenant TEXT NOT NULL CHECK (tenant <> ''), -- as the tag of steps
  valid_from TEXT NOT NULL CHECK (valid_from GLOB {_DATE}), -- ISO date, the first day
  valid_until TEXT NOT NULL CHECK (valid_until = '' OR (valid_until > valid_from AND valid_until GLOB {_DATE})), -- the first day after it; empty: it goes on
  plan TEXT NOT NULL CHECK (plan <> ''),
  monthly_revenue_nanousd INTEGER NOT NULL CHECK (monthly_revenue_nanousd >= 0),
  PRIMARY KEY (import_id, tenant, valid_from)
) STRICT, WITHOUT ROWID""")
    db.execute("""\
CREATE TABLE invoices (
  import_id INTEGER NOT NULL PRIMARY KEY REFERENCES imports (import_id),
  provider TEXT NOT NULL CHECK (provider <> ''), -- as in steps
  month TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'), -- of UTC days, such as 2026-08
  form TEXT NOT NULL CHECK (form <> ''), -- openai, anthropic or csv
  unit TEXT NOT NULL CHECK (unit IN ('nanousd', 'tokens')), -- what its lines count: an invoice or cost export, a usage export
  amount INTEGER NOT NULL, -- the sum of its lines, in unit
  lines INTEGER NOT NULL CHECK (lines > 0), -- of the month in the files
  outside_lines INTEGER NOT NULL CHECK (outside_lines >= 0) -- of other months, left out
) STRICT""")
    db.execute(f"""\
CREATE TABLE invoice_lines (
  import_id INTEGER NOT NULL REFERENCES invoices (import_id),
  day TEXT NOT NULL CHECK (day = '' OR day GLOB {_DATE}), -- ISO date in UTC; empty: the file has months only
  model TEXT NOT NULL, -- as the invoice names it
  item TEXT NOT NULL, -- what of it is billed, in the invoice's words, or empty
  lines INTEGER NOT NULL CHECK (lines > 0), -- of the files that are added up here
  cost_nanousd INTEGER, -- empty in a usage export
  input_tokens INTEGER, -- all of them, cached ones included; empty, as the next ones, unless it is a usage export
  output_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_5m_tokens INTEGER,
  cache_write_1h_tokens INTEGER,
  PRIMARY KEY (import_id, day, model, item),
  CHECK ((cost_nanousd IS NULL) = (input_tokens IS NOT NULL))
) STRICT, WITHOUT ROWID""")
    refuse_changes(db, "imports", "import_id")
    refuse_changes(db, "plans", "import_id", "plan", "valid_from")
    refuse_changes(db, "contracts", "import_id", "tenant", "valid_from")
    refuse_changes(db, "invoices", "import_id")
    refuse_changes(db, "invoice_lines", "import_id", "day", "model", "item")
    db.execute(f"""\
CREATE VIEW import_log AS -- what was brought in; of each subject the newest counts
SELECT
  i.import_id, i.kind, i.subject, {iso("i.imported_us")} AS imported, i.imported_by, i.files, i.rows,
  NOT EXISTS (SELECT 1 FROM imports AS n WHERE n.subject = i.subject AND n.import_id > i.import_id) AS counts
FROM imports AS i""")
