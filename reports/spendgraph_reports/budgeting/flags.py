"""What is wrong with a budget's row, and what somebody has to do about it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from spendgraph.money import format_amount
from spendgraph_reports.amounts import counted, dollars

if TYPE_CHECKING:
    from spendgraph_reports.budgeting.actuals import Actual

Flag = Literal["over", "ahead", "near", "raised", "refused", "unused", "no owner", "unsigned"]

FLAGS: Final[tuple[Flag, ...]] = (
    "over", "ahead", "near", "raised", "refused", "unused", "no owner", "unsigned",
)  # fmt: skip
"""The worst first."""

NEAR: Final = 80
"""From so many percent of the limit on a window is nearly full."""

UNUSED: Final = 10
"""Less than so many percent of the limit is hardly used."""

ACTIONS: Final[dict[Flag, str]] = {
    "over": "Decide: raise the limit, or cut what spends it (`spendgraph report showback` says what does).",
    "ahead": "Slow it down, or agree to a higher limit before calls are refused.",
    "near": "Nearly full: make calls cheaper, or agree to a higher limit before calls are refused.",
    "raised": "If the room that was granted is needed every time, make it the limit.",
    "refused": "Ask who was refused (the ledger's `decision_log`): stop that work, or give it room.",
    "unused": "Lower the limit to what is needed, or drop the budget.",
    "no owner": "Name an owner in the policy: nobody is told, nobody decides.",
    "unsigned": "Have somebody sign it off (`signed_off` in the policy).",
}
"""What to do about each."""


def flags_of(row: Actual, *, first: bool, whole: bool) -> tuple[Flag, ...]:
    """What is wrong with a row, the worst first.

    Args:
        row: The row.
        first: It is the first row of its budget, which stands for what is wrong with the budget itself.
        whole: The period is over, so that what was not used will not be.
    """
    room = row.limit + row.granted
    is_over = row.windows_over > 0 or row.over > 0
    found: dict[Flag, bool] = {
        "over": is_over,
        "ahead": not is_over and row.leads_to is not None and row.leads_to > room and row.spent * 10 >= room,
        "near": not is_over and room > 0 and row.spent * 100 >= room * NEAR,
        "raised": not is_over and row.spent > row.limit,
        "refused": row.refused > 0,
        "unused": first and whole and _is_hardly_used(row),
        "no owner": first and not row.owner,
        "unsigned": first and not row.signed_off_by,
    }
    return tuple(flag for flag in FLAGS if found[flag])


def action(row: Actual, flags: Sequence[Flag]) -> str:
    """What has to be done about a row, what is worst first."""
    said = [ACTIONS[flag] for flag in flags]
    if row.windows > 1 and "over" in flags:
        said[0] = f"{counted(row.windows_over, 'window')} of {row.windows:,} went over. {said[0]}"
    return " ".join(said)


def amount(count: int, unit: str) -> str:
    """An amount for people: dollars to the cent, or tokens, or calls."""
    return dollars(count) if unit == "nanousd" else format_amount(count, unit)


def _is_hardly_used(row: Actual) -> bool:
    """Of counters of everybody none says that, and of a limit of 0 nothing may be used."""
    return (
        not row.scope and row.limit > 0 and row.window != "each call" and row.spent * 100 < row.limit * UNUSED
    )
