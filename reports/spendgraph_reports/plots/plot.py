"""A plot: what it says in words, and how it is drawn at any width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spendgraph_reports.plots.sheet import NARROW, TEXT, WIDE, blank, own_style
from spendgraph_reports.plots.svg import svg
from spendgraph_reports.rendering.sections import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Plot:
    """What a plot says, and how to draw it.

    Attributes:
        title: The finding, as a sentence made from the numbers.
        alt: What is drawn and its numbers, for who cannot see it.
        draw: Draws it so many pixels wide; nothing, where there is nothing to draw.
        note: What to know of how it was drawn.
    """

    title: str
    alt: str
    draw: Callable[[int], Figure] | None = None
    note: str = ""

    def figure(self, width: int = WIDE) -> Figure:
        """The drawing, as a figure of matplotlib's that pyplot knows nothing of.

        Args:
            width: In pixels; under about 600 it is drawn for a phone.
        """
        with own_style():
            return blank(width, TEXT) if self.draw is None else self.draw(width)

    def picture(self) -> Picture:
        """The same for a page, once for screens and paper and once for phones."""
        return Picture(
            title=self.title,
            alt=self.alt,
            wide=svg(self.figure(WIDE)) if self.draw else "",
            narrow=svg(self.figure(NARROW)) if self.draw else "",
            note=self.note,
        )

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from spendgraph_reports.rendering import fragment

        return fragment(self.picture())
