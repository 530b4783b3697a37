"""The journals of killed processes are folded in: every line that can be, and nothing is thrown away but a torn one.

A step is written once however often it is read, because its id is unique. The last line may be torn by the kill: it was
never acknowledged. Any other line that cannot be read, such as one of another version, stays in the file, which is
renamed for a person to look at. A line that the ledger refuses goes to a file of rejected rows.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

import orjson

from spendgraph.ledger import spool
from spendgraph.ledger.file_locks import is_at, try_lock
from spendgraph.ledger.journal import orphans
from spendgraph.ledger.records import HeldStep, Record, StepRow, UnheldStep
from spendgraph.ledger.watching import noting
from spendgraph.ledger.writing import write_again

if TYPE_CHECKING:
    import sqlite3

    from spendgraph.ledger.place import Place
    from spendgraph.ledger.watching import Tell

logger = logging.getLogger(__name__)

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Record)}

_REFUSED: Final = (*spool.BAD_ROW, LookupError, AttributeError)

Line = tuple[Record, ...]


class _Dead(NamedTuple):
    """What was found in one file.

    Attributes:
        path: Where it is.
        lines: What was booked in it.
        unreadable: How many lines say nothing to this version.
    """

    path: Path
    lines: list[Line]
    unreadable: int


def take_over(place: Place, connection: sqlite3.Connection, tell: Tell) -> None:
    """Fold in the journals of killed processes, in one transaction, tell of the windows of what was in them, and remove them.

    Raises:
        sqlite3.Error: The ledger cannot be written; the journals stay.
    """
    with ExitStack() as files:
        found = [dead for path in orphans(place) if (dead := _look_into(path, files)) is not None]
        lines = [line for dead in found for line in dead.lines]
        refused, changed = _write(lines, connection) if lines else ([], set[int]())
        tell(changed)
        try:
            if refused:
                _keep(place, refused)  # first: what is lost with the journals is lost
            for dead in found:
                _put_away(dead)
        except OSError as error:  # what is read again is not written again
            logger.warning("spendgraph: a journal was folded in and could not be removed: %s", error)
        rejected = {id(line) for line, _ in refused}
        steps = sum(
            isinstance(record, StepRow | HeldStep | UnheldStep)
            for line in lines
            if id(line) not in rejected
            for record in line
        )
        if steps:
            logger.warning("spendgraph: took over %d steps of processes that were killed", steps)


def _look_into(path: Path, files: ExitStack) -> _Dead | None:
    """Take a file and read it; `None` where another process has, or nobody can."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        files.callback(os.close, file)
        if not try_lock(file) or not is_at(file, path):
            return None
        data = path.read_bytes()
    except FileNotFoundError:  # folded in by another process meanwhile
        return None
    except OSError as error:
        logger.warning("spendgraph: the journal %s cannot be read: %s", path, error)
        return None
    lines, unreadable = read(data)
    return _Dead(path, lines, unreadable)


def read(data: bytes) -> tuple[list[Line], int]:
    """What is booked in a journal, and how many of its lines, but for a torn last one, cannot be read."""
    data = data.rstrip(b"\0")
    if data.startswith(b"\0"):  # it was being emptied: all of it is committed
        return [], 0
    written = data.split(b"\n")
    is_cut = bool(written.pop())
    if not is_cut and written and b"\0" in written[-1]:  # copied to its end, with a hole
        written.pop()
    lines = [_read_line(line) for line in written]
    return [line for line in lines if line is not None], lines.count(None)


def _read_line(line: bytes) -> Line | None:
    try:
        return tuple(_record(kind, row) for kind, row in orjson.loads(line))
    except (KeyError, TypeError, ValueError):
        return None


def _record(kind: str, row: list[Any]) -> Record:
    of = _KINDS[kind]
    if len(row) != len(of._fields) or (of in {HeldStep, UnheldStep} and len(row[0]) != len(StepRow._fields)):
        raise ValueError("the record is another version's")
    record: Record = of(*row)
    return record


def _write(
    lines: list[Line], connection: sqlite3.Connection
) -> tuple[list[tuple[Line, Exception]], set[int]]:
    """Write lines in a transaction; those that the ledger refuses, and the windows that the others count in.

    Of the two halves of a journal, either may hold what the other's rows refer to: what does not go in is tried again
    after the others.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        with noting(connection.execute) as changed:
            refused = _try(lines, connection)
            refused = _try([line for line, _ in refused], connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return refused, changed


def _try(lines: list[Line], connection: sqlite3.Connection) -> list[tuple[Line, Exception]]:
    refused: list[tuple[Line, Exception]] = []
    for line in lines:
        connection.execute("SAVEPOINT line")
        try:
            write_again(connection.execute, line)
        except _REFUSED as error:
            connection.execute("ROLLBACK TO line")
            refused.append((line, error))
        connection.execute("RELEASE line")
    return refused


def _put_away(dead: _Dead) -> None:
    if dead.unreadable:
        kept = spool.keep_unreadable(dead.path)
        logger.warning(
            "spendgraph: %d lines of the journal %s could not be read (another version's, or damaged); kept in %s",
            dead.unreadable,
            dead.path,
            kept.name,
        )
    else:
        dead.path.unlink()


def _keep(place: Place, refused: list[tuple[Line, Exception]]) -> None:
    path = spool.keep(place, [line for line, _ in refused], reason=repr(refused[0][1]), kind="rejected")
    logger.warning(
        "spendgraph: the ledger %s refused %d transactions of a process that was killed; kept in %s",
        place.name,
        len(refused),
        path,
    )
