"""Every report as CSV and as a page, of a ledger in which everything a user names is a formula or markup."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ledger.rows import context_row, step, task
from reporting.hostile import HOSTILE
from reporting.kit import DAY
from reporting.reading import Reading
from spendgraph.ledger import BudgetRow, DecisionRow, Ledger, TaskEnd, TaskOutcome
from spendgraph_reports.books import Books
from spendgraph_reports.cli.report import register
from spendgraph_reports.period import Period
from spendgraph_reports.rendering import to_csv, to_html
from spendgraph_reports.report import Report

SEPTEMBER = Period.month("2026-09")
COMMAND = "=cmd|' /C calc'!A0"
FORMULA = re.compile(r"[\s\x00]*[=+\-@]")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-\d+)?")
NAMES = ("feature", "team", "tenant", "user", "cost_center", "workload_class", "environment")
OPTIONS = {"whatif": {"model": COMMAND, "as_": "gpt-4o", "provider": "openai"}}
WITHOUT_ROWS = {"invoices", "margin", "outliers"}
"""Nothing was imported here, and nothing costs far more than its like."""


def reports() -> dict[str, Callable[..., Report]]:
    """What `spendgraph report` can be asked for as a table: a new one is here at once."""
    app = typer.Typer()
    register(app)
    commands = app.registered_groups[0].typer_instance.registered_commands  # type: ignore[union-attr]
    found = {str(each.name): getattr(each.callback, "__wrapped__", None) for each in commands}
    # Without deploys `versions` has nothing to show, and would load scipy for it.
    return {name: build for name, build in found.items() if build is not None and name != "versions"}


REPORTS = reports()


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Two tasks for each text, of which it is every tag and every name; a call of each was refused in a budget of its owner."""
    path = tmp_path_factory.mktemp("hostile") / "ledger.db"
    with Ledger.open(path, clock=lambda: DAY) as ledger:
        for number, text in enumerate(HOSTILE):
            # Straight into the table, as another program would: a context refuses what nobody can see.
            context = context_row()._replace(context_id=f"hostile-{number}", **dict.fromkeys(NAMES, text))
            budget = BudgetRow(
                f"{text} {number}", text, text, "2026-01-01", "nanousd", 1, "month", "UTC", "{}"
            )
            ledger.register([budget])
            ledger.post(context)
            detail = json.dumps({"budget": text, "scope": text})
            for again in (0, 1):
                task_id = f"task-{number}-{again}"
                written = {"node": text, "path": text, "name": text, "model": text, "provider": text}
                ledger.post(
                    task(task_id, context_id=context.context_id, started_us=DAY, graph=text),
                    step(
                        f"step-{number}-{again}",
                        task_id=task_id,
                        context_id=context.context_id,
                        started_us=DAY,
                        cost_nanousd=(number + 1) * 1_000_000_000,
                        estimate_nanousd=1_000_000_000,
                        is_replay=again,
                        **written,
                    ),
                    TaskOutcome(task_id, "success", 1_000_000_000),
                    TaskEnd(task_id, "finished", DAY + 1),
                    DecisionRow(task_id, "budget", "refused", text, task_id, None, None, detail, DAY),
                )
    with Books(path) as opened:
        yield opened


@pytest.mark.parametrize("name", REPORTS)
def test_no_file_of_a_report_runs_what_a_name_says(books: Books, tmp_path: Path, name: str) -> None:
    """No cell of the CSV begins like a formula, and the page has no element that is not the report's own."""
    options: dict[str, Any] = OPTIONS.get(name, {})
    report = REPORTS[name](books, SEPTEMBER, **options)
    to_csv(report, tmp_path / "out.csv", books.ledger)
    to_html(report, tmp_path / "out.html", books.ledger)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if FORMULA.match(cell) and not NUMBER.fullmatch(cell)] == []
    assert any(COMMAND in cell.replace("'", "", 1) for cell in cells) or name in WITHOUT_ROWS
    read = Reading((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in read.tags} & {"script", "img", "svg", "iframe", "object", "base"} == set()
    assert not [key for _, attributes in read.tags for key in attributes if key.startswith("on")]
    assert [tag for tag, _ in read.tags].count("body") == 1
