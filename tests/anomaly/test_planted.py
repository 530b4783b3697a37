"""What is planted in a simulated history is found, each thing once, with few others."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from reporting.kit import DAY
from reporting.office import rows_of
from spendgraph_anomaly.review import anomalies
from spendgraph_demo.history import Parameters, Written, write_history
from spendgraph_reports.books import Books
from spendgraph_reports.period import DAY_US, Period

OCTOBER_US = DAY + 10 * DAY_US


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Six weeks of a small company."""
    path = tmp_path_factory.mktemp("history") / "history.db"
    return write_history(path, Parameters(end=date(2026, 10, 1), days=45, scale=0.25, tenants=20))


def planted(written: Written, name: str) -> dict[str, Any]:
    """What is known of a planted event."""
    return next(event for event in written.document["planted"] if event["name"] == name)


@pytest.mark.parametrize("name", ["stuck loop", "off-hours loop"])
def test_a_loop_in_a_history_is_found_with_its_dollars(history: Written, name: str) -> None:
    """By tenant and feature, from its first hour, and what it cost within a twentieth."""
    loop = planted(history, name)
    with Books(history.ledger, zone="Europe/Berlin") as books:
        report = anomalies(books, Period.month("2026-09", books.zone), now_us=OCTOBER_US)
    found = [
        row for row in rows_of(report) if abs(row["excess_nanousd"] - loop["nanousd"]) < loop["nanousd"] / 20
    ]
    (row,) = found
    assert row["cut"] == f"tenant {loop['tags']['tenant']}, feature {loop['tags']['feature']}"
    assert abs(row["began"].timestamp() * 1e6 - loop["first_us"]) <= 3_600_000_000
    assert len(report.frame) <= 8
