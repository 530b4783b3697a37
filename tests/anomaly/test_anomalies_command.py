"""`spendgraph anomalies` says what the review says, as a table, JSON or a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from reporting.office import DOLLAR, office
from spendgraph.cli import main


@pytest.mark.parametrize("form", ["csv", "html"])
def test_the_command_writes_files(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`spendgraph anomalies`, with the period and the zone as any report takes them."""
    ledger = office(tmp_path / "ledger.db", {("acme", "chat", 10): 20 * DOLLAR})
    target = tmp_path / f"found.{form}"
    asked = ["anomalies", "-l", str(ledger), "--month", "2026-09", "--timezone", "Europe/Berlin"]
    assert main([*asked, "-f", form, "-o", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}: 1 rows, 2026-09 (Europe/Berlin)\n"
    assert target.stat().st_size > 200
    if form == "csv":
        (row,) = csv.DictReader(target.read_text().splitlines())
        assert (row["cut"], row["began"]) == ("tenant acme, feature chat", "2026-09-21T10:00:00Z")


def test_the_command_shows_a_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people in their own time; for programs in UTC and nano-dollars."""
    ledger = office(tmp_path / "ledger.db", {("acme", "chat", 10): 20 * DOLLAR})
    asked = [
        "anomalies",
        "-l",
        str(ledger),
        "--month",
        "2026-09",
        "--timezone",
        "Europe/Berlin",
        "--minimum",
        "10",
    ]
    assert main(asked) == 0
    assert "2026-09-21 12:00 CEST" in capsys.readouterr().out
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["settings"] == {"by": "tenant, feature", "every": "hour", "least": "$10.00"}
    assert said["totals"]["observed_nanousd"] == said["rows"][0]["observed_nanousd"]
    assert main([*asked, "--minimum", "a lot"]) == 2
    assert "minimum_usd" in capsys.readouterr().err
