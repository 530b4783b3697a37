"""What every report is: a tidy frame, what its columns mean, totals that its rows add up to, and what to make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from spendgraph.money import format_usd
from spendgraph_reports.errors import FootingError
from spendgraph_reports.months import named

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

Kind = Literal["text", "money", "count", "ratio", "share", "change", "day", "time", "flag"]
"""What a column holds.

`money` is integer nano-USD (int64, or Int64 where it may be missing) and its name ends in `_nanousd`; `count` is an
integer; `ratio` a plain float; `share` a float of which 1 is everything; `change` a float of which 1 is twice as much
as before; `day` ISO text of a day or month; `time` a `datetime64[us, UTC]`; `flag` a bool.
"""


UNNAMED: Final = "(none)"
"""What people read where a tag is empty: who has no name still has a row."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a report.

    Attributes:
        name: As the frame has it.
        kind: What it holds.
        meaning: One sentence for a reader who sees it for the first time.
        adds: Its rows add up to the total of that name.
        label: The heading for people; the name without its unit when not given.
        group: A heading over this column and its neighbours with the same one, where there is room.
    """

    name: str
    kind: Kind
    meaning: str
    adds: bool = False
    label: str = ""
    group: str = ""

    @property
    def heading(self) -> str:
        """The heading for people.

        >>> Column("cost_nanousd", "money", "What it cost.").heading
        'cost'
        """
        return self.label or self.name.removesuffix("_nanousd").replace("_", " ")


def expect_tags(by: Sequence[str]) -> None:
    """Check what a report is to be by.

    Raises:
        ValueError: There is nothing, or something twice.
    """
    if not by or len(set(by)) != len(by):
        raise ValueError(f"expected one or more different tags to report by, found {', '.join(by) or 'none'}")


def tag_column(name: str) -> Column:
    """The column of one tag or dimension."""
    return Column(name, "text", f"The {name.replace('_', ' ')}; empty where none was given.")


@dataclass(frozen=True, slots=True)
class Report:
    """A report over one period.

    Attributes:
        name: As the command line has it.
        title: What it is, for people, with the period's name where it has one.
        period: What it is about.
        frame: One row per subject, sorted as a reader wants them: what matters most comes first.
        columns: The frame's columns, in order.
        totals: Of each column that adds, what the ledger has for the period, asked apart from the rows.
        findings: Sentences that say what the numbers say, the most important one first.
        caveats: Sentences on what is uncertain in them: unattributed, estimated and unpriced spending, pruned steps.
        zone: The time zone of its days and months.
        settings: With what it was made (grouping, thresholds), by name.

    Raises:
        FootingError: The rows do not add up to the totals: such a report is not shown.
    """

    name: str
    title: str
    period: Period
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    totals: Mapping[str, int] = field(default_factory=dict[str, int])
    findings: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    zone: str = "UTC"
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """See that columns and totals are those of the frame."""
        names = [column.name for column in self.columns]
        if list(self.frame.columns) != names:
            raise ValueError(f"expected the columns {names}, found {list(self.frame.columns)}")
        if missing := [
            column.name for column in self.columns if column.adds and column.name not in self.totals
        ]:
            raise ValueError(f"expected a total of {', '.join(missing)}, found none")
        for name, total in self.totals.items():
            found = int(self.frame[name].sum())
            if found != total:
                shown = format_usd if name.endswith("_nanousd") else "{:,}".format
                raise FootingError(
                    f"the rows of the report {self.name} add up to {shown(found)} of {name} for {self.when}, and"
                    f" the ledger says {shown(total)}"
                )

    @property
    def when(self) -> str:
        """The period for people, such as `2026-08 (Europe/Berlin)`."""
        return f"{named(self.period, self.zone)} ({self.zone})"

    def only(self, *names: str) -> Report:
        """The same report with some of its columns, where there is no room for all.

        Raises:
            ValueError: It has no such column.
        """
        there = {column.name: column for column in self.columns}
        if unknown := [name for name in names if name not in there]:
            raise ValueError(
                f"expected columns of the report {self.name} ({', '.join(there)}), found {', '.join(unknown)}"
            )
        return replace(
            self,
            frame=self.frame[list(names)],
            columns=tuple(there[name] for name in names),
            totals={name: total for name, total in self.totals.items() if name in names},
        )

    @property
    def is_empty(self) -> bool:
        """Whether it has no row."""
        return self.frame.empty


def frame_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Rows as a report's frame: the columns in order, each of its kind's type; what a row lacks is missing.

    Args:
        rows: A value under each column's name: integers, floats, text, aware datetimes.
        columns: The report's.

    Raises:
        TypeError: A value is not of its column's kind.
    """
    made: dict[str, pd.Series[Any]] = {}
    for column in columns:
        values = [row.get(column.name) for row in rows]
        whole = all(value is not None for value in values)
        match column.kind:
            case "money" | "count":  # an integer that went through a float would not be exact any more
                if wrong := next(
                    (value for value in values if value is not None and type(value) is not int), None
                ):
                    raise TypeError(f"{column.name}: expected integers, found {wrong!r}")
                dtype = "int64" if whole else "Int64"
            case "ratio" | "share" | "change":
                dtype = "float64"
            case "time":
                dtype = "datetime64[us, UTC]"
            case "flag":
                dtype = "bool" if whole else "boolean"
            case _:
                dtype = "str"
        made[column.name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(made, columns=[column.name for column in columns])


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT or NA."""
    return value is None or type(value).__name__ in {"NAType", "NaTType"} or value != value  # noqa: PLR0124
