"""Applies the policy's mappings and splits to rows of sums: who pays is another, the totals are the same.

A report asks the ledger for each of `boundaries()` apart, grouped by `needed_tags()` beside its own columns, and
applies the rules to the answer. Sums stay whole numbers, and every column adds up to what it did before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from spendgraph_reports.organisation.merging import merged
from spendgraph_reports.organisation.rules import RULE, Relabelling, Row, Sharing, column
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from spendgraph.policy import Policy, Split, TagMapping


@dataclass(frozen=True, slots=True)
class Organisation:
    """What a policy says of reorganisations; without rules, rows stay as they are.

    >>> from spendgraph.policy import parse_policy
    >>> organisation = Organisation.of(parse_policy('''
    ...     mappings:
    ...       - {name: growth joins sales, from: 2026-07-01, when: {team: growth}, set: {team: sales}}
    ... '''))
    >>> rows = [{"team": "growth", "cost_nanousd": 7}, {"team": "sales", "cost_nanousd": 5}]
    >>> for row in organisation.apply(rows, Period.month("2026-07"), sums=["cost_nanousd"]):
    ...     print(row)
    {'team': 'sales', 'rule': 'growth joins sales', 'cost_nanousd': 7}
    {'team': 'sales', 'rule': '', 'cost_nanousd': 5}
    """

    mappings: tuple[TagMapping, ...] = ()
    splits: tuple[Split, ...] = ()

    @classmethod
    def of(cls, policy: Policy) -> Organisation:
        """The mappings and splits of a policy."""
        return cls(policy.mappings, policy.splits)

    def needed_tags(self) -> tuple[str, ...]:
        """The columns that rules look at or set, as the ledger's reader names them: `team`, `extra.region`."""
        looked_at = [column(tag) for rule in self._rules for tag in rule.when]
        return tuple(dict.fromkeys([*looked_at, *self.changed_tags()]))

    def changed_tags(self) -> tuple[str, ...]:
        """The columns that rules set: a filter on one of them has to wait until they are applied."""
        tags = [mapping.set_ for mapping in self.mappings]
        tags += [part.set_ for split in self.splits for part in split.into]
        return tuple(dict.fromkeys(column(tag) for each in tags for tag in each))

    def boundaries(self, period: Period, zone: str = "UTC") -> list[Period]:
        """The period in pieces, in order, within which no rule begins or ends.

        Args:
            period: What a report is about; it may be open.
            zone: The report's time zone, where the rules' days begin.
        """
        inside = sorted({moment for moment, _ in self._moments(period, zone)})
        return [Period(*ends) for ends in pairwise([period.since_us, *inside, period.until_us])]

    def apply(
        self, rows: Iterable[Mapping[str, Any]], period: Period, zone: str = "UTC", *, sums: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The rows as the rules in force would have them, equal ones merged, with the column `rule`.

        First all mappings, in order, each on what the one before it made; then the first split that matches. Equal rows
        in equal order give equal parts.

        Args:
            rows: Rows of one piece of `boundaries`, with all of `needed_tags`; columns that are no sums tell rows apart.
            period: That piece.
            zone: The report's time zone.
            sums: The columns that hold sums, whole numbers: money, tokens, counts. Each is split by the shares.

        Raises:
            ValueError: A rule begins or ends within the period, a row lacks a column, or a sum is no whole number.
        """
        for moment, name in sorted(self._moments(period, zone))[:1]:
            raise ValueError(
                f"expected a period within which no rule begins or ends, found {period.text}: {name!r} does at "
                f"{Period(moment).since}; apply the rules to each of boundaries() apart"
            )
        mappings = [Relabelling(rule) for rule in self.mappings if _holds(rule, period, zone)]
        splits = [Sharing(rule, sums) for rule in self.splits if _holds(rule, period, zone)]
        mapped = [{**row, RULE: ""} for row in self._whole(rows, sums)]
        for row in mapped:
            for mapping in mappings:
                mapping.apply(row)
        by = [name for name in (mapped[0] if mapped else ()) if name not in sums]
        # Merged first: the fewer rows are divided, the fewer units are left over.
        whole = merged(mapped, by=by, sums=sums)
        return merged(_divided(whole, splits), by=by, sums=sums) if splits else whole

    def _whole(self, rows: Iterable[Mapping[str, Any]], sums: Sequence[str]) -> list[Mapping[str, Any]]:
        """The rows, if all have the same columns, and the rules' among them."""
        found = list(rows)
        if not found:
            return found
        needed, first = [*sums, *self.needed_tags()], found[0].keys()
        if missing := [name for name in needed if name not in first]:
            raise ValueError(
                f"expected the columns {', '.join(needed)}, found no {missing[0]!r}; group by needed_tags() too"
            )
        if RULE in first:
            raise ValueError(f"expected rows without {RULE!r}, found it: rules are applied once")
        if other := next((row for row in found if row.keys() != first), None):
            raise ValueError(
                f"expected the columns {', '.join(first)} in every row, found {', '.join(other)}"
            )
        return found

    @property
    def _rules(self) -> tuple[TagMapping | Split, ...]:
        return (*self.mappings, *self.splits)

    def _moments(self, period: Period, zone: str) -> Iterator[tuple[int, str]]:
        """When rules begin or end within a period, and which."""
        for rule in self._rules:
            span = Period.days(rule.from_, rule.to, zone)
            for moment in (span.since_us, span.until_us):
                if moment is not None and moment != period.since_us and moment in period:
                    yield moment, rule.name


def _holds(rule: TagMapping | Split, period: Period, zone: str) -> bool:
    """Whether a rule is in force in a period within which none begins or ends."""
    return period.since_us is not None and period.since_us in Period.days(rule.from_, rule.to, zone)


def _divided(rows: Iterable[Row], splits: Sequence[Sharing]) -> Iterator[Row]:
    """The rows, those that a split is for in parts."""
    for row in rows:
        split = next((split for split in splits if split.matches(row)), None)
        if split is None:
            yield row
        else:
            yield from split.parts(row)
