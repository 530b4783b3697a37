"""Anthropic's exports: the Console's cost and usage CSV, and the pages of its cost and usage report API.

Two traps. The API's `amount` is in cents (`"123.45"` is $1.23), the CSV's `cost_usd` in dollars. Input tokens are
reported without those read from or written to the cache; the ledger's input has them all, so they are added up.
The CSV names models for people (`Claude Sonnet 4.5`). The cost report does not hold Priority Tier costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spendgraph_reports.errors import InvoiceError
from spendgraph_reports.reconcile.lines import InvoiceLine
from spendgraph_reports.reconcile.tables import Table, as_object, read_pages, read_table, results, value_cell

PROVIDER = "anthropic"
NOT_GROUPED = "(all models)"

_CSV_COUNTS = (
    "usage_input_tokens_no_cache",
    "usage_input_tokens_cache_write_5m",
    "usage_input_tokens_cache_write_1h",
    "usage_input_tokens_cache_read",
    "usage_output_tokens",
)
_JSON_COUNTS = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
_JSON_WRITES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def read_anthropic(text: str, file: str) -> Iterator[InvoiceLine]:
    """The lines of any of Anthropic's exports.

    Raises:
        InvoiceError: It is none of them, or a value is not what it should be.
    """
    if text.lstrip().startswith(("{", "[")):
        return _json(text, file)
    table = read_table(text, file)
    if "cost_usd" in table.names:
        return _costs(table)
    if "usage_output_tokens" in table.names:
        return _usage(table)
    raise InvoiceError(
        file, expected="Anthropic's cost export (cost_usd) or usage export (usage_output_tokens)",
        found=", ".join(table.names), line=1,
    )  # fmt: skip


def _costs(table: Table) -> Iterator[InvoiceLine]:
    table.require("usage_date_utc", "model")
    for row in table.cells():
        what = row.cell("model").text.strip() or row.cell("cost_type").text.strip() or NOT_GROUPED
        yield InvoiceLine(what, row.cell("usage_date_utc").day(), row.cell("cost_usd").dollars())


def _usage(table: Table) -> Iterator[InvoiceLine]:
    table.require("usage_date_utc", "model_version", *_CSV_COUNTS)
    for row in table.cells():
        tokens = sum(row.cell(name).count() for name in _CSV_COUNTS)
        model = row.cell("model_version").text.strip() or NOT_GROUPED
        yield InvoiceLine(model, row.cell("usage_date_utc").day(), None, tokens)


def _json(text: str, file: str) -> Iterator[InvoiceLine]:
    for path, bucket, result in results(read_pages(text, file), file):
        day = value_cell(file, f"{path}, its bucket's starting_at", bucket.get("starting_at")).day()
        if "amount" in result:
            value_cell(file, f"{path}.currency", result.get("currency", "USD")).currency()
            cost = value_cell(file, f"{path}.amount", result["amount"]).dollars(cents=True)
            what = result.get("model") or result.get("description") or result.get("cost_type") or NOT_GROUPED
            yield InvoiceLine(str(what), day, cost)
        elif "output_tokens" in result:
            yield InvoiceLine(str(result.get("model") or NOT_GROUPED), day, None, _tokens(file, path, result))
        else:
            raise InvoiceError(file, expected="an amount, or tokens", found=", ".join(result), column=path)


def _tokens(file: str, path: str, result: dict[str, Any]) -> int:
    written = as_object(result.get("cache_creation")) or {}
    return sum(value_cell(file, f"{path}.{name}", result.get(name)).count() for name in _JSON_COUNTS) + sum(
        value_cell(file, f"{path}.cache_creation.{name}", written.get(name)).count() for name in _JSON_WRITES
    )
