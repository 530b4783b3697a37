"""Writing a file so that it is whole or not there: private, beside its place, then moved onto it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from spendgraph.ledger import LedgerReader
from spendgraph_reports.errors import ExportError


@contextmanager
def replacing(target: Path, ledger: str | Path) -> Generator[Path]:
    """An empty file of mode 0600 beside the target, which takes its place when the block ends well.

    Args:
        target: Where the file goes. What stands there stays until the new one is whole and on disk.
        ledger: The ledger that is read: neither it nor a file that SQLite or a journal keeps beside it is a target.

    Raises:
        ExportError: The target is a directory, part of the ledger, or cannot be written.
        LedgerError: It is not a ledger.
    """
    place = LedgerReader.at(ledger).place
    path = target.absolute()
    beside_ledger = re.escape(place.name) + r"(-wal|-shm|-journal|\.(journal|spool|rejected)-.*)?"
    if not place.in_memory and re.fullmatch(beside_ledger, str(path.resolve())):
        raise ExportError(f"expected a file that is not the ledger or part of it, found {target}")
    if path.is_dir():
        raise ExportError(f"expected a file to write, found the directory {target}")
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            yield beside
            _keep(beside)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportError(
            f"cannot write {target}: {error.strerror or error}; choose a directory this process may write, with room"
        ) from error


def _keep(path: Path) -> None:
    """See that the content is on disk before the name is."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
