"""The table of faults is true: every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from faults.kit import FAULTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "fail-closed.md").read_text(encoding="utf-8")
SOURCE = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "tests").rglob("test_*.py")))


def test_every_test_that_the_page_names_is_there() -> None:
    """Files and functions; a name that is cut with dots is looked for by its end."""
    files = set(re.findall(r"`(?:tests/\w+/)?(test_\w+\.py)`", PAGE))
    tests = set(re.findall(r"`(?:\.\.\.)?(\w*_\w+)(?:\[\w+\])?`(?!:)", PAGE)) - {"loop_wait_ms"}
    named = {name for name in tests if name.startswith(("test_", "_"))}
    assert len(named) > 12
    assert {file for file in files if not list((ROOT / "tests").rglob(file))} == set()
    assert {name for name in named if not re.search(rf"def \w*{name}\(", SOURCE)} == set()


def test_every_fault_of_a_running_ledger_is_a_row() -> None:
    """Under the name that its tests have."""
    assert [fault for fault in FAULTS if f"`{fault}`" not in PAGE] == []
