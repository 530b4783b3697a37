"""The tasks of a period, by who pays for them.

A task belongs to the period in which its first step started, with all it ever cost; one without steps to that in which
it was opened. It is paid for by the tags it was opened with, as mappings have them on that day. Splits leave it whole:
they divide sums, and half a task has no median.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph.clock import iso
from spendgraph.ledger.columns import TAGS, names
from spendgraph_reports.books import Books
from spendgraph_reports.organisation import Organisation

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

_PROVIDER: Final = "owner_team"
"""A mapping may look at it, and a task has none: its steps have."""


def expect_tags(by: Sequence[str]) -> None:
    """Refuse what is no tag of a task, or stands there twice.

    Raises:
        ValueError: It does.
    """
    if len(set(names(by))) != len(by):
        raise ValueError(f"expected different tags to report by, found {', '.join(by)}")
    for name in by:
        if name not in TAGS and not name.startswith("extra."):
            raise ValueError(f"a task has no tag {name!r}; it has {', '.join(TAGS)} and extra.<key>")


def unsplit(books: Books) -> Books:
    """The same books without the splits of the organisation, as tasks are counted."""
    if not books.organisation.splits:
        return books
    return Books(books.ledger, zone=books.zone, organisation=Organisation(books.organisation.mappings))


def tasks_of(
    books: Books, period: Period, by: Sequence[str], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The tasks whose first step started in a period, in the order of those.

    Args:
        books: The ledger.
        period: The period.
        by: Tags.
        columns: What else is asked of a task; see `LedgerReader.tasks_rolled`.

    Returns:
        Rows with all of these.
    """
    for part, renaming in _renamings(books, period):
        wanted = [*dict.fromkeys([*by, *renaming.needed, *columns])]
        for row in books.reader.tasks_rolled(wanted, since=part.since_us, until=part.until_us):
            yield renaming.apply(row)


def tasks_without_steps(
    books: Books, period: Period, by: Sequence[str], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The tasks opened in a period in which nothing was ever booked; as `tasks_of`."""
    for part, renaming in _renamings(books, period):
        wanted = [*dict.fromkeys([*by, *renaming.needed, *columns])]
        for row in books.reader.tasks_without_steps(wanted, since=part.since_us, until=part.until_us):
            yield renaming.apply(row)


def whole_tasks(books: Books, period: Period, by: Sequence[str]) -> list[dict[str, Any]]:
    """The tasks of a period, each child task as a part of its outermost one, with that one's tags.

    A child that began in another period than its root is a task of that period by itself: no dollar is in two.

    Returns:
        Rows with `task_id`, `cost_nanousd` and the tags.
    """
    roots = books.reader.task_roots([*dict.fromkeys([*by, *_needed(books)])])
    found: dict[str, dict[str, Any]] = {}
    for part, renaming in _renamings(books, period):
        wanted = [*dict.fromkeys(["task_id", "cost_nanousd", *by, *renaming.needed])]
        for row in books.reader.tasks_rolled(wanted, since=part.since_us, until=part.until_us):
            payer = renaming.apply(row | roots.get(row["task_id"], {}))
            whole = found.setdefault(payer["task_id"], payer | {"cost_nanousd": 0})
            whole["cost_nanousd"] += row["cost_nanousd"]
    return list(found.values())


class _Renaming:
    """The mappings in force in a part of a period within which none begins or ends."""

    def __init__(self, books: Books, rules: Organisation, part: Period) -> None:
        self.needed = _needed(books)
        self._rules = rules
        self._part = part
        self._zone = books.zone
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def apply(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with the tags that it has after them."""
        if not self.needed:
            return row
        key = tuple([row[name] for name in self.needed])
        if key not in self._known:
            tags = dict(zip(self.needed, key, strict=True)) | {_PROVIDER: "", "tasks": 1}
            (renamed,) = self._rules.apply([tags], self._part, self._zone, sums=["tasks"])
            self._known[key] = {name: renamed[name] for name in self.needed}
        return row | self._known[key]


def _needed(books: Books) -> tuple[str, ...]:
    """The tags that mappings look at or set."""
    rules = Organisation(books.organisation.mappings)
    return tuple(name for name in rules.needed_tags() if name != _PROVIDER)


def _renamings(books: Books, period: Period) -> Iterator[tuple[Period, _Renaming]]:
    rules = Organisation(books.organisation.mappings)
    for part in rules.boundaries(period, books.zone):
        yield part, _Renaming(books, rules, part)


def pruned(books: Books, period: Period, what: str) -> tuple[str, ...]:
    """The caveat that something cannot be told of a part of a period any more, because its steps are gone.

    Args:
        books: The ledger.
        period: The period.
        what: What it is, such as `Which tasks had a step cut`.
    """
    before_us = books.reader.rollup_status().pruned_before_us
    since_us = 0 if period.since_us is None else period.since_us
    if before_us <= since_us:
        return ()
    return (f"{what} is not known before {iso(before_us)}: steps were pruned. Sums are whole.",)
