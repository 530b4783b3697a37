"""One statement takes room in all the windows of a call, or in none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.test_holds import want
from spendgraph.ledger import Ledger, Want
from spendgraph.ledger.at_once import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

AMOUNT = st.integers(0, 3)
COLUMNS = (
    "spent_nanousd",
    "held_nanousd",
    "spent_tokens",
    "held_tokens",
    "spent_calls",
    "held_calls",
)
WINDOW = st.tuples(
    st.sampled_from(["nanousd", "tokens", "calls"]),
    st.integers(0, 9),
    st.lists(st.integers(1, 7), max_size=2, unique=True).map(sorted).map(tuple),
    st.lists(AMOUNT, min_size=6, max_size=6),
)


def has_room(unit: str, limit: int, notes: tuple[int, ...], counters: list[int], asked: int) -> bool:
    """Whether what is spent and held leaves room for more, and nobody has to take note of it."""
    at = ["nanousd", "tokens", "calls"].index(unit) * 2
    taken = counters[at] + counters[at + 1]
    return taken + asked <= limit and not any(taken >= note for note in notes)


@given(windows=st.lists(WINDOW, min_size=1, max_size=5), nanousd=AMOUNT, tokens=AMOUNT)
def test_room_is_taken_in_every_window_or_in_none(windows: list[Any], nanousd: int, tokens: int) -> None:
    """Whatever the windows count, whatever is spent and held there, and whoever has to take note of it."""
    asked = {"nanousd": nanousd, "tokens": tokens, "calls": 1}
    ids = tuple(range(1, len(windows) + 1))
    wants = [
        want(limit, scope=str(n), unit=unit, notes=notes)
        for n, (unit, limit, notes, _) in zip(ids, windows, strict=True)
    ]
    statement = at_once(wants, ids)
    assert statement is not None

    def take(execute: Callable[..., Any]) -> tuple[int, list[list[int]]]:
        for n, (_, _, _, counters) in zip(ids, windows, strict=True):
            values = ", ".join("?" * 7)
            columns = ", ".join(COLUMNS)
            row = (n, *counters)
            insert = f"INSERT INTO windows (budget, scope, start_us, window_id, {columns}) VALUES ('cap', '{n}', 0, {values})"
            execute(insert, row)
        taken: int = execute(statement.sql, (nanousd, tokens, 1, *statement.parameters)).rowcount
        left = execute(f"SELECT {', '.join(COLUMNS)} FROM windows ORDER BY window_id").fetchall()
        return taken, [list(row) for row in left]

    with Ledger.open(":memory:") as ledger:
        taken, left = ledger.transact(take)
    before = [counters for *_, counters in windows]
    if all(has_room(unit, limit, notes, each, asked[unit]) for unit, limit, notes, each in windows):
        assert taken == len(windows)
        more = [0, nanousd, 0, tokens, 0, 1]
        assert left == [[had + m for had, m in zip(each, more, strict=True)] for each in before]
    else:
        assert taken == 0
        assert left == before


@pytest.mark.parametrize(
    "special",
    [
        pytest.param(want(None), id="no limit"),
        pytest.param(want(100, since_us=0), id="rolling"),
    ],
)
def test_windows_that_have_to_be_looked_at_have_no_statement(special: Want) -> None:
    """Of a rolling budget several windows count, and where there is no limit nothing is compared."""
    assert at_once([want(100), special], (1, 2)) is None
