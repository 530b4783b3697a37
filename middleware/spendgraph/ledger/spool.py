"""What a process could not write to its ledger, kept beside it until it can be.

A spool is a file of JSON lines, mode 0600: a head with its id, then one line per transaction. Opening the
ledger folds it in, exactly once: its id is a row of `settings`, written in the same transaction. Rows that
the ledger itself refuses (a fault of the caller, not of the disk) go to a file of rejected rows instead,
which nothing folds in.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from spendgraph.ids import new_id
from spendgraph.ledger.records import Record
from spendgraph.ledger.writing import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.ledger.place import Place

logger = logging.getLogger(__name__)

_TYPES: dict[str, Any] = {kind.__name__: kind for kind in get_args(Record)}


def keep(
    place: Place,
    groups: Iterable[tuple[Record, ...]],
    *,
    reason: str,
    kind: Literal["spool", "rejected"] = "spool",
) -> Path:
    """Write transactions to a private file beside the ledger, or in the temporary directory.

    Raises:
        OSError: Neither place can be written.
    """
    head = json.dumps({"spool": new_id(), "ledger": place.name, "reason": reason})
    lines = [head, *(json.dumps([_to_json(record) for record in group]) for group in groups)]
    text = "".join(f"{line}\n" for line in lines)
    beside, temporary = _stems(place)
    if place.in_memory:
        return _create(temporary, kind, text)
    try:
        return _create(beside, kind, text)
    except OSError:
        return _create(temporary, kind, text)


def waiting(place: Place) -> list[Path]:
    """The spools of a ledger, oldest first: regular files of this user."""
    return _files(place, "spool-*.jsonl")


def refused(place: Place) -> list[Path]:
    """The files of rows that nothing folds in: a person has to look at them."""
    return [*_files(place, "rejected-*.jsonl"), *_files(place, "spool-*.unreadable")]


def _files(place: Place, pattern: str) -> list[Path]:
    found: list[tuple[int, Path]] = []
    if place.in_memory:
        return []
    for stem in _stems(place):
        for path in stem.parent.glob(f"{_escaped(stem.name)}.{pattern}"):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                found.append((status.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def fold_in(path: Path, connection: sqlite3.Connection) -> int:
    """Write a spool's transactions to the ledger, once, and remove the file.

    A line that cannot be read or that the ledger refuses is left out; the file is then kept, renamed.

    Returns:
        The number of transactions written now.

    Raises:
        OSError: The file cannot be read.
        sqlite3.Error: The ledger cannot be written; the spool stays.
    """
    lines = path.read_text("utf-8", errors="replace").splitlines()
    try:
        spool_id = str(json.loads(lines[0])["spool"])
    except (IndexError, KeyError, TypeError, ValueError):
        path.rename(path.with_suffix(".unreadable"))
        logger.warning("spendgraph: %s is not a spool; renamed it to .unreadable", path)
        return 0
    written = bad = 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        mark = "INSERT INTO settings (key, value) VALUES (?, 'folded in') ON CONFLICT (key) DO NOTHING"
        if connection.execute(mark, (f"spool {spool_id}",)).rowcount:
            for line in lines[1:]:
                if _fold_line(line, connection):
                    written += 1
                else:
                    bad += 1
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if bad:
        path.rename(path.with_suffix(".unreadable"))
        logger.warning("spendgraph: %d lines of the spool %s could not be read", bad, path)
    else:
        path.unlink(missing_ok=True)
    return written


def _fold_line(line: str, connection: sqlite3.Connection) -> bool:
    connection.execute("SAVEPOINT line")
    try:
        for entry in json.loads(line):
            kind = _TYPES[entry["type"]]
            record = kind(**entry["row"])
            write(connection.execute, [record])
    except (ValueError, KeyError, TypeError, sqlite3.IntegrityError, sqlite3.ProgrammingError):
        connection.execute("ROLLBACK TO line")
        return False
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE line")
    return True


def _to_json(record: object) -> dict[str, Any]:
    """A record as JSON; what is no record at all (it was refused for that) as its repr."""
    if type(record).__name__ in _TYPES:
        columns: dict[str, object] = cast("Record", record)._asdict()
        return {"type": type(record).__name__, "row": {name: _value(v) for name, v in columns.items()}}
    return {"type": type(record).__name__, "row": {"repr": repr(record)}}


def _value(value: object) -> object:
    if isinstance(value, tuple):  # of a step inside a record
        return [_value(each) for each in cast("tuple[object, ...]", value)]
    return value if value is None or isinstance(value, int | float | str) else repr(value)


def _stems(place: Place) -> tuple[Path, Path]:
    digest = hashlib.sha256(place.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Path(place.name), Path(tempfile.gettempdir()) / f"spendgraph-{digest}"


def _create(stem: Path, kind: str, text: str) -> Path:
    """Create a new file; a number is added where this process has written one before."""
    for attempt in range(10_000):
        suffix = f"-{attempt}" if attempt else ""
        path = stem.with_name(f"{stem.name}.{kind}-{os.getpid()}{suffix}.jsonl")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return path
    raise OSError(f"too many spools at {stem}")


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
