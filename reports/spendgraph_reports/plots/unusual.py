"""Spending beside what was to be expected: a line, the band in which it usually is, and what was too much, filled in."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph_reports.period import midnight
from spendgraph_reports.plots.palette import MUTED, REST, RULE, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.scales import amount, amounts, day_label, ticks, usd_labels
from spendgraph_reports.plots.sheet import SMALL, apart, boxes, line, sheet, widest, width_of, write
from spendgraph_reports.rendering.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SPENT: Final = SERIES[0]
_TOO_MUCH: Final = SERIES[1]
_MOST_LABELS: Final = 6


@dataclass(frozen=True, slots=True)
class Expectation:
    """What was spent in each bin, and what was to be expected; all in nano-USD.

    Attributes:
        starts_us: When each bin begins.
        until_us: When the last one ends.
        spent: What it came to.
        expected: What was to be expected.
        low: Where usual spending begins.
        high: Where it ends.
    """

    starts_us: tuple[int, ...]
    until_us: int
    spent: tuple[int, ...]
    expected: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]

    def __post_init__(self) -> None:
        """See that every bin has all of them."""
        lengths = {len(each) for each in (self.starts_us, self.spent, self.expected, self.low, self.high)}
        if len(lengths) > 1:
            raise ValueError(
                f"expected as many amounts as bins ({len(self.starts_us)}), found {sorted(lengths)}"
            )


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time in which too much was spent.

    Attributes:
        since_us: Where it begins.
        until_us: Where it ends.
        excess_nanousd: How much too much it was.
    """

    since_us: int
    until_us: int
    excess_nanousd: int


def unusual(name: str, seen: Expectation, marks: Sequence[Mark], unit: str, zone: str = "UTC") -> Plot:
    """Spending over time beside what was to be expected, with what stood out filled in.

    Args:
        name: Whose spending it is.
        seen: The bins.
        marks: What stood out.
        unit: What a bin is, such as `hour`.
        zone: Whose days are marked below.
    """
    shown = visible(name)
    if not seen.starts_us or not any((*seen.spent, *seen.expected)):
        nothing = f"Nothing was spent by {shown}, nor expected."
        return Plot(nothing, nothing)
    total = sum(mark.excess_nanousd for mark in marks)
    title = f"{shown}: nothing stood out."
    if marks:
        whens = [_when(mark, zone) for mark in sorted(marks, key=lambda mark: mark.since_us)]
        times = ", ".join(whens) if len(marks) <= 3 else f"{len(marks)} times"
        title = f"{shown} spent {amount(total)} more than was to be expected, {times}."
    peak = max(range(len(seen.spent)), key=seen.spent.__getitem__)
    alt = (
        f"A line of what was spent in each {unit} from {_time(seen.starts_us[0], zone)} to {_time(seen.until_us, zone)}, beside what was to be"
        f" expected and a band of what is usual. The highest was {amount(seen.spent[peak])} at {_time(seen.starts_us[peak], zone)}, where"
        f" {amount(seen.expected[peak])} was expected."
    )
    return Plot(
        title,
        alt,
        lambda width: _draw(seen, marks, zone, width),
        note=f"By {unit} in {zone}. Filled: what was spent beyond what was expected.",
    )


def _draw(seen: Expectation, marks: Sequence[Mark], zone: str, width: int) -> Figure:
    is_narrow = width < 600
    edges = [(at - seen.starts_us[0]) / 3.6e9 for at in (*seen.starts_us, seen.until_us)]
    spent, expected, low, high = (
        [each / 1e9 for each in row] for row in (seen.spent, seen.expected, seen.low, seen.high)
    )
    beside = ticks(min(0.0, *spent, *low), max(*spent, *high, *expected), 4)
    labels = usd_labels(beside)
    names = ["spent", "expected", "usual"]
    left = widest(labels, SMALL) + 8
    right = (12 if is_narrow else 20) + 6 + widest(names) + 2
    height = 250 if is_narrow else 300
    figure, axes = sheet(width, height, left=left, right=right, top=34, bottom=28)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(beside[0], beside[-1])
    axes.set_yticks(beside, labels)
    places, days = _days(seen, zone, (width - left - right) / 52)
    axes.set_xticks(places, days)
    if places[0] < 24 * (edges[-1] - edges[0]) / (width - left - right):
        axes.get_xticklabels()[0].set_horizontalalignment("left")  # it would stand under the lowest amount
    axes.grid(axis="y")
    spans = list(pairwise(edges))
    boxes(axes, _runs(spans, low, high), RULE, edged=False)
    marked = [
        any(mark.since_us <= start < mark.until_us for mark in marks) and spent[at] > expected[at]
        for at, start in enumerate(seen.starts_us)
    ]
    corners = [(first, expected[at], last, spent[at]) for at, (first, last) in enumerate(spans) if marked[at]]
    if corners:
        boxes(axes, corners, _TOO_MUCH, edged=False)
    line(axes, *_steps(edges, expected), MUTED, width=1)
    line(axes, *_steps(edges, spent), _SPENT, width=1.5)
    line(axes, axes.get_xlim(), [0, 0], MUTED, width=1)
    ends = {"spent": (spent[-1], _SPENT), "expected": (expected[-1], MUTED), "usual": (high[-1], REST)}
    _name_ends(axes, ends, 12 if is_narrow else 20, (width - left - right, height - 62))
    _label(axes, seen, marks, width - left - right)
    return figure


