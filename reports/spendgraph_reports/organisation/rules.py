"""One mapping and one split, ready to be applied to rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.organisation.dividing import Divider

if TYPE_CHECKING:
    from spendgraph.policy import DatedRule, Split, TagMapping

RULE: Final = "rule"
"""The column that names the rules that made a row what it is; empty where it is as it was booked."""

Row = dict[str, Any]


def column(tag: str) -> str:
    """The column of a tag, as the ledger's reader names it: `extra.region` for `x_region`."""
    return f"extra.{tag[2:]}" if tag.startswith("x_") else tag


def columns(tags: Mapping[str, str]) -> Row:
    """Values of tags by column."""
    return {column(tag): value for tag, value in tags.items()}


class _Matching:
    """Finds the rows that a rule is for."""

    def __init__(self, rule: DatedRule) -> None:
        self._wanted = [(column(tag), frozenset(values)) for tag, values in rule.when.items()]

    def matches(self, row: Row) -> bool:
        """Whether the row has one of the values wanted of every tag."""
        return all(row[name] in values for name, values in self._wanted)


class Relabelling(_Matching):
    """A mapping."""

    def __init__(self, mapping: TagMapping) -> None:
        super().__init__(mapping)
        self._name = mapping.name
        self._values = columns(mapping.set_)

    def apply(self, row: Row) -> None:
        """Set the tags of a row that is meant, and say so where that changes it."""
        if self.matches(row) and any(row[name] != value for name, value in self._values.items()):
            row |= self._values
            row[RULE] = _with(row[RULE], self._name)


class Sharing(_Matching):
    """A split; it remembers what it has divided."""

    def __init__(self, split: Split, sums: Sequence[str]) -> None:
        from spendgraph.policy.scalars import percent_text  # loads pydantic, as the policy has done

        super().__init__(split)
        self._parts = [
            (f"{split.name} ({percent_text(part.share)})", columns(part.set_)) for part in split.into
        ]
        self._dividers = {name: Divider([part.share for part in split.into]) for name in sums}

    def parts(self, row: Row) -> Iterator[Row]:
        """The row's parts, whose sums add up to the row's."""
        divided = {name: divider.divide(row[name]) for name, divider in self._dividers.items()}
        for number, (label, values) in enumerate(self._parts):
            sums = {name: amounts[number] for name, amounts in divided.items()}
            yield {**row, **values, **sums, RULE: _with(row[RULE], label)}


def _with(rules: str, name: str) -> str:
    return f"{rules}; {name}" if rules else name
