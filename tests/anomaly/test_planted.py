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


def test_the_loops_are_found_by_name_and_little_else(history: Written) -> None:
    """By tenant and feature, from the first hour, and what they cost within a twentieth; the dearest is called what it is, and its task named."""
    with Books(history.ledger, zone="Europe/Berlin") as books:
        september = Period.month("2026-09", books.zone)
        found = rows_of(anomalies(books, september, minimum_usd="10", now_us=OCTOBER_US))
        task = next(iter(books.reader.dearest_tasks(1, feature="lead-research")))
    for name in ("stuck loop", "off-hours loop"):
        loop = planted(history, name)
        (row,) = [row for row in found if abs(row["excess_nanousd"] - loop["nanousd"]) < loop["nanousd"] / 20]
        assert row["cut"] == f"tenant {loop['tags']['tenant']}, feature {loop['tags']['feature']}"
        assert abs(row["began"].timestamp() * 1e6 - loop["first_us"]) <= 3_600_000_000
    assert found[0]["cause"] == "stuck loop"
    assert found[0]["sample_task"] == task["task_id"]
    assert task["steps"] == planted(history, "stuck loop")["steps"]
    assert len(found) <= 4  # two loops are planted that cost more than $10, in 45 days of 20 tenants


def test_the_deploy_that_made_prompts_longer_is_named(history: Written) -> None:
    """By feature and version, for all tenants at once: longer calls after a deploy."""
    deploy = planted(history, "prompt growth after a deploy")
    with Books(history.ledger, zone="Europe/Berlin") as books:
        september = Period.month("2026-09", books.zone)
        report = anomalies(books, september, by=["feature"], minimum_usd="2", now_us=OCTOBER_US)
    (row, *_) = [row for row in rows_of(report) if row["cut"] == f"feature {deploy['tags']['feature']}"]
    assert row["cause"] == "longer calls after a deploy"
    assert f"version {deploy['tags']['version']}" in row["carrier"]
