"""The lines of statements as plain rows: what a payer consumed, what is restated, and what it provided to others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph.ledger.columns import TAGS
from spendgraph_reports.chargeback.providers import Providers
from spendgraph_reports.months import closed, month_of, months, named
from spendgraph_reports.organisation import RULE, merged
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.chargeback.closing import Close

SUMS: Final = (
    "cost_nanousd",
    "steps",
    "corrections",
    "unattributed_nanousd",
    "not_reported_nanousd",
    "unpriced_steps",
)
"""What each line adds up."""

CONSUMED: Final = "consumed"
RESTATED: Final = "restated"
PROVIDED: Final = "provided"
SECTIONS: Final = (CONSUMED, RESTATED, PROVIDED)
"""The parts of a statement, in their order; the last one adds nothing to what is paid."""

TEAM: Final = "team"
"""The payers that are also who provides: a step's `owner_team`."""

_ASKED: Final = ("feature", "kind", "model", "name", "owner_team", "missing_tags", RULE)
_LINE: Final = (
    "section",
    "month",
    "feature",
    "kind",
    "item",
    "provided_by",
    "missing_tags",
    RULE,
    "consumed_by",
)

Line = dict[str, Any]


def lines_of(books: Books, period: Period, of: str, close: Close) -> list[Line]:
    """Every line of every statement of a period, in the order in which statements are read.

    Args:
        books: The ledger.
        period: What the statements are about.
        of: The tag that says who pays.
        close: Which rows they are about.

    Raises:
        ValueError: It is no tag.
    """
    if of not in TAGS and not of.startswith("extra."):
        raise ValueError(
            f"expected a tag that says who pays, such as team, cost_center or tenant, found {of!r}"
        )
    by = list(dict.fromkeys([of, "team", *_ASKED]))
    closings, providers = books.reader.closings, Providers(books.organisation)

    def on_time(names: Sequence[str], part: Period) -> list[Line]:
        since, until = part.since_us, part.until_us
        rows = closings.before(names, since=since, until=until, sums=SUMS, before_seq=close.before_seq)
        return providers.marked(rows)

    def late(names: Sequence[str], part: Period) -> list[Line]:
        since, until = part.since_us, part.until_us
        rows = closings.after(
            names, since=since, until=until, sums=SUMS, from_seq=close.from_seq, before_seq=close.before_seq
        )
        return providers.marked(rows)

    name = named(period, books.zone)
    found = [_line(row, of, CONSUMED, name, providers) for row in books.seen(by, period, on_time, sums=SUMS)]
    for month, piece in late_months(books, period, close):
        rows = books.seen(by, piece, late, sums=SUMS)
        found += [_line(row, of, RESTATED, month, providers) for row in rows]
    lines = merged(found, by=list(dict.fromkeys([of, *_LINE])), sums=SUMS)
    if of == TEAM:
        lines += _provided(lines)
    return _in_order(lines, of)


def totals_of(books: Books, period: Period, close: Close) -> dict[str, dict[str, int]]:
    """What the ledger says that all statements add up to, by section: asked without any tag."""
    since, until = closed(period)
    closings = books.reader.closings
    own = closings.before((), since=since, until=until, sums=SUMS, before_seq=close.before_seq)
    late = closings.after(
        (), since=None, until=since, sums=SUMS, from_seq=close.from_seq, before_seq=close.before_seq
    )
    return {
        section: {name: sum(row[name] for row in rows) for name in SUMS}
        for section, rows in ((CONSUMED, own), (RESTATED, late))
    }


def written_late(books: Books, period: Period, close: Close) -> tuple[int, int]:
    """How many rows of a period were written since its close, and what they cost: they are the next statements'."""
    since, until = closed(period)
    if close.is_open:
        return 0, 0
    rows = books.reader.closings.after(
        (), since=since, until=until, sums=SUMS, from_seq=close.before_seq, before_seq=None
    )
    return sum(row["steps"] + row["corrections"] for row in rows), sum(row["cost_nanousd"] for row in rows)


def late_months(books: Books, period: Period, close: Close) -> list[tuple[str, Period]]:
    """The months before a period, by name, some of whose rows may have been written since the close before."""
    since, _ = closed(period)
    span = books.reader.closings.span(since, close.from_seq, close.before_seq)
    if span is None:
        return []
    first = closed(month_of(span[0], books.zone))[0]
    last = closed(month_of(span[1], books.zone))[1]
    return months(Period(first, min(last, since)), books.zone)


def _line(row: dict[str, Any], of: str, section: str, month: str, providers: Providers) -> Line:
    return {
        of: row[of],
        "section": section,
        "month": month,
        "feature": row["feature"],
        "kind": row["kind"],
        "item": row["model"] or row["name"],
        "provided_by": providers.of(row),
        "missing_tags": row["missing_tags"],
        RULE: row[RULE],
        "consumed_by": "",
        **{name: row[name] for name in SUMS},
    }


def _provided(lines: Iterable[Line]) -> list[Line]:
    """What each team's own tools, retrievers and agents cost others, as lines of the provider that cost it nothing."""
    found: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for line in lines:
        provider, consumer = line["provided_by"], line[TEAM]
        if provider and provider != consumer:
            found[provider, consumer, line["month"], line["kind"], line["item"]] += line["cost_nanousd"]
    return [
        {
            **dict.fromkeys((*_LINE, "feature"), ""),
            TEAM: provider,
            "section": PROVIDED,
            "month": month,
            "kind": kind,
            "item": item,
            "provided_by": provider,
            "consumed_by": consumer,
            **dict.fromkeys(SUMS, 0),
            "provided_nanousd": cost,
        }
        for (provider, consumer, month, kind, item), cost in found.items()
        if cost
    ]


def _in_order(lines: Sequence[Line], of: str) -> list[Line]:
    """The dearest payer first and nobody's last; what is restated after what is of the period, the latest month first."""
    paid: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        paid[line[of]] += line["cost_nanousd"]

    def key(line: Line) -> tuple[Any, ...]:
        amount = line.get("provided_nanousd", 0) or line["cost_nanousd"]
        names = (line["feature"], line["kind"], line["item"], line["provided_by"], line["missing_tags"])
        more = (line[RULE], line["consumed_by"])
        return (
            not line[of],
            -paid[line[of]],
            line[of],
            SECTIONS.index(line["section"]),
            _backwards(line["month"]),
            -amount,
            *names,
            *more,
        )

    return sorted(lines, key=key)


def _backwards(month: str) -> tuple[int, ...]:
    """Later months first."""
    return tuple(-ord(character) for character in month)
