"""What a process could not write to its ledger, kept beside it until it can be.

A spool is a file of JSON lines, mode 0600: a head with its id, then one line per transaction. Whoever opens the
ledger folds it in, exactly once: its id is a row of `settings`, written in the same transaction. While its writer
lives it holds a lock on the file, and nobody else touches it. Rows that the ledger itself refuses (a fault of the
caller, not of the disk) go to a file of rejected rows instead, which nothing folds in.
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
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from spendgraph.ids import new_id
from spendgraph.ledger.file_locks import is_at, open_new, try_lock
from spendgraph.ledger.records import Record
from spendgraph.ledger.watching import noting
from spendgraph.ledger.writing import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.ledger.place import Place
    from spendgraph.ledger.watching import Tell

logger = logging.getLogger(__name__)

BAD_ROW: Final = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    KeyError,
    TypeError,
    ValueError,
)
"""What a row is refused for: the row is at fault, not the ledger, and must not block the rows behind it."""

_TYPES: dict[str, Any] = {kind.__name__: kind for kind in get_args(Record)}


class Spool:
    """A spool that is being written, beside the ledger or, where that is not possible, in the temporary directory.

    Raises:
        OSError: Neither place can be written.
    """

    __slots__ = ("_end", "_file", "path")

    def __init__(self, place: Place, *, reason: str, kind: Literal["spool", "rejected"] = "spool") -> None:
        beside, temporary = _stems(place)
        head = json.dumps({"spool": new_id(), "ledger": place.name, "reason": reason})
        self._end = 0
        if place.in_memory:
            self._create(temporary, kind, head)
            return
        try:
            self._create(beside, kind, head)
        except OSError:
            self._create(temporary, kind, head)

    def append(self, groups: Iterable[tuple[Record, ...]]) -> None:
        """Write transactions, all of them or none.

        Raises:
            OSError: They cannot be written.
        """
        self._write([json.dumps([_to_json(record) for record in group]) for group in groups])

    def fold(self, connection: sqlite3.Connection) -> int:
        """Write what it holds inside the transaction that is open, unless it was folded in before.

        Returns:
            How many lines could not be read or were refused, for `finish`.
        """
        return _fold_file(self._file, connection)[1]

    def finish(self, bad: int) -> None:
        """Remove the file, because everything in it is in the ledger; with bad lines it is kept for a person."""
        try:
            if bad:
                _keep_bad(self.path, bad)
            else:
                self.path.unlink(missing_ok=True)
        except OSError:  # it is known to be folded in
            logger.warning("spendgraph: the spool %s could not be removed", self.path, exc_info=True)
        self.close()

    def close(self) -> None:
        """Leave the file to whoever opens the ledger next."""
        os.close(self._file)

    def _create(self, stem: Path, kind: str, head: str) -> None:
        self._file, self.path = _new_file(stem, kind)
        try:
            self._write([head])
        except OSError:
            self.finish(0)
            raise

    def _write(self, lines: list[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        if not is_at(self._file, self.path):  # its folder was removed: what is written there is lost
            raise OSError(f"{self.path} was removed")
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._end + written)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(data)


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
    spool = Spool(place, reason=reason, kind=kind)
    try:
        spool.append(groups)
    finally:
        spool.close()
    return spool.path


def waiting(place: Place) -> list[Path]:
    """The spools of a ledger, oldest first: regular files of this user."""
    return _files(place, "spool-*.jsonl")


def refused(place: Place) -> list[Path]:
    """The files of rows that nothing folds in: a person has to look at them."""
    patterns = ("rejected-*.jsonl", "spool-*.unreadable", "journal-*.unreadable")
    return [path for pattern in patterns for path in _files(place, pattern)]


def _files(place: Place, pattern: str) -> list[Path]:
    found: list[tuple[int, Path]] = []
    if place.in_memory:
        return []
    for stem in _stems(place):
        for path in stem.parent.glob(f"{_escaped(stem.name)}.{pattern}"):
            try:
                status = path.lstat()
            except FileNotFoundError:  # folded in by another process meanwhile
                continue
            if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                found.append((status.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def take_over(place: Place, connection: sqlite3.Connection, tell: Tell) -> None:
    """Fold in the spools that processes have left, and tell of the windows of what was in each.

    Raises:
        sqlite3.Error: The ledger cannot be written; what is left stays.
    """
    for path in waiting(place):
        try:
            count, changed = fold_in(path, connection)
            tell(changed)
            if count:
                logger.warning("spendgraph: folded %d transactions of %s into the ledger", count, path)
        except OSError as error:
            logger.warning("spendgraph: the spool %s cannot be folded in yet: %s", path, error)


def fold_in(path: Path, connection: sqlite3.Connection) -> tuple[int, set[int]]:
    """Write a spool's transactions to the ledger, once, and remove the file.

    A line that cannot be read or that the ledger refuses is left out; the file is then kept, renamed. A spool whose
    writer is alive is left alone.

    Returns:
        The number of transactions written now, and the windows that they count in.

    Raises:
        OSError: The file cannot be read.
        sqlite3.Error: The ledger cannot be written; the spool stays.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # folded in by another process meanwhile
        return 0, set()
    try:
        if not try_lock(file) or not is_at(file, path):
            return 0, set()
        connection.execute("BEGIN IMMEDIATE")
        try:
            with noting(connection.execute) as changed:
                written, bad = _fold_file(file, connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if bad:
            _keep_bad(path, bad)
        else:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
    return written, changed


def _fold_file(file: int, connection: sqlite3.Connection) -> tuple[int, int]:
    """Write a spool's transactions inside the one that is open, unless it was folded in before.

    Returns:
        How many were written, and how many could not be read or were refused; -1 where it is no spool.
    """
    written = bad = 0
    with os.fdopen(os.dup(file), encoding="utf-8", errors="replace", newline="\n") as lines:
        lines.seek(0)
        head = lines.readline()
        if not head:  # its writer was killed before it had anything to write
            return 0, 0
        try:
            spool_id = str(json.loads(head)["spool"])
        except (KeyError, TypeError, ValueError):
            return 0, -1
        mark = "INSERT INTO settings (key, value) VALUES (?, 'folded in') ON CONFLICT (key) DO NOTHING"
        if connection.execute(mark, (f"spool {spool_id}",)).rowcount:
            for line in lines:
                if _fold_line(line, connection):
                    written += 1
                else:
                    bad += 1
    return written, bad


def _keep_bad(path: Path, bad: int) -> None:
    """Rename a spool that holds something nobody can fold in, so that a person looks at it."""
    kept = keep_unreadable(path)
    if bad < 0:
        logger.warning("spendgraph: %s is not a spool; renamed it to %s", path, kept.name)
    else:
        logger.warning(
            "spendgraph: %d lines of the spool %s could not be read; kept in %s", bad, path, kept.name
        )


def keep_unreadable(path: Path) -> Path:
    """Rename a file to a name ending in `.unreadable` that nothing has yet: process ids come again, in a container soon.

    Raises:
        OSError: It cannot be renamed.
    """
    for attempt in range(10_000):
        kept = path.with_name(f"{path.stem}{f'-{attempt}' if attempt else ''}.unreadable")
        try:
            os.close(
                os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            )  # the name is ours
        except FileExistsError:
            continue
        return path.replace(kept)
    raise OSError(f"too many files like {path.stem}.unreadable")


def _fold_line(line: str, connection: sqlite3.Connection) -> bool:
    connection.execute("SAVEPOINT line")
    try:
        for entry in json.loads(line):
            kind = _TYPES[entry["type"]]
            record = kind(**entry["row"])
            write(connection.execute, [record])
    except BAD_ROW:
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


def _new_file(stem: Path, kind: str) -> tuple[int, Path]:
    """A new file that is taken; a number is added where this process has written one before."""
    for attempt in range(10_000):
        suffix = f"-{attempt}" if attempt else ""
        path = stem.with_name(f"{stem.name}.{kind}-{os.getpid()}{suffix}.jsonl")
        try:
            file = open_new(path)
        except FileExistsError:
            continue
        if file is not None:
            return file, path
    raise OSError(f"too many spools at {stem}")


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