def _runs(
    spans: Sequence[tuple[float, float]], low: Sequence[float], high: Sequence[float]
) -> list[tuple[float, float, float, float]]:
    """The band as boxes: neighbours of one height are one."""
    found: list[tuple[float, float, float, float]] = []
    for (first, last), under, over in zip(spans, low, high, strict=True):
        if found and (found[-1][1], found[-1][3]) == (under, over):
            found[-1] = (found[-1][0], under, last, over)
        else:
            found.append((first, under, last, over))
    return found


def _steps(edges: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """A line that is level within each bin."""
    xs = [edge for at in range(len(values)) for edge in (edges[at], edges[at + 1])]
    return xs, [value for value in values for _ in range(2)]


def _name_ends(
    axes: Axes, ends: dict[str, tuple[float, str]], leader: float, size: tuple[float, float]
) -> None:
    """The names of the lines and of the band at their ends, each with a line of its colour."""
    (first, last), (low, high) = axes.get_xlim(), axes.get_ylim()
    across, up = (last - first) / size[0], (high - low) / size[1]
    order = sorted(ends, key=lambda name: (ends[name][0], name))
    places = apart([ends[name][0] for name in order], 18 * up, low + 8 * up, high - 8 * up)
    for name, place in zip(order, places, strict=True):
        end, colour = ends[name]
        line(axes, [last, last + leader * across], [end, place], colour, width=1.5)
        write(axes, last, place, name, shift=(leader + 5, 0))


def _label(axes: Axes, seen: Expectation, marks: Sequence[Mark], room: float) -> None:
    """How much too much it was, above each mark; of many that stand close the dearest."""
    if not marks:
        return
    dearest = sorted(marks, key=lambda mark: -mark.excess_nanousd)
    texts = [f"+{text}" for text in amounts([mark.excess_nanousd for mark in dearest])]
    gap = widest(texts) + 12
    count = min(max(int(room / gap), 1), _MOST_LABELS)
    chosen = sorted(zip(dearest[:count], texts, strict=False), key=lambda each: each[0].since_us)
    first, last = axes.get_xlim()
    per_pixel = (last - first) / room
    middles = [
        ((max(mark.since_us, seen.starts_us[0]) + min(mark.until_us, seen.until_us)) / 2 - seen.starts_us[0])
        / 3.6e9
        for mark, _ in chosen
    ]
    half = gap / 2 * per_pixel
    places = apart(middles, gap * per_pixel, first + half, max(last - half, first + half))
    top = axes.get_ylim()[1]
    for (_, text), place in zip(chosen, places, strict=True):
        if width_of(text, bold=True) <= room:
            write(axes, place, top, text, shift=(0, 18), align="center", bold=True)


def _days(seen: Expectation, zone: str, most: float) -> tuple[list[float], list[str]]:
    """Midnights that are named below: as many as there is room for, at even distances; without any the start."""
    day = from_us(seen.starts_us[0]).astimezone(ZoneInfo(zone)).date()
    found: list[date] = []
    while midnight(day, zone) < seen.until_us:
        if midnight(day, zone) >= seen.starts_us[0]:
            found.append(day)
        day += timedelta(days=1)
    if not found:
        return [0.0], [_time(seen.starts_us[0], zone)]
    every = next(step for step in (1, 2, 7, 14, 28, 56, 10_000) if len(found) / step <= most)
    shown = found[::every]
    places = [(midnight(day, zone) - seen.starts_us[0]) / 3.6e9 for day in shown]
    return places, [day_label(day) for day in shown]


def _when(mark: Mark, zone: str) -> str:
    """When it was: whole days by their names, times of one day after it."""
    first, last = (from_us(at).astimezone(ZoneInfo(zone)) for at in (mark.since_us, mark.until_us))
    if all(each.time() == time() for each in (first, last)):
        day, last_day = day_label(first.date()), day_label((last - timedelta(days=1)).date())
        return f"on {day}" if day == last_day else f"from {day} to {last_day}"
    if first.date() == last.date():
        return f"on {day_label(first.date())} from {first:%H:%M} to {last:%H:%M}"
    return f"from {_time(mark.since_us, zone)} to {_time(mark.until_us, zone)}"


def _time(moment_us: int, zone: str) -> str:
    moment = from_us(moment_us).astimezone(ZoneInfo(zone))
    return f"{day_label(moment.date())} {moment:%H:%M}"
