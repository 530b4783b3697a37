"""What was decided other than *allow*: refusals, streams that were cut, overruns, breakers, and who was concerned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars
from spendgraph_reports.economics.tasks import pruned
from spendgraph_reports.months import closed
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

COLUMNS: Final = (
    Column(
        "kind",
        "text",
        "What it was about: budget, breaker, approval, attribution, price, usage, context or ledger.",
    ),
    Column(
        "outcome",
        "text",
        "What was decided: refused, cut, degraded, overrun, recorded, ignored, tripped and others.",
    ),
    Column("decided_by", "text", "The budget or the breaker; empty where it was neither.", label="by"),
    Column("decisions", "count", "How often.", adds=True),
    Column("tasks", "count", "In how many different tasks; a task can be in several rows."),
    Column(
        "cost_nanousd",
        "money",
        "What those tasks cost in all, whenever it was spent; in several rows where the task is.",
    ),
)
"""What `decisions` says of each row."""

_DECIDED: Final = """\
WITH decided AS (
  SELECT kind, outcome, coalesce(detail->>'$.budget', detail->>'$.breaker', '') AS decided_by, task_id, count(*) AS decisions
  FROM decisions
  WHERE decided_us >= getvariable('since') AND decided_us < getvariable('until')
  GROUP BY ALL
),
costs AS (
  SELECT task_id, sum(cost_nanousd)::BIGINT AS cost_nanousd FROM steps
  WHERE task_id IN (SELECT task_id FROM decided WHERE task_id <> '') GROUP BY task_id
)
SELECT d.kind, d.outcome, d.decided_by, sum(d.decisions)::BIGINT AS decisions,
  count(*) FILTER (WHERE d.task_id <> '') AS tasks, coalesce(sum(c.cost_nanousd), 0)::BIGINT AS cost_nanousd
FROM decided AS d LEFT JOIN costs AS c ON c.task_id = d.task_id
GROUP BY ALL ORDER BY ALL"""

_COUNT: Final = """\
SELECT count(*) AS decisions FROM decisions
WHERE decided_us >= getvariable('since') AND decided_us < getvariable('until')"""


def decisions(books: Books, period: Period) -> Report:
    """What was decided other than *allow* in a period, the most frequent first.

    Args:
        books: The ledger.
        period: When it was decided; it has a start and an end.

    Raises:
        ValueError: The period has no end.
    """
    since, until = closed(period)
    rows = books.ask(_DECIDED, since=since, until=until)
    rows.sort(key=lambda row: -row["decisions"])
    (total,) = books.ask(_COUNT, since=since, until=until)
    return Report(
        name="decisions",
        title="What was decided",
        period=period,
        frame=frame_of(rows, COLUMNS),
        columns=COLUMNS,
        totals=total,
        findings=_findings(rows, total["decisions"]),
        caveats=pruned(books, period, "All that tasks cost"),
        zone=books.zone,
    )


def _findings(rows: Sequence[dict[str, Any]], total: int) -> tuple[str, ...]:
    if not rows:
        return ("Every call was let out as it was: nothing else was decided.",)
    said = [f"{total:,} decision{'s' if total != 1 else ''} other than to let a call out as it was."]
    refused = [row for row in rows if row["outcome"] == "refused"]
    if refused:
        calls = sum(row["decisions"] for row in refused)
        first = refused[0]
        by = f"{first['kind']} {first['decided_by']}".strip()
        said.append(
            f"{calls:,} call{'s were' if calls != 1 else ' was'} refused, {first['decisions']:,} of them by {by}, in"
            f" {first['tasks']:,} task{'s' if first['tasks'] != 1 else ''} that cost {dollars(first['cost_nanousd'])}."
        )
    return tuple(said)
