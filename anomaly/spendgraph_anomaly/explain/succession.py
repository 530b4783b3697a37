"""Succession: a version that came takes the place of the one that went, and what that was expected to cost is expected of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

SUCCESSIVE: Final = ("version", "template_version")
"""Tags of which one value takes the place of another."""

FEATURE: Final = "feature"
"""Whose versions they are: two features may have versions of one name."""

Row = Mapping[str, Any]
Key = tuple[str, ...]


class Succession:
    """Who took whose place in a period, where all other tags are the same.

    What a version that is gone came to is expected of those that are there, in proportion to their calls; where a version is new, so is what the others came to,
    for what it does they did before. Without it every deploy looks like a cause: a new version where nothing was expected.

    Args:
        tags: By which rows are told apart.
        now: Rows of the period, with `steps`.
        before: Those of the time before; what is not in them is new.
    """

    def __init__(self, tags: Sequence[str], now: Iterable[Row], before: Iterable[Row]) -> None:
        self._stable = [name for name in tags if name not in SUCCESSIVE]
        self._versions = [name for name in tags if name in SUCCESSIVE]
        self._calls: defaultdict[Key, defaultdict[Key, int]] = defaultdict(lambda: defaultdict(int))
        for row in now:
            self._calls[self._key(row, self._stable)][self._key(row, self._versions)] += row["steps"]
        known: defaultdict[Key, set[Key]] = defaultdict(set)
        for row in before:
            known[self._key(row, self._stable)].add(self._key(row, self._versions))
        self._has_new = {key for key, calls in self._calls.items() if not calls.keys() <= known[key]}

    def of(self, rows: Iterable[Row], sums: Sequence[str]) -> list[Row]:
        """Rows of another time, under the versions of which they are expected now; they add up to the same.

        Args:
            rows: Rows with the tags and the sums.
            sums: What is divided.
        """
        found: list[Row] = []
        for row in rows:
            key = self._key(row, self._stable)
            calls = self._calls.get(key)
            if calls is None or (self._key(row, self._versions) in calls and key not in self._has_new):
                found.append(row)
            else:
                found += self._divided(row, calls, sums)
        return found

    def _divided(self, row: Row, calls: Mapping[Key, int], sums: Sequence[str]) -> list[Row]:
        """One row, divided among versions by their calls, to the last nano-dollar."""
        found: list[Row] = []
        left, rest = {name: row[name] for name in sums}, sum(calls.values())
        for number, (version, own) in enumerate(sorted(calls.items()), start=1):
            part = (
                left
                if number == len(calls)
                else {name: amount * own // rest if rest else 0 for name, amount in left.items()}
            )
            left = {name: amount - part[name] for name, amount in left.items()}
            rest -= own
            found.append({**row, **dict(zip(self._versions, version, strict=True)), **part})
        return found

    @staticmethod
    def _key(row: Row, names: Sequence[str]) -> Key:
        return tuple(str(row[name]) for name in names)


def with_versions(
    tags: Mapping[str, str], by: Sequence[str], now: Sequence[Row], before: Iterable[Row]
) -> tuple[dict[str, str], dict[str, str]]:
    """A combination with what belongs to it: a version has the feature of which it is one, and what is all new is of the version that is new.

    Args:
        tags: The combination.
        by: Which tags there are.
        now: Its rows of a period.
        before: All rows of the time before, as they were.

    Returns:
        The combination, and of it the versions that its feature did not have before.
    """
    own = dict(tags)
    features = {str(row[FEATURE]) for row in now if row["cost_nanousd"]} if FEATURE in by else set[str]()
    if len(features) == 1 and "" not in features and any(name in own for name in SUCCESSIVE):
        own = {FEATURE: features.copy().pop(), **own}
    known = [row for row in before if FEATURE not in by or str(row[FEATURE]) in features]
    new: dict[str, str] = {}
    for name in by:
        values = {str(row[name]) for row in now if row["cost_nanousd"]} if name in SUCCESSIVE else set[str]()
        if (
            len(values) == 1
            and "" not in values
            and known
            and values.isdisjoint(str(row[name]) for row in known)
        ):
            new[name] = values.pop()
    return own | new, new
