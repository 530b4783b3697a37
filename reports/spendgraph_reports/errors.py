"""The errors of exports, imports and reconciliation: what was expected, what was found, and where."""

from __future__ import annotations

from spendgraph.errors import SpendgraphError


class ExportError(SpendgraphError):
    """A file cannot be written where it was asked for."""


class ReportsUnavailable(SpendgraphError):  # noqa: N818 - as LedgerUnavailable
    """What reports need beside the base install is not there, or does not fit."""


class QueryError(SpendgraphError):
    """A question to the ledger failed in the process that answers it."""


class InputError(SpendgraphError):
    """A file that was brought in, such as an invoice or a list of contracts, does not say what it should.

    Attributes:
        file: The file's name.
        line: 1-based line (of JSON only where it cannot be parsed at all), or 0 when the file as a whole is at fault.
        column: The column, or in JSON the path of the value, such as `data[3].results[0].amount`; may be empty.
        expected: What should stand there.
        found: What stands there.
    """

    def __init__(self, file: str, *, expected: str, found: str, line: int = 0, column: str = "") -> None:
        where = f"{file}:{line}" if line else file
        place = f"column {column!r}: " if column and line else (f"{column}: " if column else "")
        super().__init__(f"{where}: {place}expected {expected}, found {found}")
        self.file = file
        self.line = line
        self.column = column
        self.expected = expected
        self.found = found


class FootingError(SpendgraphError):
    """The rows of a report do not add up to what the ledger says."""


class NotImported(SpendgraphError):  # noqa: N818 - as LedgerUnavailable
    """What a report needs from finance, such as an invoice, was not imported."""


class NotebookError(SpendgraphError):
    """A notebook is not there, or a cell of it failed."""
