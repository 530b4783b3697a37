"""Rows that say the same become one, with the sums of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def merged(
    rows: Iterable[Mapping[str, Any]], *, by: Sequence[str], sums: Sequence[str]
) -> list[dict[str, Any]]:
    """Sums by some of the rows' columns, in the order in which the rows come.

    >>> rows = [{"team": "sales", "steps": 2}, {"team": "legal", "steps": 1}, {"team": "sales", "steps": 3}]
    >>> merged(rows, by=["team"], sums=["steps"])
    [{'team': 'sales', 'steps': 5}, {'team': 'legal', 'steps': 1}]

    Raises:
        ValueError: A row lacks a column, or holds something other than a whole number where one is summed.
    """
    totals: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in rows:
        try:
            key = tuple([row[name] for name in by])
            amounts = [row[name] for name in sums]
        except KeyError as error:
            raise ValueError(
                f"expected the columns {', '.join([*by, *sums])}, found {', '.join(row)}: no {error.args[0]!r}"
            ) from None
        for name, amount in zip(sums, amounts, strict=True):
            if type(amount) is not int:
                raise ValueError(f"expected a whole number in {name!r}, found {amount!r}")
        total = totals.get(key)
        if total is None:
            totals[key] = dict(zip((*by, *sums), (*key, *amounts), strict=True))
        else:
            for name, amount in zip(sums, amounts, strict=True):
                total[name] += amount
    return list(totals.values())
