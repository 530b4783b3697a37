"""Anthropic's exports: the Console's cost and usage CSV, and the pages of its cost and usage report API.

Two traps. The API's `amount` is in cents (`"123.45"` is $1.23), the CSV's `cost_usd` in dollars. Input tokens are
reported without those read from or written to the cache; the ledger's input has them all, so they are added up.
The CSV names models for people (`Claude Sonnet 4.5`). The cost report does not hold Priority Tier costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spendgraph_reports.errors import InputError
from spendgraph_reports.reconcile.lines import InvoiceLine, Tokens
from spendgraph_reports.reconcile.tables import Table, as_object, read_pages, read_table, results, value_cell

PROVIDER = "anthropic"
NOT_GROUPED = "(all models)"

_CSV_COUNTS = (
    "usage_input_tokens_no_cache",
    "usage_output_tokens",
    "usage_input_tokens_cache_read",
    "usage_input_tokens_cache_write_5m",
    "usage_input_tokens_cache_write_1h",
)
_JSON_COUNTS = ("uncached_input_tokens", "output_tokens", "cache_read_input_tokens")
_JSON_WRITES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def read_anthropic(text: str, file: str) -> Iterator[InvoiceLine]:
    """The lines of any of Anthropic's exports.

    Raises:
        InputError: It is none of them, or a value is not what it should be.
    """
    if text.lstrip().startswith(("{", "[")):
        return _json(text, file)
    table = read_table(text, file)
    if "cost_usd" in table.names:
        return _costs(table)
    if "usage_output_tokens" in table.names:
        return _usage(table)
    raise InputError(
        file, expected="Anthropic's cost export (cost_usd) or usage export (usage_output_tokens)",
        found=", ".join(table.names), line=1,
    )  # fmt: skip


def _costs(table: Table) -> Iterator[InvoiceLine]:
    table.require("usage_date_utc", "model")
    for row in table.cells():
        kind = row.cell("cost_type").words()
        yield InvoiceLine(
            model=row.cell("model").words() or kind or NOT_GROUPED,
            day=row.cell("usage_date_utc").day(),
            cost_nanousd=row.cell("cost_usd").dollars(),
            item=row.cell("token_type").words() or kind,
        )


def _usage(table: Table) -> Iterator[InvoiceLine]:
    table.require("usage_date_utc", "model_version", *_CSV_COUNTS)
    for row in table.cells():
        tokens = _with_cache(row.cell(name).count() for name in _CSV_COUNTS)
        model = row.cell("model_version").words() or NOT_GROUPED
        yield InvoiceLine(model, row.cell("usage_date_utc").day(), None, tokens)


def _json(text: str, file: str) -> Iterator[InvoiceLine]:
    for path, bucket, result in results(read_pages(text, file), file):
        day = value_cell(file, f"{path}, its bucket's starting_at", bucket.get("starting_at")).day()
        if "amount" in result:
            value_cell(file, f"{path}.currency", result.get("currency", "USD")).currency()
            cost = value_cell(file, f"{path}.amount", result["amount"]).dollars(cents=True)
            words = {
                name: value_cell(file, f"{path}.{name}", result.get(name)).words()
                for name in ("model", "description", "cost_type", "token_type")
            }
            model = words["model"] or words["description"] or words["cost_type"] or NOT_GROUPED
            item = words["description"] or words["token_type"] or words["cost_type"]
            yield InvoiceLine(model, day, cost, item=item)
        elif "output_tokens" in result:
            model = value_cell(file, f"{path}.model", result.get("model")).words() or NOT_GROUPED
            yield InvoiceLine(model, day, None, _tokens(file, path, result))
        else:
            raise InputError(file, expected="an amount, or tokens", found=", ".join(result), column=path)


def _tokens(file: str, path: str, result: dict[str, Any]) -> Tokens:
    written = as_object(result.get("cache_creation")) or {}
    values = {f"{path}.{name}": result.get(name) for name in _JSON_COUNTS}
    values |= {f"{path}.cache_creation.{name}": written.get(name) for name in _JSON_WRITES}
    return _with_cache(value_cell(file, place, value).count() for place, value in values.items())


def _with_cache(counts: Iterable[int]) -> Tokens:
    """What Anthropic counts one beside the other, as the ledger counts: the cache is part of the input."""
    plain, output, read, written_5m, written_1h = counts
    return Tokens(plain + read + written_5m + written_1h, output, read, written_5m, written_1h)
