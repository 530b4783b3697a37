"""The FinOps Foundation's own validator accepts an export.

focus-validator needs Python 3.12, numpy 1, pandas 2 and pyarrow below 20, so it cannot live beside our versions. Name
the Python of an environment of its own to run this test:

    python3.12 -m venv /tmp/focus && /tmp/focus/bin/pip install focus-validator==2.2.1 'pyarrow<20'
    SPENDGRAPH_FOCUS_PYTHON=/tmp/focus/bin/python pytest tests/exports/test_focus_validator.py
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

from spendgraph.ledger import LedgerReader
from spendgraph_demo.history import Parameters, write_history
from spendgraph_reports.exports import FOCUS_VERSION, export_focus

PYTHON = os.environ.get("SPENDGRAPH_FOCUS_PYTHON", "")

SUPPORTED = (
    "ACCOUNT_NAMING_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)
"""What a ledger has of what a provider may have; docs/focus.md says why not the rest."""

EITHER_OR = "InvoiceId-C-005-C"
"""InvoiceId must be null, says C-004, or must not be, says C-005: one of them fails in any file, and C-003 asks for one."""

_WHERE = "import focus_validator, pathlib; print(pathlib.Path(focus_validator.__file__).parent.parent)"


@pytest.mark.skipif(not PYTHON, reason="SPENDGRAPH_FOCUS_PYTHON names no Python with focus-validator")
@pytest.mark.parametrize("of", ["hard steps", "demo history"])
def test_the_validator_finds_no_failure(of: str, books: Path, tmp_path: Path) -> None:
    """Every rule of FOCUS 1.2 that applies to a ledger passes (of two that exclude each other, one), and many do apply."""
    if of == "demo history":
        books = tmp_path / "history.db"
        write_history(books, Parameters(end=date(2026, 10, 1), days=30))
    exported = export_focus(books, tmp_path / "focus.csv", account="acme-inc")
    with LedgerReader.at(books) as reader:
        assert exported.cost_nanousd == reader.spend()[0]["cost_nanousd"]
    # It reads its list of currencies relative to the working directory: where it is installed.
    home = subprocess.run([PYTHON, "-c", _WHERE], check=True, capture_output=True, text=True).stdout.strip()
    command = [
        PYTHON,
        "-c",
        "from focus_validator.main import main; main()",
        "--data-file",
        str(tmp_path / "focus.csv"),
        "--validate-version",
        f"{FOCUS_VERSION}.0.1",
        "--block-download",
        "--applicability-criteria",
        ",".join(SUPPORTED),
    ]
    said = subprocess.run(command, cwd=home, check=True, capture_output=True, text=True, timeout=110).stdout
    failed = set(re.findall(r"(\S+): FAIL", said))
    assert failed == {EITHER_OR}
    assert "InvoiceId-C-003-C: PASS" in said
    assert said.count(": PASS") > 150
