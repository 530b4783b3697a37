"""Waste: what was paid for twice, or for nothing. Each dollar is in one column at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars, percent, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.calls import called, pruned
from spendgraph_reports.report import UNNAMED, Column, Report, expect_tags, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

_KINDS: Final = {
    "replay_nanousd": "s.is_replay = 1",
    "retry_nanousd": "coalesce(a.is_again, false)",
    "unheard_nanousd": "s.status IN ('error', 'cut', 'cancelled') AND s.cost_basis = 'upper_bound' AND NOT s.is_corrected",
    "failed_nanousd": "s.status IN ('error', 'cut', 'cancelled')",
}
"""The kinds of waste, and which calls are of them; the first that fits counts."""

WASTED: Final = tuple(_KINDS)
"""The columns that add up to the waste."""

COLUMNS: Final = (
    Column("cost_nanousd", "money", "What the period cost in all.", adds=True),
    Column(
        "waste_nanousd", "money", "What brought nothing: the sum of the next four.", adds=True, label="waste"
    ),
    Column("waste_share", "share", "The waste as a part of the cost.", label="share"),
    Column(
        "replay_nanousd",
        "money",
        "Paid before, and paid again when a graph went on after an interrupt.",
        adds=True,
        label="replays",
    ),
    Column(
        "retry_nanousd",
        "money",
        "Paid again in a later attempt of a node, although the call had been answered in an earlier one.",
        adds=True,
        label="retries",
    ),
    Column(
        "failed_nanousd",
        "money",
        "Paid for calls that ended in an error, were cut off or cancelled.",
        adds=True,
        label="failed",
    ),
    Column(
        "unheard_nanousd",
        "money",
        "Calls whose end was never heard, at the most they may have cost; nothing has corrected them yet.",
        adds=True,
        label="unheard",
    ),
    Column("wasted_calls", "count", "Calls with a cost in these four columns.", adds=True),
)
"""What `waste` says of each row, after the names it is by."""

_ADDS: Final = tuple(column.name for column in COLUMNS if column.adds)

# The n-th call of its kind in an attempt is made again where an earlier attempt of the node had n answered: without an
# interrupt nothing marks it. A call that failed and is tried again is waste once, as a failed one.
_AGAIN: Final = """\
LEFT JOIN (
  SELECT step_id, nth <= max(CASE WHEN status = 'ok' THEN nth END) OVER (
    PARTITION BY task_id, checkpoint_ns, kind, name ORDER BY attempt RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) AS is_again
  FROM (
    SELECT step_id, task_id, checkpoint_ns, kind, name, attempt, status, row_number() OVER (
      PARTITION BY task_id, checkpoint_ns, kind, name, attempt ORDER BY started_us, seq
    ) AS nth
    FROM steps
    WHERE entry = 'charge' AND checkpoint_ns <> '' AND task_id IN (SELECT task_id FROM within WHERE attempt > 1)
  )
) AS a ON a.step_id = s.step_id"""


@of_one_moment
def waste(books: Books, period: Period, *, by: Sequence[str] = ("feature",)) -> Report:
    """What was paid for twice or for nothing: replays, retries, failed calls; where most is wasted comes first.

    Args:
        books: The ledger.
        period: Calls by their start; it has a start and an end.
        by: Tags and dimensions of rollups: `feature`, `team`, `tenant`, `model`, `name`, `extra.<key>` and others.

    Returns:
        The names in `by` and `COLUMNS`. What cost nothing has no row.

    Raises:
        ValueError: There is no such name, or the period has no end.
    """
    expect_tags(by)
    found = _sums(books, by, period)
    rows: list[dict[str, Any]] = [
        {
            **dict(zip(by, key, strict=True)),
            **sums,
            "waste_share": share(sums["waste_nanousd"], sums["cost_nanousd"]),
        }
        for key, sums in found.items()
        if any(sums.values())
    ]
    rows.sort(key=lambda row: (-row["waste_nanousd"], -row["cost_nanousd"], *(row[name] for name in by)))
    totals = _sums(books, (), period).get((), dict.fromkeys(_ADDS, 0))
    columns = (*map(tag_column, by), *COLUMNS)
    return Report(
        name="waste",
        title=f"Paid for nothing, by {', '.join(name.replace('_', ' ') for name in by)}",
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals=totals,
        findings=_findings(by, rows, totals),
        caveats=(*books.caveats(period), *pruned(books, period, totals["cost_nanousd"])),
        zone=books.zone,
        settings={"by": ", ".join(by)},
    )


def _sums(books: Books, by: Sequence[str], period: Period) -> dict[tuple[Any, ...], dict[str, int]]:
    """The cost from the rollups, and what of it was wasted from the calls."""
    found: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_ADDS, 0))
    for row in books.rows(by, period, sums=("cost_nanousd",)):
        found[tuple(row[name] for name in by)]["cost_nanousd"] = row["cost_nanousd"]
    for row in called(books, by, period, _SUMS, more=_AGAIN):
        sums = found[tuple(row[name] for name in by)]
        sums |= {name: row[name] for name in _SUMS}
        sums["waste_nanousd"] = sum(row[name] for name in WASTED)
    return dict(found)


def _sql() -> dict[str, str]:
    kinds = "".join(f" WHEN {condition} THEN '{name}'" for name, condition in _KINDS.items())
    which = f"CASE{kinds} ELSE '' END"
    return {
        **{name: f"CASE WHEN {which} = '{name}' THEN s.cost_nanousd ELSE 0 END" for name in WASTED},
        "wasted_calls": f"CASE WHEN {which} <> '' AND s.cost_nanousd <> 0 THEN 1 ELSE 0 END",
    }


_SUMS: Final = _sql()

_WORDS: Final = {
    "replay_nanousd": "replays after interrupts",
    "retry_nanousd": "retries of nodes whose calls had been answered",
    "failed_nanousd": "calls that failed, were cut off or cancelled",
    "unheard_nanousd": "calls whose end was never heard",
}


def _findings(by: Sequence[str], rows: Sequence[dict[str, Any]], totals: dict[str, int]) -> tuple[str, ...]:
    cost, wasted = totals["cost_nanousd"], totals["waste_nanousd"]
    if not wasted:
        return (f"Nothing of {dollars(cost)} was paid for twice or for nothing.",)
    of = f", {percent(share(wasted, cost))} of {dollars(cost)}" if cost > 0 else ""
    parts = sorted(((totals[name], words) for name, words in _WORDS.items() if totals[name]), reverse=True)
    named = ", ".join(f"{dollars(amount)} for {words}" for amount, words in parts)
    said = [f"{dollars(wasted)} was paid for twice or for nothing{of}: {named}."]
    if len(rows) > 1:
        said.append(f"Most of it is {_who(by, rows[0])} with {dollars(rows[0]['waste_nanousd'])}.")
        worst = max(rows, key=lambda row: row["waste_share"])
        if worst is not rows[0] and worst["waste_share"] > 0 and cost > 0:
            said.append(
                f"{_who(by, worst)} wastes the largest part of what it costs: {percent(worst['waste_share'])}."
            )
    if totals["unheard_nanousd"]:
        said.append(
            f"{dollars(totals['unheard_nanousd'])} of it is an upper bound: a provider's usage export can correct it."
        )
    return tuple(said)


def _who(by: Sequence[str], row: dict[str, Any]) -> str:
    return ", ".join(str(row[name]) or UNNAMED for name in by)
