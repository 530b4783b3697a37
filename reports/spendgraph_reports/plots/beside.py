"""Two months beside each other: for each row where it was, where it is, and how far it moved."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from spendgraph_reports.amounts import change, percent
from spendgraph_reports.months import named
from spendgraph_reports.plots.palette import MUTED, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.rows import amounts_of, names_of
from spendgraph_reports.plots.scales import amount, amounts, fitting, ticks, usd_labels
from spendgraph_reports.plots.sheet import SMALL, dot, line, name_of, sheet, widest, width_of, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spendgraph_reports.report import Report


class _Moved(NamedTuple):
    name: str
    before: int
    now: int

    @property
    def by(self) -> int:
        return self.now - self.before


def beside(
    report: Report,
    *,
    before: str = "before_nanousd",
    now: str = "cost_nanousd",
    was: str = "before",
    top: int = 10,
) -> Plot:
    """The rows of a report that moved most since the period before.

    Args:
        report: Its texts name the rows.
        before: The column of money of the period before.
        now: That of the report's own.
        was: What the period before is called, such as `2026-08`.
        top: So many rows, what moved most first.
    """
    every = [
        _Moved(*row)
        for row in zip(names_of(report), amounts_of(report, before), amounts_of(report, now), strict=True)
    ]
    every = [row for row in every if row.before or row.now]
    rows = sorted(every, key=lambda row: (-abs(row.by), row.name))[:top]
    is_ = named(report.period, report.zone)
    said = "; ".join(f"{row.name} from {amount(row.before)} to {amount(row.now)}" for row in rows)
    return Plot(
        _title(rows, was, is_),
        f"For each row {was} beside {is_}: {said}.",
        (lambda width: _draw(rows, was, is_, width)) if rows else None,
        note=f"{len(rows)} of {len(every)} rows, what moved most first." if len(rows) < len(every) else "",
    )


def _title(rows: Sequence[_Moved], was: str, is_: str) -> str:
    first = next((row for row in rows if row.by), None)
    if first is None:
        return f"Nothing moved between {was} and {is_}."
    if not first.before:
        return f"{first.name} moved most: it is new with {amount(first.now)}."
    return f"{first.name} moved most: it {'grew' if first.by > 0 else 'fell'} by {amount(abs(first.by))} to {amount(first.now)}."


def _draw(rows: list[_Moved], was: str, is_: str, width: int) -> Figure:
    is_narrow = width < 600
    names = [name_of(row.name, 112 if is_narrow else 240) for row in rows]
    by = [
        f"{'+' if row.by > 0 else ''}{moved}"
        for row, moved in zip(rows, amounts([row.by for row in rows]), strict=True)
    ]
    ratios = ["" if is_narrow else percent(change(row.now, row.before), signed=True) for row in rows]
    ends = [end / 1e9 for row in rows for end in (row.before, row.now)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    half = widest(usd_labels(ticks(low, high)), SMALL) / 2 + 6  # the outermost labels stand astride the ends
    left = max(widest(names) + 18, half)
    after = max(widest(by) + (0 if is_narrow else widest(ratios, SMALL) + 14) + 16, half)
    inside = width - left - after
    below, labels = fitting(low, high, inside)
    per_usd = inside / (below[-1] - below[0])
    heads = _heads(rows[0], (was, is_), lambda usd: left + (usd - below[0]) * per_usd, width)
    top = 30 + max(up for _, _, up in heads) - 19
    figure, axes = sheet(width, 28 * len(rows) + top + 28, left=left, right=after, top=top, bottom=28)
    axes.set_xlim(below[0], below[-1])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(below, labels)
    axes.set_yticks([])
    axes.grid(axis="x")
    for at, row in enumerate(rows):
        colour = SERIES[1] if row.by > 0 else SERIES[0]
        start, end = row.before / 1e9, row.now / 1e9
        line(axes, [start, end], [at, at], colour, width=3)
        dot(axes, start, at, colour, filled=False)
        dot(axes, end, at, colour, filled=True)
        write(axes, below[0], at, names[at], align="right", shift=(-16, 0))
        write(axes, below[-1], at, by[at], align="right", shift=(16 + widest(by), 0))
        write(axes, below[-1], at, ratios[at], align="right", shift=(after, 0), colour=MUTED, size=SMALL)
    for name, start, up in heads:
        write(axes, below[0], 0, name, shift=(start - left, up), colour=MUTED, size=SMALL)
    return figure


def _heads(
    row: _Moved, names: tuple[str, str], pixel: Callable[[float], float], width: float
) -> list[tuple[str, float, float]]:
    """What the two ends are called, each from which pixel and how far above those of the first row.

    They stand side by side, or where they would meet one above the other.
    """
    ends = (row.before / 1e9, row.now / 1e9)
    first = 0 if ends[0] <= ends[1] else 1
    starts: dict[int, float] = {}
    for number in (first, 1 - first):
        at, room = pixel(ends[number]), width_of(names[number], SMALL)
        starts[number] = min(max(at + 5 - room if number == first else at - 5, 0), width - room)
    meet = starts[first] + width_of(names[first], SMALL) + 8 > starts[1 - first]
    return [
        (names[number], start, 33 if meet and number == first else 19) for number, start in starts.items()
    ]
