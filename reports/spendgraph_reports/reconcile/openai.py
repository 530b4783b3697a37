"""OpenAI's exports: the dashboard's cost and usage CSV, and the pages of its costs and usage API.

Its input counts include cached tokens, as the ledger's do. `line_item` reads `gpt-5-nano, input_tokens`; an export
that is not grouped by it has none. A day without use is a row without an amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from spendgraph_reports.errors import InputError
from spendgraph_reports.reconcile.lines import Cell, InvoiceLine, Tokens
from spendgraph_reports.reconcile.tables import Table, as_object, read_pages, read_table, results, value_cell

PROVIDER = "openai"
NOT_GROUPED = "(all models)"


def read_openai(text: str, file: str) -> Iterator[InvoiceLine]:
    """The lines of any of OpenAI's exports.

    Raises:
        InputError: It is none of them, or a value is not what it should be.
    """
    if text.lstrip().startswith(("{", "[")):
        return _json(text, file)
    table = read_table(text, file)
    if "amount_value" in table.names:
        return _costs(table)
    if "input_tokens" in table.names:
        return _usage(table)
    raise InputError(
        file, expected="OpenAI's cost export (amount_value) or usage export (input_tokens)",
        found=", ".join(table.names), line=1,
    )  # fmt: skip


def _costs(table: Table) -> Iterator[InvoiceLine]:
    start = "start_time_iso" if "start_time_iso" in table.names else "start_time"
    table.require(start)
    for row in table.cells():
        if not row.has("amount_value"):
            continue
        if "amount_currency" in table.names:
            row.cell("amount_currency").currency()
        cost = row.cell("amount_value").dollars()
        yield _billed(row.cell("line_item"), row.cell(start).day(), cost)


def _usage(table: Table) -> Iterator[InvoiceLine]:
    start = "start_time_iso" if "start_time_iso" in table.names else "start_time"
    table.require(start, "input_tokens")
    for row in table.cells():
        if not row.has("input_tokens") and not row.has("output_tokens"):
            continue
        tokens = _tokens(row.cell(name) for name in _COUNTS)
        yield InvoiceLine(row.cell("model").words() or NOT_GROUPED, row.cell(start).day(), None, tokens)


def _json(text: str, file: str) -> Iterator[InvoiceLine]:
    for path, bucket, result in results(read_pages(text, file), file):
        day = value_cell(file, f"{path}, its bucket's start_time", bucket.get("start_time")).day()
        amount = as_object(result.get("amount"))
        if amount is not None:
            value_cell(file, f"{path}.amount.currency", amount.get("currency")).currency()
            cost = value_cell(file, f"{path}.amount.value", amount.get("value")).dollars()
            yield _billed(value_cell(file, f"{path}.line_item", result.get("line_item")), day, cost)
        elif "input_tokens" in result:
            tokens = _tokens(value_cell(file, f"{path}.{name}", result.get(name)) for name in _COUNTS)
            model = value_cell(file, f"{path}.model", result.get("model")).words() or NOT_GROUPED
            yield InvoiceLine(model, day, None, tokens)
        else:
            raise InputError(file, expected="an amount, or tokens", found=", ".join(result), column=path)


_COUNTS = ("input_tokens", "output_tokens", "input_cached_tokens")


def _tokens(counts: Iterable[Cell]) -> Tokens:
    return Tokens(*(cell.count() for cell in counts))


def _billed(line_item: Cell, day: date, cost_nanousd: int) -> InvoiceLine:
    """The model of `gpt-5-nano, input_tokens`; of a fee (`web search tool calls`) its own words."""
    item = line_item.words()
    return InvoiceLine(item.partition(",")[0].strip() or NOT_GROUPED, day, cost_nanousd, item=item)
