"""Who is largest: a bar for each row of a report, with its name before it and its amount at its end."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph_reports.amounts import percent, share
from spendgraph_reports.plots.palette import MUTED, REST, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.rows import amounts_of, names_of
from spendgraph_reports.plots.scales import amount, amounts
from spendgraph_reports.plots.sheet import SMALL, boxes, line, name_of, sheet, widest, write
from spendgraph_reports.report import UNNAMED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spendgraph_reports.report import Report


def ranked(report: Report, column: str = "cost_nanousd", *, top: int = 12) -> Plot:
    """The largest rows of a report as bars.

    Args:
        report: Its texts name the rows.
        column: Of money.
        top: So many rows on their own; one more for all others.
    """
    found = [pair for pair in zip(names_of(report), amounts_of(report, column), strict=True) if pair[1]]
    pairs = sorted(found, key=lambda pair: -pair[1])
    total = sum(cost for _, cost in pairs)
    rows, rest = pairs[:top], pairs[top:]
    if rest:
        rows.append(("1 other" if len(rest) == 1 else f"{len(rest):,} others", sum(cost for _, cost in rest)))
    what = next(each.heading for each in report.columns if each.name == column)
    if not pairs:
        nothing = f"No {what} in {report.when}."
        return Plot(nothing, nothing)
    name, largest = pairs[0]
    of_all = f", {percent(share(largest, total))} of {amount(total)}" if total > 0 and len(pairs) > 1 else ""
    said = ", ".join(f"{name} {amount(cost)}" for name, cost in rows)
    title = f"{name} is the largest with {amount(largest)}{of_all}."
    return Plot(
        title if column == "cost_nanousd" else f"{what.capitalize()}: {title}",
        f"A bar for each row by {what}, the largest first: {said}.",
        lambda width: _draw(rows, total, bool(rest), width),
        note="" if len(found) == len(report.frame) else "Only rows that have some.",
    )


def _draw(rows: list[tuple[str, int]], total: int, has_rest: bool, width: int) -> Figure:
    is_narrow = width < 600
    names = [name_of(name, 112 if is_narrow else 240) for name, _ in rows]
    labels = amounts([cost for _, cost in rows])
    shares = [percent(share(cost, total)) if total > 0 and not is_narrow else "" for _, cost in rows]
    after = widest(labels) + (widest(shares, SMALL) + 12 if any(shares) else 0) + 8
    figure, axes = sheet(width, 24 * len(rows) + 12, left=widest(names) + 10, right=after, top=6, bottom=6)
    plotted = [cost / 1e9 for _, cost in rows]
    axes.set_xlim(min(0.0, *plotted, 0.0), max(0.0, *plotted, 1e-9))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_axis_off()
    for at, (name, _) in enumerate(rows):
        is_grey = name == UNNAMED or (has_rest and at == len(rows) - 1)
        boxes(axes, [(0, at - 0.33, plotted[at], at + 0.33)], REST if is_grey else SERIES[0], edged=False)
    start, _ = axes.get_xlim()
    for at, end in enumerate(plotted):
        write(axes, start, at, names[at], align="right", shift=(-10, 0))
        write(axes, max(end, 0), at, labels[at], shift=(6, 0))
        if shares[at]:
            write(
                axes,
                max(end, 0),
                at,
                shares[at],
                shift=(6 + widest(labels) + 10, 0),
                colour=MUTED,
                size=SMALL,
            )
    line(axes, [0, 0], axes.get_ylim(), MUTED, width=1)
    return figure
