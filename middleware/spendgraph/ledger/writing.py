"""Records become rows, inside a transaction that somebody else begins and commits."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from spendgraph.ledger import envelopes, holds
from spendgraph.ledger.records import EnvelopeRelease, HeldStep, HoldRelease, Record, StepRow, UnheldStep
from spendgraph.ledger.statements import AGAIN, STATEMENTS, STEPS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spendgraph.ledger.statements import Execute


def write(execute: Execute, records: Sequence[Record]) -> None:
    """Write records; of many, first what the steps refer to and then the steps, with few statements."""
    if len(records) > 2:
        records = _write_steps(execute, records)
    for record in records:
        _write(execute, record, STATEMENTS)


def write_again(execute: Execute, records: Iterable[Record]) -> None:
    """Write records that may have been written before."""
    for record in records:
        _write(execute, record, AGAIN)


def _write(execute: Execute, record: Record, statements: dict[type, tuple[str, ...]]) -> None:
    kind = type(record)
    if kind is HeldStep:
        holds.book(execute, record)  # type: ignore[arg-type]
    elif kind is UnheldStep:
        holds.book_unheld(execute, record)  # type: ignore[arg-type]
    elif kind is HoldRelease:
        holds.release(execute, record)  # type: ignore[arg-type]
    elif kind is EnvelopeRelease:
        envelopes.release(execute, record[0])  # type: ignore[arg-type]
    else:
        for sql in statements[kind]:
            # Binding a plain tuple is three times as fast as binding a named one.
            execute(sql, tuple(record))


def _write_steps(execute: Execute, records: Sequence[Record]) -> list[Record]:
    """Write what the steps refer to and then the steps, with few statements; return the last of them."""
    steps: list[Record] = []
    held: list[HeldStep] = []
    given_back: list[Record] = []
    for record in records:
        if type(record) is StepRow:
            steps.append(record)
        elif type(record) is HeldStep:
            held.append(record)
        elif type(record) is EnvelopeRelease or type(record) is HoldRelease:
            given_back.append(record)
        else:
            _write(execute, record, STATEMENTS)
    if held:
        holds.book_many(execute, held)
    for (
        record
    ) in given_back:  # a step that drew from an envelope gives back what it did not need while that is there
        _write(execute, record, STATEMENTS)
    done = 0
    for rows, sql in STEPS_AT_ONCE.items():
        while len(steps) - done >= rows:
            execute(sql, tuple(chain.from_iterable(steps[done : done + rows])))
            done += rows
    return steps[done:]
