"""The anomaly review: what stood out of a period's spending, what it cost beyond what was to be expected, and what carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spendgraph.clock import from_us
from spendgraph.money import NANO_PER_USD, nanousd
from spendgraph_anomaly.detectors import Settings
from spendgraph_anomaly.review.cuts import Cuts
from spendgraph_anomaly.review.explaining import explained
from spendgraph_anomaly.review.footing import Stretch, spent_within
from spendgraph_anomaly.review.judging import WARM_UP_US, Judge
from spendgraph_anomaly.review.merging import merged, parts
from spendgraph_anomaly.review.verdicts import Verdicts
from spendgraph_anomaly.review.wording import cut_text, findings_of, too_new
from spendgraph_anomaly.series import whole_bins
from spendgraph_reports.amounts import dollars
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.months import closed
from spendgraph_reports.period import Period
from spendgraph_reports.report import Column, Report, expect_tags, frame_of

if TYPE_CHECKING:
    from decimal import Decimal

    from spendgraph_anomaly.review.merging import Part
    from spendgraph_anomaly.series import Every

BY: Final = ("tenant", "feature")
"""What is looked at where nobody says: each tenant, each feature, and each feature of each tenant."""

EXPLAINED: Final = 20
"""So many incidents, the dearest, are explained."""

_FIRST: Final = 0.1
"""The part of the least excess that an incident has when it is first seen: one that grows for days is small then."""

COLUMNS: Final = (
    Column("began", "time", "When it began: the start of its first hour, or whatever a bin is."),
    Column("hours", "ratio", "How long it lasted, in hours.", label="hours"),
    Column("cut", "text", "Whose spending it is: the fewest payers that have most of it."),
    Column("kind", "text", "How it stood out."),
    Column("severity", "text", "How much it matters, by its dollars: low, medium or high."),
    Column("observed_nanousd", "money", "What was spent in that time.", adds=True, label="spent"),
    Column(
        "expected_nanousd",
        "money",
        "What was to be expected: what its detector expected at that time of day and week before it began.",
        adds=True,
        label="expected",
    ),
    Column("excess_nanousd", "money", "The difference: what it cost too much.", adds=True, label="too much"),
    Column(
        "carrier",
        "text",
        "The tags beside those of the cut that have what is too much, as specific as the data says; empty where there are none.",
    ),
    Column(
        "carrier_share",
        "share",
        "What cut and carrier have of what the cut came to beyond the same hours of the weeks before.",
        label="of it",
    ),
    Column("cause", "text", "What it was, in a few words; empty where nothing is clear."),
    Column("changed", "text", "What changed most there, with numbers; empty where nothing grew."),
    Column("sample_task", "text", "The dearest task in it; empty where its steps were pruned."),
    Column(
        "said",
        "text",
        "What people have said of it where the watch has found it too: real, expected or noise; empty where nobody has.",
    ),
)
"""What `anomalies` says of each incident."""


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """A review, with what it rests on.

    Attributes:
        report: What it says.
        cost_nanousd: What the period cost in all.
        told: The incidents, in the order of the report's rows.
        why: What explains each of the dearest, in sentences.
        cuts: What every cut came to, from five weeks before the period on.
        judge: What was to be expected of each.
    """

    report: Report
    cost_nanousd: int
    told: tuple[Part, ...]
    why: tuple[str, ...]
    cuts: Cuts
    judge: Judge


def anomalies(
    books: Books,
    period: Period,
    *,
    by: Sequence[str] = BY,
    every: Every = "hour",
    minimum_usd: str | Decimal | float | None = None,
    settings: Settings | None = None,
    now_us: int | None = None,
    **filters: object,
) -> Report:
    """What stood out of a period's spending, the dearest first: each incident once, with what carries it.

    Every cut by the tags is judged as the watch would have judged it then, by its past alone, of which five weeks before the period are read. What
    several cuts say at once is one incident.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end. Of an incident that began before it, or goes on after it, what is in it.
        by: Tags: each value of each, and each set of values of all, is looked at.
        every: How long one look is.
        minimum_usd: What an incident must have cost too much to be told. When not given, one percent of what the period cost, and
            from $5 to $1,000.
        settings: How unusual is too unusual.
        now_us: What began later, or is not over, is left out; the clock's time, when not given.
        **filters: Only steps with these values.

    Returns:
        `COLUMNS`.

    Raises:
        ValueError: There is no such name, the period is open, or the minimum is no amount.
    """
    return reviewed(
        books,
        period,
        by=by,
        every=every,
        minimum_usd=minimum_usd,
        settings=settings,
        now_us=now_us,
        **filters,
    ).report


@of_one_moment
def reviewed(
    books: Books,
    period: Period,
    *,
    by: Sequence[str] = BY,
    every: Every = "hour",
    minimum_usd: str | Decimal | float | None = None,
    settings: Settings | None = None,
    now_us: int | None = None,
    **filters: object,
) -> Review:
    """The same with what it rests on, for plots; see `anomalies`."""
    expect_tags(by)
    since, until = closed(whole_bins(period, every, books.zone))
    cuts = Cuts(books, by, Period(since - WARM_UP_US, until), every, now_us=now_us, **filters)
    cost = books.doubts(Period(since, until), by=by, **filters).cost_nanousd
    least = _least(cost) if minimum_usd is None else nanousd(minimum_usd, name="minimum_usd")
    judge = Judge(cuts, settings or Settings(least_excess=_FIRST * least / NANO_PER_USD), since)
    told = _told(cuts, judge, least)
    rows = [_row(cuts, part) for part in told]
    verdicts = Verdicts(books, since, until)
    for row, part in zip(rows, told, strict=True):
        alarm = part.alarm
        row["said"] = verdicts.on(alarm.tags, cuts.start(alarm.first), cuts.start(alarm.last))
    why: list[str] = []
    for row, part in zip(rows[:EXPLAINED], told, strict=False):
        when = Period(cuts.start(part.alarm.first), cuts.start(part.alarm.last))
        found = explained(books, part.alarm.tags, when, filters)
        row |= found.columns
        why.append(found.text)
    stretches = [
        Stretch(part.alarm.tags, cuts.start(part.alarm.first), cuts.start(part.alarm.last)) for part in told
    ]
    observed = spent_within(books, stretches, by, every, filters)
    expected = sum(row["expected_nanousd"] for row in rows)
    report = Report(
        name="anomalies",
        title="Anomaly review",
        period=period,
        frame=frame_of(rows, COLUMNS),
        columns=COLUMNS,
        totals={
            "observed_nanousd": observed,
            "expected_nanousd": expected,
            "excess_nanousd": observed - expected,
        },
        findings=findings_of(rows, cost, least, books.zone),
        caveats=(*too_new(judge.too_new), *books.caveats(period, by=by, **filters)),
        zone=books.zone,
        settings={"by": ", ".join(by), "every": every, "least": dollars(least)}
        | {name: str(value) for name, value in filters.items()},
    )
    return Review(report, cost, tuple(told), tuple(why), cuts, judge)


def _least(cost_nanousd: int) -> int:
    """What an incident must have cost to matter beside what a period cost."""
    return min(max(cost_nanousd // 100, 5 * NANO_PER_USD), 1_000 * NANO_PER_USD)


def _told(cuts: Cuts, judge: Judge, least: int) -> list[Part]:
    """What is told, the dearest first: each thing that happened once, with no dollar in two of them."""
    alarms = merged(judge.alarms(cuts.cuts(), least), judge.judged)
    enough = [part.alarm for part in parts(alarms, cuts, judge.judged) if part.excess_nanousd >= least]
    return sorted(
        parts(enough, cuts, judge.judged), key=lambda part: (-part.excess_nanousd, part.alarm.first)
    )


def _row(cuts: Cuts, part: Part) -> dict[str, Any]:
    since, until = cuts.start(part.alarm.first), cuts.start(part.alarm.last)
    return {
        "began": from_us(since),
        "hours": (until - since) / 3.6e9,
        "cut": cut_text(part.alarm.tags),
        "kind": part.alarm.kind,
        "severity": part.alarm.severity,
        "observed_nanousd": part.observed_nanousd,
        "expected_nanousd": part.expected_nanousd,
        "excess_nanousd": part.excess_nanousd,
    }
