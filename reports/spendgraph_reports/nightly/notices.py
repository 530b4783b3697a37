"""What people are told of a night's variance: each flag of a budget's row, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from spendgraph_reports.budgeting.flags import ACTIONS, Flag, amount

if TYPE_CHECKING:
    from spendgraph_reports.budgeting.actuals import Actual
    from spendgraph_reports.budgeting.variance import Judged

_SEVERITIES: Final[dict[Flag, Literal["info", "warning", "critical"]]] = {
    "over": "critical",
    "ahead": "warning",
    "near": "warning",
    "refused": "warning",
    "raised": "info",
}
"""Of the others it is `info`: they are about the budget, whichever of its windows is the fullest that night."""


class Notice(NamedTuple):
    """The fields of an alert, of which equal `kind`, `about`, `scope`, window, `limit` and `key` are told once, for ever."""

    kind: str
    about: str
    title: str
    message: str
    to: tuple[str, ...]
    severity: Literal["info", "warning", "critical"]
    scope: str
    window_start_us: int | None
    unit: Literal["nanousd", "tokens", "calls"]
    limit: int
    spent: int
    key: tuple[str, ...]


def notices(judged: Iterable[Judged], month: str) -> Iterator[Notice]:
    """What the owners of flagged rows are told; of a budget without an owner nobody is.

    Args:
        judged: The rows of a month.
        month: Its name.
    """
    for row, flags in judged:
        if row.owner:
            yield from (_notice(row, flag, month) for flag in flags)


def _notice(row: Actual, flag: Flag, month: str) -> Notice:
    is_of_window = flag in _SEVERITIES
    whose = f" for {row.scope}" if row.scope else ""
    has_window = row.window not in ("no window", "each call")
    when = row.window if has_window else month
    said = f"{amount(row.spent, row.unit)} of {amount(row.limit + row.granted, row.unit)}{whose} in {when}."
    if flag == "ahead" and row.leads_to is not None:
        said += f" At this pace it will be {amount(row.leads_to, row.unit)}."
    if flag == "refused":
        said += f" Refused: {row.refused:,}."
    return Notice(
        kind="variance",
        about=row.budget,
        title=f"Budget {row.budget} is flagged{whose if is_of_window else ''}: {flag}",
        message=f"{said} {ACTIONS[flag]} Owner: {row.owner}.",
        to=(row.owner,),
        severity=_SEVERITIES.get(flag, "info"),
        scope=row.scope if is_of_window else "",
        window_start_us=row.start_us if is_of_window else None,
        unit=row.unit,
        limit=row.limit,
        spent=row.spent,
        key=(flag, when, month) if is_of_window else (flag, month),
    )
