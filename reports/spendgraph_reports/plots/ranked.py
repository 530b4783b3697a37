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
from spendgraph_reports.plots.sheet import SMALL, name_of, sheet, widest, write
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
    pairs = sorted(zip(names_of(report), amounts_of(report, column), strict=True), key=lambda pair: -pair[1])
    total = sum(cost for _, cost in pairs)
    rows, rest = pairs[:top], pairs[top:]
    if rest:
        rows.append(("1 other" if len(rest) == 1 else f"{len(rest):,} others", sum(cost for _, cost in rest)))
    what = next(each.heading for each in report.columns if each.name == column)
    if not pairs:
        title = alt = f"There is no {what} in {report.when}."
    else:
        name, largest = pairs[0]
        of_all = (
            f", {percent(share(largest, total))} of {amount(total)}" if total > 0 and len(pairs) > 1 else ""
        )
        title = f"{name} is the largest with {amount(largest)}{of_all}."
        said = ", ".join(f"{name} {amount(cost)}" for name, cost in rows)
        alt = f"A bar for each row by {what}, the largest first: {said}."
    return Plot(title, alt, lambda width: _draw(rows, total, bool(rest), width))


def _draw(rows: list[tuple[str, int]], total: int, has_rest: bool, width: int) -> Figure:
    is_narrow = width < 600
    names = [name_of(name, 112 if is_narrow else 240) for name, _ in rows]
    labels = amounts([cost for _, cost in rows])
    shares = [percent(share(cost, total)) if total > 0 and not is_narrow else "" for _, cost in rows]
    after = widest(labels) + (widest(shares, SMALL) + 12 if any(shares) else 0) + 8
    figure, axes = sheet(
        width, 24 * max(len(rows), 1) + 12, left=widest(names) + 10, right=after, top=6, bottom=6
    )
    plotted = [cost / 1e9 for _, cost in rows]
    axes.set_xlim(min(0.0, *plotted, 0.0), max(0.0, *plotted, 1e-9))
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_axis_off()
    nobody = [name == UNNAMED for name, _ in rows]
    colours = [
        REST if nobody[at] or (has_rest and at == len(rows) - 1) else SERIES[0] for at in range(len(rows))
    ]
    axes.barh(range(len(rows)), plotted, height=0.66, color=colours)
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
    axes.axvline(0, color=MUTED, linewidth=1)
    return figure
