"""What is spent so far and what is expected: a sum that grows to a period's end, and between which amounts it will lie."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from spendgraph_reports.plots.palette import MUTED, REST, RULE, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.scales import amount, amounts, day_label, ticks, usd_labels
from spendgraph_reports.plots.sheet import SMALL, apart, band, line, sheet, widest, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SPENT: Final = SERIES[0]
_EXPECTED: Final = SERIES[1]


@dataclass(frozen=True, slots=True)
class Fan:
    """A sum by day; money in nano-USD.

    Attributes:
        days: The days, without a gap.
        sums: What is spent or expected from the first day's start to each day's end.
        low: Where the interval of each sum begins; of a day that is over, the sum.
        high: Where it ends.
        known: So many days are over.
        level: Of so many percent of such sums the interval holds what comes.
    """

    days: tuple[date, ...]
    sums: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    known: int
    level: int = 80

    def __post_init__(self) -> None:
        """See that every day has all of them."""
        lengths = {len(each) for each in (self.days, self.sums, self.low, self.high)}
        if len(lengths) > 1 or not 0 <= self.known <= len(self.days):
            raise ValueError(
                f"expected as many amounts as days ({len(self.days)}) and no more days over, found {sorted(lengths)} and"
                f" {self.known}"
            )


def fan(seen: Fan) -> Plot:
    """A sum that grows to a period's end: what is spent, what is expected, and the interval."""
    if not seen.days or not any((*seen.sums, *seen.high)):
        nothing = "Nothing was spent, and nothing is expected."
        return Plot(nothing, nothing)
    last = day_label(seen.days[-1])
    if seen.known == len(seen.days):
        title = f"{amount(seen.sums[-1])} was spent by {last}."
        return Plot(
            title, f"A line of what was spent up to each day. {title}", lambda width: _draw(seen, width)
        )
    title = (
        f"{amount(seen.sums[-1])} is expected by {last}, {seen.level} times of 100 between {amount(seen.low[-1])} and"
        f" {amount(seen.high[-1])}."
    )
    spent = seen.sums[seen.known - 1] if seen.known else 0
    alt = (
        f"A line of what is spent up to each day, {amount(spent)} in {seen.known} days, that goes on with what is expected, in a band"
        f" that grows wider. {title}"
    )
    return Plot(
        title,
        alt,
        lambda width: _draw(seen, width),
        note=f"The band holds the sum {seen.level} times of 100.",
    )


def _draw(seen: Fan, width: int) -> Figure:
    is_narrow = width < 600
    sums, low, high = ([0.0, *(each / 1e9 for each in row)] for row in (seen.sums, seen.low, seen.high))
    beside = ticks(min(0.0, *sums, *low), max(*sums, *high), 4)
    labels = usd_labels(beside)
    leader = 12 if is_narrow else 20
    names = _ends(seen, is_narrow=is_narrow)
    left = widest(labels, SMALL) + 8
    right = leader + 6 + widest([name for _, name, _ in names]) + 2
    height = 260 if is_narrow else 310
    figure, axes = sheet(width, height, left=left, right=right, top=14, bottom=28)
    axes.set_xlim(0, len(seen.days))
    axes.set_ylim(beside[0], beside[-1])
    axes.set_yticks(beside, labels)
    axes.set_xticks(*_days(seen.days, (width - left - right) / 52))
    axes.get_xticklabels()[0].set_horizontalalignment("left")  # it would stand under the lowest amount
    axes.grid(axis="y")
    ahead = range(seen.known, len(sums))
    if len(ahead) > 1:
        band(axes, ahead, low[seen.known :], high[seen.known :], RULE)
    line(axes, axes.get_xlim(), [0, 0], MUTED, width=1)
    line(axes, range(seen.known + 1), sums[: seen.known + 1], _SPENT)
    line(axes, ahead, sums[seen.known :], _EXPECTED)
    _name_ends(axes, names, leader, (width - left - right, height - 42))
    return figure


def _ends(seen: Fan, *, is_narrow: bool) -> list[tuple[float, str, str]]:
    """What the line and the band's edges are at the end: where, what it is called, and its colour."""
    if seen.known == len(seen.days):
        return [(seen.sums[-1] / 1e9, f"{amount(seen.sums[-1])} spent", _SPENT)]
    ends = (seen.low[-1], seen.sums[-1], seen.high[-1])
    words = ("", "", "") if is_narrow else (" at least", " expected", " at most")  # the title says it too
    return [
        (end / 1e9, said + word, colour)
        for end, said, word, colour in zip(ends, amounts(ends), words, (REST, _EXPECTED, REST), strict=True)
    ]


def _name_ends(
    axes: Axes, ends: Sequence[tuple[float, str, str]], leader: float, size: tuple[float, float]
) -> None:
    """The names at the ends, each with a line of its colour."""
    (first, last), (low, high) = axes.get_xlim(), axes.get_ylim()
    across, up = (last - first) / size[0], (high - low) / size[1]
    places = apart([end for end, _, _ in ends], 18 * up, low + 8 * up, high - 8 * up)
    for (end, name, colour), place in zip(ends, places, strict=True):
        line(axes, [last, last + leader * across], [end, place], colour, width=1.5)
        write(axes, last, place, name, shift=(leader + 5, 0))


def _days(days: Sequence[date], most: float) -> tuple[list[float], list[str]]:
    """Which days are named below, where they begin: as many as there is room for, at even distances."""
    every = next(step for step in (1, 2, 7, 14, 28, 56, 10_000) if len(days) / step <= most)
    shown = range(0, len(days), every)
    return [float(at) for at in shown], [day_label(days[at]) for at in shown]
