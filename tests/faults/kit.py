"""Faults, real ones: another process's lock, a folder that is moved away, a file that is cut short, a clock set back."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from budgets.fanout import ACME, capped
from budgets.test_traps import WAYS
from spendgraph import Meter
from spendgraph.clock import utc_us
from spendgraph.policy import Policy

PRODUCTION = ACME.replace(environment="production")
EVAL = ACME.replace(environment="eval")
LENIENT = "on_ledger_error: {production: block, eval: allow}"

EVERY_WAY = pytest.mark.parametrize("way", WAYS)
BOTH_WAYS = pytest.mark.parametrize("way", ["invoke", "ainvoke"])

Fault = Callable[[Path], AbstractContextManager[None]]


class Clock:
    """The time, and how far it was set back."""

    def __init__(self) -> None:
        self.behind_us = 0

    def __call__(self) -> int:
        """Microseconds."""
        return utc_us() - self.behind_us


CLOCK = Clock()

_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another process holds the write lock."""
    other = subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        other.communicate()


@contextmanager
def folder_gone(path: Path) -> Generator[None]:
    """The folder is not at its path any more."""
    away = path.parent.with_name("away")
    path.parent.rename(away)
    try:
        yield
    finally:
        away.rename(path.parent)


@contextmanager
def file_gone(path: Path) -> Generator[None]:
    """The file is not at its path any more."""
    away = path.with_name("away.db")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@contextmanager
def replaced(path: Path) -> Generator[None]:
    """Something else is at its path."""
    with file_gone(path):
        path.write_bytes(b"no ledger" * 1000)
        try:
            yield
        finally:
            path.unlink()


@contextmanager
def cut_short(path: Path) -> Generator[None]:
    """The file lost nearly everything; it is mended from a backup."""
    with closing(sqlite3.connect(path)) as other:  # or SQLite mends it itself, from what it has written ahead
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = path.read_bytes()
    os.truncate(path, 2048)
    try:
        yield
    finally:
        # In one write: a ledger that is tried again in the middle of it would write into what is overwritten.
        with path.open("r+b", buffering=0) as file:
            file.write(backup)


@contextmanager
def emptied(path: Path) -> Generator[None]:
    """The file lost everything; it is mended from a backup."""
    with cut_short(path):
        os.truncate(path, 0)
        yield


@contextmanager
def clock_back(path: Path) -> Generator[None]:
    """The clock is set back by an hour."""
    CLOCK.behind_us = 3_600_000_000
    try:
        yield
    finally:
        CLOCK.behind_us = 0


FAULTS: dict[str, Fault] = {
    "locked": locked,
    "folder gone": folder_gone,
    "file gone": file_gone,
    "replaced": replaced,
    "cut short": cut_short,
    "emptied": emptied,
    "clock back": clock_back,
}

EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS)


def lenient(*, cap: str = "1", more: str = "") -> Policy:
    """Each call costs $0.0075; acme has a cap; `eval` goes on without a ledger."""
    return capped(cap=cap, more=f"{LENIENT}\n{more}")


def files_beside(path: Path) -> list[str]:
    """What is left beside a ledger, and what was kept in the temporary directory, that holds rows."""
    found: Iterator[Path] = iter((*path.parent.iterdir(), *path.parent.parent.glob("spendgraph-*")))
    return sorted(each.name for each in found if ".spool-" in each.name or ".rejected-" in each.name)


def decisions(meter: Meter) -> list[tuple[Any, ...]]:
    """Kind and outcome of everything decided, other than overruns."""
    meter.flush()
    with closing(sqlite3.connect(meter.ledger.place.name)) as connection:
        query = "SELECT kind, outcome FROM decisions WHERE outcome <> 'overrun' ORDER BY decided_us"
        return connection.execute(query).fetchall()
