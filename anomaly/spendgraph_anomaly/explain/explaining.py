"""Explains an incident from the books: what carries its excess over the same hours of past weeks."""

# ruff: noqa: S608 - names are checked, values are parameters
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from spendgraph_anomaly.explain.baseline import all_hours, in_quarters, past_weeks
from spendgraph_anomaly.explain.cells import Rows, cells_of
from spendgraph_anomaly.explain.changes import BY as CALLS_BY
from spendgraph_anomaly.explain.changes import SUMS as CALLS_SUMS
from spendgraph_anomaly.explain.changes import changes
from spendgraph_anomaly.explain.explanation import Explanation, SampleTask
from spendgraph_anomaly.explain.search import localise
from spendgraph_anomaly.explain.succession import Succession, with_versions
from spendgraph_reports.amounts import rounded
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.calls import bounds, column, columns
from spendgraph_reports.report import expect_tags

if TYPE_CHECKING:
    from spendgraph.pricing import Price
    from spendgraph_reports.period import Period

TAGS: Final = ("feature", "tenant", "model", "template", "version", "environment")
"""What is searched unless something else is asked for; of two tags that say the same, the first is named."""

SAMPLES: Final = 5


@of_one_moment
def explain(
    books: Books,
    period: Period,
    baseline: Sequence[Period] | None = None,
    *,
    by: Sequence[str] = TAGS,
    samples: int = SAMPLES,
    **filters: object,
) -> Explanation:
    """What carries the excess of a period over its expectation.

    Args:
        books: The ledger.
        period: When the incident was, with a start and an end; the quarters of an hour that it touches are asked about.
        baseline: Periods of the same length without it, whose mean is expected; the same hours of the past four weeks unless said.
        by: Tags and dimensions of which combinations are looked for, as in `Books.rows`; those in `filters` are left out.
        samples: How many of the dearest tasks are shown.
        **filters: Only steps with these values, such as those of the series in which the incident was found. A filter of one value
            is one of the explanation's tags.

    Returns:
        The combination with most of the excess, and under `others` those that carry the rest.

    Raises:
        ValueError: There is no such name, or a period has no end.
    """
    by = [name for name in by if name not in filters]
    if by:
        expect_tags(by)
    period = in_quarters(period)
    compared = past_weeks(books, period) if baseline is None else tuple(map(in_quarters, baseline))
    names = [*dict.fromkeys([*by, *CALLS_BY])]
    now = books.rows(names, period, sums=CALLS_SUMS, **filters)
    before = [books.rows(names, each, sums=CALLS_SUMS, **filters) for each in compared]
    background = books.rows(by, all_hours(period), sums=("cost_nanousd",), **filters)
    earlier = [*background, *(row for rows in before for row in rows)]
    succession = Succession(by, now, earlier)
    weeks = [succession.of(rows, CALLS_SUMS) for rows in before]
    cuts = localise(cells_of(by, now, weeks, background=succession.of(background, ("cost_nanousd",))))
    asking = _Asking(books, period, compared, by, samples, filters)
    first, *others = (
        asking.explanation(tags, now, weeks, earlier) for tags in ([cut.tags for cut in cuts] or [{}])
    )
    return replace(first, others=tuple(others))


class _Asking:
    """One incident, and what the books say of it."""

    def __init__(
        self,
        books: Books,
        period: Period,
        baseline: tuple[Period, ...],
        by: Sequence[str],
        samples: int,
        filters: Mapping[str, object],
    ) -> None:
        self._books = books
        self._period = period
        self._baseline = baseline
        self._by = by
        self._samples = samples
        self._filters = filters

    def explanation(
        self, tags: Mapping[str, str], now: Rows, weeks: Sequence[Rows], earlier: Rows
    ) -> Explanation:
        """What is known of one combination.

        Args:
            tags: The combination.
            now: The rows of the period.
            weeks: Those of the baseline, versions in their successors' place.
            earlier: All rows of the time before, as they were.
        """
        own, usual = _having(tags, now), [_having(tags, rows) for rows in weeks]
        total, observed, expected = _excess(now, weeks), _cost(own), _mean(usual)
        named, new = with_versions(tags, self._by, own, earlier)
        single = {name: value for name, value in self._filters.items() if isinstance(value, str)}
        return Explanation(
            tags={**single, **named},
            excess_nanousd=observed - expected,
            share=(observed - expected) / total if total else 0.0,
            observed_nanousd=observed,
            expected_nanousd=expected,
            total_excess_nanousd=total,
            period=self._period,
            baseline=self._baseline,
            new=new,
            sample_tasks=self._tasks({**self._filters, **tags}),
            changes=changes(own, usual, self._price),
        )

    def _price(self, provider: str, model: str, tier: str) -> Price | None:
        assert self._period.since_us is not None
        return self._books.prices.price(provider, model, self._period.since_us, tier)

    def _tasks(self, filters: Mapping[str, object]) -> tuple[SampleTask, ...]:
        """The dearest tasks of a cut, by their steps in the period that are still there."""
        books = self._books
        changed = books.organisation.changed_tags()
        asked = {name: value for name, value in filters.items() if name not in changed}
        values = {
            f"value_{at}": value for at, value in enumerate(asked.values()) if isinstance(value, str | int)
        }
        if not self._samples or len(values) < len(asked):  # several values: whose tasks is not one question
            return ()
        where = "".join(f" AND {column(name)} = getvariable('value_{at}')" for at, name in enumerate(asked))

        def read(names: Sequence[str], part: Period) -> list[dict[str, Any]]:
            tags = [name for name in names if name != "task_id"]
            return books.ask(
                f"SELECT s.task_id AS task_id, {columns(tags)}sum(s.cost_nanousd)::BIGINT AS cost_nanousd,"
                " count(*) FILTER (WHERE s.entry = 'charge') AS steps"
                " FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id"
                " WHERE s.started_us >= getvariable('since_us') AND s.started_us < getvariable('until_us')"
                f"{where} GROUP BY ALL",
                **bounds(part),
                **values,
            )

        mapped = {name: value for name, value in filters.items() if name in changed}
        rows = books.seen(["task_id", *mapped], self._period, read, sums=("cost_nanousd", "steps"), **mapped)
        rows.sort(key=lambda row: (-row["cost_nanousd"], row["task_id"]))
        return tuple(
            SampleTask(row["task_id"], row["cost_nanousd"], row["steps"]) for row in rows[: self._samples]
        )


def _having(tags: Mapping[str, str], rows: Rows) -> Rows:
    return [row for row in rows if all(str(row[name]) == value for name, value in tags.items())]


def _cost(rows: Rows) -> int:
    return sum(row["cost_nanousd"] for row in rows)


def _mean(weeks: Sequence[Rows]) -> int:
    """What the weeks cost on average, rounded half even."""
    return rounded(sum(map(_cost, weeks)), len(weeks)) if weeks else 0


def _excess(now: Rows, weeks: Sequence[Rows]) -> int:
    return _cost(now) - _mean(weeks)
