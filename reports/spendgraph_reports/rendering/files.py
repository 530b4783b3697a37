"""A report as a file for programs: exact dollars beside integers, text that is no formula, columns explained."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.clock import iso, to_us
from spendgraph_reports.errors import ReportsUnavailable
from spendgraph_reports.exports.cells import dollars, number, safe
from spendgraph_reports.exports.replacing import replacing
from spendgraph_reports.report import is_missing

if TYPE_CHECKING:
    from spendgraph_reports.report import Report

_STORED: Final = {"money": "BIGINT", "count": "BIGINT", "flag": "BOOLEAN"} | dict.fromkeys(
    ("ratio", "share", "change"), "DOUBLE"
)


class _Field(NamedTuple):
    """A column of a file. Money is two: exact dollars as text (`dollars`), and the integer."""

    name: str
    kind: str
    meaning: str


def to_csv(report: Report, target: Path, ledger: str | Path) -> None:
    """Write the rows as CSV: UTF-8, a header; of money the exact dollars and the integer nano-USD.

    Raises:
        ExportError: The file cannot be written.
    """
    fields = _fields(report)
    with (
        replacing(target, ledger) as path,
        path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields])
        for row in _rows(report):
            writer.writerow([_csv_cell(field.kind, cell) for field, cell in zip(fields, row, strict=True)])


def document(report: Report) -> dict[str, Any]:
    """The report as JSON values: what it is, what its columns mean, rows, totals, findings and caveats."""
    fields = _fields(report)
    names = [field.name for field in fields]
    return {
        "report": report.name,
        "title": report.title,
        "since": report.period.since,
        "until": report.period.until,
        "timezone": report.zone,
        "settings": dict(report.settings),
        "columns": [field._asdict() for field in fields],
        "rows": [dict(zip(names, row, strict=True)) for row in _rows(report)],
        "totals": dict(report.totals),
        "findings": list(report.findings),
        "caveats": list(report.caveats),
    }


def to_json(report: Report, target: Path, ledger: str | Path) -> None:
    """Write the report as one JSON document; see `document`.

    Raises:
        ExportError: The file cannot be written.
    """
    text = json.dumps(document(report), indent=1, ensure_ascii=False) + "\n"
    with replacing(target, ledger) as path:
        path.write_bytes(text.encode("utf-8", errors="backslashreplace"))


def to_parquet(report: Report, target: Path, ledger: str | Path) -> None:
    """Write the rows as Parquet: dollars are DECIMAL(38, 9), money BIGINT, times UTC timestamps.

    Raises:
        ReportsUnavailable: DuckDB is not installed.
        ExportError: The file cannot be written.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ReportsUnavailable("this needs DuckDB: pip install 'spendgraph[reports]'") from error
    fields = _fields(report)
    types = ", ".join(f"{_quoted(field.name)}: '{_STORED.get(field.kind, 'VARCHAR')}'" for field in fields)
    with (
        replacing(target, ledger) as path,
        tempfile.TemporaryDirectory(prefix="spendgraph-") as folder,
        duckdb.connect(config={"temp_directory": folder}) as connection,
    ):
        # Through a file of JSON: the types are those said here, not what DuckDB makes of a frame's objects.
        rows = Path(folder, "rows.json")
        names = [field.name for field in fields]
        rows.write_text(
            "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in _rows(report))
        )
        connection.execute(
            f"COPY (SELECT {', '.join(map(_selected, fields))} FROM read_json({_quoted(str(rows))},"  # noqa: S608 - our own columns
            f" format = 'newline_delimited', columns = {{{types}}}))"
            f" TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
        )


def _fields(report: Report) -> list[_Field]:
    found: list[_Field] = []
    for column in report.columns:
        if column.kind == "money":
            name = f"{column.name.removesuffix('_nanousd')}_usd"
            found.append(_Field(name, "dollars", f"{column.meaning} In US dollars, exactly."))
        found.append(_Field(column.name, column.kind, column.meaning))
    return found


def _rows(report: Report) -> list[list[Any]]:
    """Every row as JSON values: whole numbers, floats, exact dollars as text, times as ISO text."""
    columns: list[list[Any]] = []
    for column in report.columns:
        values = [_value(column.kind, value) for value in report.frame[column.name].tolist()]
        if column.kind == "money":
            columns.append([None if value is None else dollars(value) for value in values])
        columns.append(values)
    return [list(row) for row in zip(*columns, strict=True)]


def _value(kind: str, value: Any) -> Any:
    if is_missing(value):
        return None
    match kind:
        case "money" | "count":
            return int(value)
        case "ratio" | "share" | "change":
            number_ = float(value)
            return number_ if abs(number_) < float("inf") else None  # JSON knows no infinity
        case "flag":
            return bool(value)
        case "time":
            return iso(to_us(value.to_pydatetime()))
        case _:
            return str(value)


def _csv_cell(kind: str, cell: Any) -> str:
    if cell is None:
        return ""
    match kind:
        case "text" | "day":
            return safe(cell)
        case "ratio" | "share" | "change":
            return number(cell)
        case "flag":
            return "true" if cell else "false"
        case _:
            return str(cell)


def _selected(field: _Field) -> str:
    name = '"' + field.name.replace('"', '""') + '"'
    if field.kind == "dollars":
        return f"{name}::DECIMAL(38, 9) AS {name}"
    return f"{name}::TIMESTAMPTZ AS {name}" if field.kind == "time" else name


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
