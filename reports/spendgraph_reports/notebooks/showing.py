"""What a cell shows: reports, plots, figures and sentences, in a notebook as on a page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph_reports.plots import Plot
from spendgraph_reports.rendering import Facts, Picture, Prose, fragment, style

if TYPE_CHECKING:
    from spendgraph_reports.report import Report

MIME: Final = "application/vnd.spendgraph.html"
"""Under which a page finds what `show` made: HTML that we escaped, and not whatever a cell calls HTML."""


class Display:
    """Parts that a notebook shows; the last expression of a cell.

    Args:
        parts: What is shown, in order.
    """

    def __init__(self, *parts: Report | Picture | Facts | Prose) -> None:
        self.parts = parts

    @property
    def bundle(self) -> dict[str, str]:
        """What is shown, by MIME type."""
        made = fragment(*self.parts)
        return {
            MIME: made,
            "text/html": f'<style>{style()}</style><div class="spendgraph">{made}</div>',
            "text/plain": f"{len(self.parts)} parts",
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - as IPython calls it
        return self.bundle


def show(*things: Report | Plot | Picture | Facts | Prose | str) -> Display:
    """Show reports, plots, figures and sentences; sentences that come first stand out."""
    parts: list[Report | Picture | Facts | Prose] = []
    for thing in things:
        if isinstance(thing, Plot):
            parts.append(thing.picture())
        elif not isinstance(thing, str):
            parts.append(thing)
        elif parts and isinstance(last := parts[-1], Prose):
            parts[-1] = Prose((*last.paragraphs, thing), leads=last.leads)
        else:
            parts.append(Prose((thing,), leads=not parts))
    return Display(*parts)


def table(report: Report) -> Report:
    """A report's table alone, where its findings and caveats stand elsewhere on the page."""
    return replace(report, findings=(), caveats=(), settings={})
