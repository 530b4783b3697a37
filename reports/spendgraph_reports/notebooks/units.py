"""What the notebook `unit_economics` says: what it costs to get something done, and what is earned with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from spendgraph_reports.amounts import percent, share
from spendgraph_reports.books import of_one_moment
from spendgraph_reports.economics import completion, margin, outcomes, tenants, unit_economics
from spendgraph_reports.notebooks.showing import table
from spendgraph_reports.notebooks.spend import nothing, owned
from spendgraph_reports.plots.scales import amount
from spendgraph_reports.plots.spread import percentile
from spendgraph_reports.rendering import Fact, Facts

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report


@of_one_moment
def conclusion(books: Books, period: Period) -> tuple[str, ...]:
    """What a reader should know who reads nothing else, the most important first."""
    doubts = books.doubts(period)
    if not doubts.steps:
        return (nothing(books, period),)
    first, *more = unit_economics(books, period).findings
    earned = _margin(books, period)
    return (
        first,
        *more[:1],
        completion(books, period).findings[0],
        outcomes(books, period).findings[0],
        *((earned.findings[0],) if earned is not None and earned.totals["revenue_nanousd"] else ()),
        " ".join(tenants(books, period).findings[:2]),
        owned(doubts.unattributed_nanousd, doubts.cost_nanousd),
    )


@of_one_moment
def facts(books: Books, period: Period) -> Facts:
    """The figures that go with it."""
    counts = task_costs(books, period)
    ended, done = completion(books, period, by=[]), outcomes(books, period, by=[])
    tasks = ended.totals["tasks"]
    finished = ended.frame.loc[ended.frame["state"] == "finished", "tasks"].sum()
    successes = done.totals["successes"]
    reported = successes + done.totals["failures"]
    said = [
        Fact("spent", amount(books.doubts(period).cost_nanousd)),
        Fact("tasks", f"{tasks:,}", f"{percent(share(int(finished), tasks))} finished" if tasks else ""),
    ]
    if counts:
        said.append(
            Fact(
                "a task in the middle",
                amount(percentile(counts, 50)),
                f"95 of 100 cost at most {amount(percentile(counts, 95))}",
            )
        )
    if reported:
        said.append(
            Fact("successes", f"{successes:,}", f"{percent(successes / reported)} of what was reported")
        )
    return Facts(tuple(said))


def task_costs(books: Books, period: Period) -> Counter[int]:
    """How many tasks that began in the period cost so many nano-USD."""
    rows = books.reader.tasks_rolled(["cost_nanousd"], since=period.since_us, until=period.until_us)
    return Counter(row["cost_nanousd"] for row in rows)


@of_one_moment
def margins(books: Books, period: Period) -> tuple[Report | str, ...]:
    """What tenants pay beside what they cost, to be shown; of whole days, as contracts are."""
    earned = _margin(books, period)
    if earned is None:
        return (
            "Contracts are by the day, and this period is not of whole days: there is no margin to show.",
        )
    notes = [sentence for sentence in earned.caveats if sentence not in books.caveats(period)]
    return (*earned.findings, *notes, table(earned))


def _margin(books: Books, period: Period) -> Report | None:
    try:
        return margin(books, period)
    except ValueError:  # the only argument that can be wrong is a period that is not of whole days
        return None
