"""Any CSV with a column for the cost: which column is what is said by options or by a YAML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spendgraph_reports.errors import InputError
from spendgraph_reports.reconcile.lines import InvoiceLine
from spendgraph_reports.reconcile.tables import as_object, read_table, read_text


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column of a CSV is what.

    Attributes:
        cost: The column of the amount in US dollars.
        day: The column of the day; without it the whole file is of the month that is reconciled.
        model: The column of the model, or of what else is billed.
        currency: A column that has to say USD.
        day_format: How days are written, as strptime has it (`%d.%m.%Y`); else ISO.
        delimiter: What stands between columns; else it is found in the header.
        decimal: `.` or `,`.
    """

    cost: str
    day: str | None = None
    model: str | None = None
    currency: str | None = None
    day_format: str | None = None
    delimiter: str | None = None
    decimal: str = "."

    def __post_init__(self) -> None:
        """Refuse what no file can have."""
        if self.decimal not in {".", ","}:
            raise ValueError(f"expected '.' or ',' for decimal, found {self.decimal!r}")
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(f"expected one character for delimiter, found {self.delimiter!r}")

    @classmethod
    def of(cls, values: Mapping[str, str]) -> ColumnMap:
        """From names and values.

        Raises:
            ValueError: A name is unknown, or the cost's column is not named.
        """
        known = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"expected one of {', '.join(known)}, found {unknown[0]!r}")
        if not values.get("cost"):
            raise ValueError("expected the name of the cost's column, such as cost=Amount")
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> ColumnMap:
        """From a YAML file of names and values.

        Raises:
            InputError: It is no such file.
        """
        import yaml

        try:
            document: Any = yaml.load(read_text(path), Loader=yaml.BaseLoader)  # noqa: S506 - strings and lists only
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 0
            raise InputError(
                str(path), expected="YAML", found=str(error).split("\n")[0], line=line
            ) from error
        values = as_object(document)
        if values is None or not all(isinstance(value, str) for value in values.values()):
            raise InputError(
                str(path), expected="names and texts, such as 'cost: Amount'", found=repr(document)[:80]
            )
        try:
            return cls.of(values)
        except ValueError as error:
            raise InputError(str(path), expected="a column map", found=str(error)) from error


def read_mapped(text: str, file: str, columns: ColumnMap) -> Iterator[InvoiceLine]:
    """The lines of a CSV; a row without an amount is none.

    Raises:
        InputError: A column is missing, or a value is not what it should be.
    """
    table = read_table(text, file, delimiter=columns.delimiter)
    table.require(*(name for name in (columns.cost, columns.day, columns.model, columns.currency) if name))
    for row in table.cells():
        if not row.has(columns.cost):
            continue
        if columns.currency:
            row.cell(columns.currency).currency()
        yield InvoiceLine(
            model=(row.cell(columns.model).words() if columns.model else "") or "(not said)",
            day=row.cell(columns.day).day(columns.day_format) if columns.day else None,
            cost_nanousd=row.cell(columns.cost).dollars(decimal_comma=columns.decimal == ","),
        )
