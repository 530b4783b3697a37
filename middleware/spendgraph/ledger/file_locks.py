"""Whose a file beside a ledger is: its owner holds a lock on it for life, which the kernel drops with a killed process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

fcntl: Any
try:
    import fcntl
except ImportError:  # no such locks on this platform
    fcntl = None

if TYPE_CHECKING:
    from pathlib import Path

HAS_LOCKS = fcntl is not None
"""Whether this platform can tell the files of the living from those of the dead."""


def try_lock(file: int) -> bool:
    """Take a file for oneself; `False` where its owner is alive."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(file: int, path: str | Path) -> bool:
    """Whether an open file is still the one at a path: who looks for the files of the dead may have removed it."""
    try:
        return os.stat(path).st_ino == os.fstat(file).st_ino  # noqa: PTH116 - as everywhere in this room
    except FileNotFoundError:
        return False


def open_new(path: str | Path) -> int | None:
    """Create a private file (0600) and take it; `None` where somebody was faster, and has removed it or will.

    Raises:
        FileExistsError: It is there already.
        OSError: It cannot be created.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    if try_lock(file) and is_at(file, path):
        return file
    os.close(file)
    return None
