"""The windows of budgets and what stands in them: found, opened and read in a transaction that somebody else begins."""

# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from spendgraph.ledger.asks import Want
    from spendgraph.ledger.known import KnownWindows
    from spendgraph.ledger.statements import Execute

_FIND: Final = "SELECT window_id FROM windows WHERE budget = ? AND scope = ? AND start_us = ?"

_OPEN: Final = """\
INSERT INTO windows (budget, scope, start_us, end_us) VALUES (?, ?, ?, ?)
ON CONFLICT (budget, scope, start_us) DO NOTHING"""

_ROLLED: Final = """\
SELECT 0, coalesce(sum(spent_nanousd), 0), coalesce(sum(held_nanousd), 0), coalesce(sum(spent_tokens), 0),
  coalesce(sum(held_tokens), 0), coalesce(sum(spent_calls), 0), coalesce(sum(held_calls), 0)
FROM windows WHERE budget = ? AND scope = ? AND start_us >= ?"""

_AT: Final = {"nanousd": 1, "tokens": 3, "calls": 5}
"""Where a row of counters has what is spent in a unit; what is held comes next."""


class Statements(NamedTuple):
    """The SQL of a call that counts in so many windows: few statements, however many windows.

    sqlite3 releases the interpreter's lock around each, and a thread beside a busy one waits milliseconds to get
    it back.
    """

    counters: str
    take: str
    settle: str


@cache
def statements(windows: int) -> Statements:
    """The SQL of a call that counts in so many windows."""
    ids = ", ".join("?" * windows)
    return Statements(
        f"""\
SELECT window_id, spent_nanousd, held_nanousd, spent_tokens, held_tokens, spent_calls, held_calls
FROM windows WHERE window_id IN ({ids})""",
        f"""\
UPDATE windows SET held_nanousd = held_nanousd + ?, held_tokens = held_tokens + ?, held_calls = held_calls + ?
WHERE window_id IN ({ids})""",
        f"""\
UPDATE windows SET
  spent_nanousd = spent_nanousd + ?, spent_tokens = spent_tokens + ?, spent_calls = spent_calls + ?,
  held_nanousd = held_nanousd - ?, held_tokens = held_tokens - ?, held_calls = held_calls - ?
WHERE window_id IN ({ids})""",
    )


def standing(execute: Execute, want: Want, row: Sequence[int]) -> tuple[int, int]:
    """What is spent and held in a window, in its unit; of a rolling budget, in all windows that still count.

    Args:
        execute: Executes a statement of the transaction.
        want: The window.
        row: Its counters, as `Statements.counters` selects them.
    """
    if want.since_us is not None:
        row = execute(_ROLLED, (want.budget, want.scope, want.since_us)).fetchone()
    at = _AT[want.unit]
    return row[at], row[at + 1]


def open_windows(
    execute: Execute, wants: tuple[Want, ...], known: KnownWindows
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The ids of windows, which are opened if nobody has asked for them yet, and their counters."""
    together = known.all_of(wants)
    if together is None:
        windows = tuple(known.one(want) or window_id(execute, want) for want in wants)
    else:
        windows = together.windows
    sql = statements(len(windows)).counters
    counters = {row[0]: row for row in execute(sql, windows)}
    if len(counters) < len(windows):  # somebody has pruned what was known
        windows = tuple(window_id(execute, want) for want in wants)
        counters = {row[0]: row for row in execute(sql, windows)}
    return windows, [counters[window_id] for window_id in windows]


def window_id(execute: Execute, want: Sequence[Any]) -> int:
    """The id of a window by budget, scope, start and end; it is opened if nobody has asked for it yet."""
    found = execute(_FIND, want[:3]).fetchone()
    if found is None:
        execute(_OPEN, want[:4])
        found = execute(_FIND, want[:3]).fetchone()
    window_id: int = found[0]
    return window_id
