"""One statement that asks for room and takes it, for windows that calls ask for together again and again.

Nearly every call finds room in all of its windows, below every limit and threshold. What else there may be (grants,
envelopes, rolling windows, no limit) has to be looked at.
"""

# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger.asks import Want

_ASKED: Final = {"nanousd": "?1", "tokens": "?2", "calls": "?3"}
"""The parameter that says how much is asked for in a unit."""


class AtOnce(NamedTuple):
    """The statement, and its parameters behind the nano-USD, tokens and calls that are asked for."""

    sql: str
    parameters: tuple[int, ...]


def at_once(wants: Sequence[Want], windows: tuple[int, ...]) -> AtOnce | None:
    """The statement for windows, `None` where they have to be looked at.

    It changes as many rows as there are windows, or none where one is too full.
    """
    bounds: list[int] = []
    kinds: list[tuple[str, bool]] = []
    for want in wants:
        if want.limit is None or want.since_us is not None:
            return None
        bounds.append(want.limit)
        if want.notes:  # nobody has to have taken note of less
            bounds.append(want.notes[0] - 1)
        kinds.append((want.unit, bool(want.notes)))
    return AtOnce(_sql(tuple(kinds)), (*windows, *bounds))


@cache
def _sql(kinds: tuple[tuple[str, bool], ...]) -> str:
    """The SQL for windows by their unit, and whether somebody has to take note of what is spent."""
    windows = [f"?{4 + n}" for n in range(len(kinds))]
    bound = 4 + len(kinds)
    fits: list[str] = []
    for window, (unit, is_noted) in zip(windows, kinds, strict=True):
        most = f"?{bound} - {_ASKED[unit]}"
        bound += 1
        if is_noted:
            most = f"min({most}, ?{bound})"
            bound += 1
        fits.append(
            f"NOT EXISTS (SELECT 1 FROM windows WHERE window_id = {window} AND spent_{unit} + held_{unit} > {most})"
        )
    return f"""\
UPDATE windows SET held_nanousd = held_nanousd + ?1, held_tokens = held_tokens + ?2, held_calls = held_calls + ?3
WHERE window_id IN ({", ".join(windows)}) AND {" AND ".join(fits)}"""
