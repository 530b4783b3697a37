"""The steps of a period, one row each, as CSV, JSON or Parquet.

CSV and JSON need nothing but the base install: the rows stream from the ledger page by page, in the order of
writing, and memory does not grow with them. Parquet is written by DuckDB in a process of its own.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from spendgraph.clock import iso
from spendgraph.ledger import LedgerReader
from spendgraph_reports.exports.cells import dollars, number, safe
from spendgraph_reports.exports.columns import STEP, Column, parquet_expression
from spendgraph_reports.exports.replacing import replacing
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from collections.abc import Callable

EVERYTHING = Period()


@dataclass(frozen=True, slots=True)
class Exported:
    """What a written file holds.

    Attributes:
        path: The file.
        rows: How many rows, corrections included.
        cost_nanousd: Their cost in all.
    """

    path: Path
    rows: int
    cost_nanousd: int


def export_csv(ledger: str | Path, target: Path, period: Period = EVERYTHING) -> Exported:
    """Write the steps as CSV: UTF-8, a header, empty cells for what is not known, no cell that is a formula.

    Raises:
        ExportError: The file cannot be written.
        LedgerError: It is not a ledger of this version, or cannot be read.
    """
    values_of = itemgetter(*(column.source for column in STEP))
    makers = [(at, _CELLS[column.kind]) for at, column in enumerate(STEP) if column.kind in _CELLS]
    texts = [at for at, column in enumerate(STEP) if column.kind == "text"]
    rows = total = 0
    with replacing(target, ledger) as path, _text(path) as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in STEP])
        for step in _steps(ledger, period):
            row = list(values_of(step))
            for at, make in makers:
                if row[at] is not None:
                    row[at] = make(row[at])
            for at in texts:
                if row[at] and not row[at].isalnum():  # most are empty, or ids
                    row[at] = safe(row[at])
            writer.writerow(row)
            rows += 1
            total += step["cost_nanousd"]
    return Exported(target, rows, total)


def export_json(ledger: str | Path, target: Path, period: Period = EVERYTHING) -> Exported:
    """Write the steps as one JSON document: the period, `steps`, one a line, and their number and cost.

    Dollars are strings, exact; `_nanousd` are whole numbers; `extra` is an object.

    Raises:
        ExportError: The file cannot be written.
        LedgerError: It is not a ledger of this version, or cannot be read.
    """
    rows = total = 0
    with replacing(target, ledger) as path, _text(path) as file:
        head = json.dumps({"since": period.since, "until": period.until})
        file.write(f'{head[:-1]}, "steps": [')
        for step in _steps(ledger, period):
            file.write(",\n" if rows else "\n")
            file.write(
                json.dumps({column.name: _json_value(column, step) for column in STEP}, ensure_ascii=False)
            )
            rows += 1
            total += step["cost_nanousd"]
        foot = {"rows": rows, "cost_usd": dollars(total), "cost_nanousd": total}
        file.write(f"\n], {json.dumps(foot)[1:]}\n")
    return Exported(target, rows, total)


def export_parquet(ledger: str | Path, target: Path, period: Period = EVERYTHING) -> Exported:
    """Write the steps as Parquet: `cost_usd` is DECIMAL(19, 9), times are UTC timestamps, the order is any.

    Raises:
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        QueryError: DuckDB failed.
        ExportError: The file cannot be written.
        LedgerError: It is not a ledger in a file, or not of this version.
    """
    from spendgraph_reports.engine import Question, copy_to_parquet

    question = Question(
        f"SELECT {', '.join(parquet_expression(column) for column in STEP)}"  # noqa: S608 - our own columns
        " FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id"
        " WHERE (getvariable('since') IS NULL OR s.started_us >= getvariable('since'))"
        " AND (getvariable('until') IS NULL OR s.started_us < getvariable('until'))",
        {"since": period.since_us, "until": period.until_us},
    )
    with replacing(target, ledger) as path:
        copied = copy_to_parquet(ledger, question, path)
    return Exported(target, copied.rows, copied.cost_nanousd)


def _steps(ledger: str | Path, period: Period) -> Iterator[dict[str, Any]]:
    with LedgerReader.at(ledger) as reader:
        yield from reader.steps(since=period.since_us, until=period.until_us)


@contextmanager
def _text(path: Path) -> Generator[TextIO]:
    # A tag may hold half of a surrogate pair, which is no UTF-8: it is escaped rather than lost with the whole export.
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        yield file


def _json_value(column: Column, step: dict[str, Any]) -> object:
    value = step[column.source]
    if column.source == "extra":
        return json.loads(value)
    if value is None or column.kind in {"text", "integer", "real"}:
        return value
    return dollars(value) if column.kind == "dollars" else iso(value)


_CELLS: dict[str, Callable[[Any], object]] = {"real": number, "dollars": dollars, "time": iso}
