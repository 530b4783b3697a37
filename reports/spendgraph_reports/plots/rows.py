"""The rows of a report as a plot takes them: a name and integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph_reports.report import UNNAMED, is_missing

if TYPE_CHECKING:
    from spendgraph_reports.report import Report


def names_of(report: Report) -> list[str]:
    """What each row is about: its texts, or who has no name."""
    texts = [
        report.frame[column.name].tolist() for column in report.columns if column.kind in {"text", "day"}
    ]
    return [", ".join(str(text) or UNNAMED for text in row) for row in zip(*texts, strict=True)]


def amounts_of(report: Report, column: str) -> list[int]:
    """A column of money, in nano-USD; nothing where nothing is known.

    Raises:
        ValueError: The report has no such column of money.
    """
    if not any(each.name == column and each.kind == "money" for each in report.columns):
        money = ", ".join(each.name for each in report.columns if each.kind == "money")
        raise ValueError(f"expected a column of money ({money}), found {column}")
    return [0 if is_missing(value) else int(value) for value in report.frame[column].tolist()]
