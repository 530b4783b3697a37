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


@pytest.fixture(scope="module")
def found(history: Written) -> list[dict[str, Any]]:
    """The rows of its last month's review."""
    with Books(history.ledger, zone="Europe/Berlin") as books:
        september = Period.month("2026-09", books.zone)
        return rows_of(anomalies(books, september, minimum_usd="10", now_us=OCTOBER_US))


@pytest.mark.parametrize("name", ["stuck loop", "off-hours loop"])
def test_a_loop_is_found_with_its_dollars(history: Written, found: list[dict[str, Any]], name: str) -> None:
    """By tenant and feature, from its first hour, and what it cost within a twentieth."""
    loop = planted(history, name)
    near = [row for row in found if abs(row["excess_nanousd"] - loop["nanousd"]) < loop["nanousd"] / 20]
    (row,) = near
    assert row["cut"] == f"tenant {loop['tags']['tenant']}, feature {loop['tags']['feature']}"
    assert abs(row["began"].timestamp() * 1e6 - loop["first_us"]) <= 3_600_000_000


def test_the_stuck_loop_is_called_one_and_its_task_is_named(
    history: Written, found: list[dict[str, Any]]
) -> None:
    """The dearest incident, explained: one task with hundreds of steps."""
    loop = planted(history, "stuck loop")
    first = found[0]
    assert first["cause"] == "stuck loop"
    with Books(history.ledger) as books:
        task = next(iter(books.reader.dearest_tasks(1, feature="lead-research")))
    assert first["sample_task"] == task["task_id"]
    assert task["steps"] == loop["steps"]


def test_the_deploy_that_made_prompts_longer_is_named(history: Written) -> None:
    """By feature and version, for all tenants at once: longer calls after a deploy."""
    deploy = planted(history, "prompt growth after a deploy")
    with Books(history.ledger, zone="Europe/Berlin") as books:
        september = Period.month("2026-09", books.zone)
        report = anomalies(books, september, by=["feature"], minimum_usd="2", now_us=OCTOBER_US)
    (row, *_) = [row for row in rows_of(report) if row["cut"] == f"feature {deploy['tags']['feature']}"]
    assert row["cause"] == "longer calls after a deploy"
    assert f"version {deploy['tags']['version']}" in row["carrier"]


def test_there_are_few_others(found: list[dict[str, Any]]) -> None:
    """Two loops are planted that cost more than $10, in 45 days of 20 tenants."""
    assert len(found) <= 4
