"""Looking at a ledger's file must not take away the locks that this process holds on it.

POSIX gives up all locks of a process on a file when the process closes any descriptor of that file. Without its lock,
another process that closes the ledger takes itself for the last one and removes the WAL, and what is committed to
that WAL afterwards is lost without a word.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.rows import ACME, step, task
from spendgraph.ledger import Ledger
from spendgraph.ledger.connection import is_whole, open_reader
from spendgraph.ledger.place import check_file, find_place

LOOKS: dict[str, Callable[[Path], object]] = {
    "reading through the same ledger": lambda path: Ledger.open(path).close(),
    "a reader": lambda path: list(Ledger.open_readonly(path).steps()),
    "a connection that only reads": lambda path: open_reader(find_place(path)).close(),
    "checking the file": lambda path: check_file(find_place(path)),
    "asking whether it is whole": lambda path: is_whole(find_place(path)),
}


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_committed_after_another_process_has_closed_is_kept(path: Path, look: str) -> None:
    """Look, let another process come and go, and commit: the row is in the file."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step("before"))
        LOOKS[look](path)
        code = f"from spendgraph.ledger import Ledger; Ledger.open({str(path)!r}).close()"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        ledger.post(step("after"))
        with Ledger.open_readonly(path) as reader:
            assert [row["step_id"] for row in reader.steps()] == ["before", "after"]
    with Ledger.open_readonly(path) as reader:
        assert [row["step_id"] for row in reader.steps()] == ["before", "after"]
