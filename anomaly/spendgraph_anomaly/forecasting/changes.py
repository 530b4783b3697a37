"""Known changes: a launch or a price change from a day on, as a factor or as dollars a day, for one cut or for all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

_EXPECTED: Final = (
    "expected a day or two, tags, and what changes, such as '2026-12-01 tenant=acme +20%', '2026-12-01 x1.5' or"
    " '2026-12-01..2026-12-14 feature=search +$40/day'"
)
_AMOUNT: Final = r"(?P<number>\d+(?:\.\d+)?)"
_PERCENT: Final = re.compile(rf"(?P<sign>[+-]){_AMOUNT}%")
_FACTOR: Final = re.compile(rf"[x×*]{_AMOUNT}")
_DOLLARS: Final = re.compile(rf"(?P<sign>[+-])\$?{_AMOUNT}(?:/day)?")


@dataclass(frozen=True, slots=True)
class Change:
    """What is known to come.

    >>> Change.read("2026-12-01 tenant=acme +20%").factor
    1.2

    Attributes:
        first: The first day of it.
        tags: Whose spending; none is everybody's.
        factor: What a day is multiplied with.
        usd_a_day: What is added to a day, in dollars.
        last: The last day of it; without one it stays.
    """

    first: date
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    factor: float = 1.0
    usd_a_day: float = 0.0
    last: date | None = None

    @classmethod
    def read(cls, text: str) -> Change:
        """A change as it is written on a command line.

        Raises:
            ValueError: It is none.
        """
        days, *tags, amount = text.split() if len(text.split()) > 1 else ("", "")
        first, _, last = days.partition("..")
        try:
            found = dict(_tag(tag) for tag in tags)
            factor, usd = _amount(amount)
            change = cls(
                date.fromisoformat(first), found, factor, usd, date.fromisoformat(last) if last else None
            )
        except ValueError:
            raise ValueError(f"{_EXPECTED}, found {text!r}") from None
        if change.last is not None and change.last < change.first:
            raise ValueError(f"expected a change that ends after it begins, found {text!r}")
        return change

    @property
    def text(self) -> str:
        """For people."""
        when = f"from {self.first}" if self.last is None else f"from {self.first} to {self.last}"
        whose = ", ".join(f"{name}={value}" for name, value in self.tags.items()) or "everything"
        what = f"times {self.factor:g}" if self.factor != 1 else f"{self.usd_a_day:+,.2f} dollars a day"
        return f"{whose} {when}: {what}"

    def is_of(self, tags: Mapping[str, str]) -> bool:
        """Whether it is about a cut with these tags."""
        return all(tags.get(name) == value for name, value in self.tags.items())

    def holds(self, days: Sequence[date]) -> NDArray[np.bool_]:
        """On which days it does."""
        return np.array(
            [self.first <= day and (self.last is None or day <= self.last) for day in days], dtype=bool
        )


def weighed(
    paths: Mapping[tuple[str, ...], Values],
    by: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    days: Sequence[date],
    changes: Sequence[Change],
) -> dict[tuple[str, ...], Values]:
    """Paths of cuts with changes that are known to come, one after the other; no day comes to less than nothing.

    A change that is about a part of a cut moves it by the share that the part has had of late. Dollars a day go to the cuts
    they are about by what each has spent of late; where none has, to one cut with the change's tags.

    Args:
        paths: What each day of each cut comes to without changes, in dollars.
        by: What the cuts are of.
        rows: What was spent of late, by the tags of the cuts and of the changes: `cost_nanousd`.
        days: The days of the paths.
        changes: What is known.
    """
    found = {cut: np.array(path, dtype=np.float64) for cut, path in paths.items()}
    for change in changes:
        whole: dict[tuple[str, ...], int] = dict.fromkeys(found, 0)
        touched: dict[tuple[str, ...], int] = dict.fromkeys(found, 0)
        for row in rows:
            cut = tuple(str(row[name]) for name in by)
            cost = max(row["cost_nanousd"], 0)
            whole[cut] = whole.get(cut, 0) + cost
            if change.is_of({name: str(row[name]) for name in change.tags}):
                touched[cut] = touched.get(cut, 0) + cost
        on = change.holds(days)
        for cut, path in found.items():
            share = 1.0 if not change.tags else touched[cut] / whole[cut] if whole[cut] else 0.0
            path[on] *= 1 + share * (change.factor - 1)
        if change.usd_a_day:
            _add(found, touched, tuple(change.tags.get(name, "") for name in by), on, change.usd_a_day)
    return found


def _add(
    paths: dict[tuple[str, ...], Values],
    touched: Mapping[tuple[str, ...], int],
    own: tuple[str, ...],
    on: NDArray[np.bool_],
    usd_a_day: float,
) -> None:
    """Add dollars to the cuts they are about, or to one of their own."""
    spent = sum(touched.values())
    shares = {cut: cost / spent for cut, cost in touched.items() if cost} if spent else {own: 1.0}
    for cut, share in shares.items():
        path = paths.setdefault(cut, np.zeros(len(on)))
        path[on] = np.maximum(path[on] + share * usd_a_day, 0.0)


def expect_ahead(changes: Sequence[Change], today: date) -> None:
    """See that changes are still to come.

    Raises:
        ValueError: One has begun: what was spent since then shows it, and it would count twice.
    """
    for change in changes:
        if change.first < today:
            raise ValueError(
                f"expected changes from {today} on, found one from {change.first}: what was spent since then shows it already"
            )


def _tag(text: str) -> tuple[str, str]:
    name, is_given, value = text.partition("=")
    if not (name and is_given):
        raise ValueError(text)
    return name, value


def _amount(text: str) -> tuple[float, float]:
    """A factor and dollars a day."""
    if found := _PERCENT.fullmatch(text):
        share = Decimal(f"{found['sign']}{found['number']}") / 100
        if share < -1:
            raise ValueError(text)
        return float(1 + share), 0.0
    if found := _FACTOR.fullmatch(text):
        return float(found["number"]), 0.0
    if found := _DOLLARS.fullmatch(text):
        return 1.0, float(f"{found['sign']}{found['number']}")
    raise ValueError(text)
