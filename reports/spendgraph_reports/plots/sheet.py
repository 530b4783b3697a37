"""The sheet that a plot is drawn on: sizes in pixels, text as it is, the same lines on every machine and in every thread."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import matplotlib as mpl
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from spendgraph_reports.plots.palette import INK, MUTED, PAPER, RULE
from spendgraph_reports.rendering.text import elided, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Corners = tuple[float, float, float, float]
"""Left, low, right and high of a box, in data."""

WIDE: Final = 880
"""Pixels across on a screen and on paper."""

NARROW: Final = 328
"""Pixels across on a phone."""

TEXT: Final = 13.0
SMALL: Final = 12.0
"""Heights of text, in pixels."""

_STYLE: Final[Any] = {  # matplotlib names the keys it knows one by one
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.spines.bottom": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "figure.dpi": 72,
    "grid.color": RULE,
    "grid.linewidth": 1,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
    "lines.linewidth": 2,
    "svg.fonttype": "none",
    "svg.hashsalt": "spendgraph",
}

# matplotlib's settings are the process's: one plot at a time is drawn under ours, and the user's come back.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def own_style() -> Generator[None]:
    """Draws with our settings, whatever the user's are."""
    with _ONE_AT_A_TIME, mpl.rc_context(), warnings.catch_warnings():
        # The reader's font has the glyph; what is measured here is a guess then.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def sheet(
    width: float, height: float, *, left: float, right: float, top: float, bottom: float
) -> tuple[Figure, Axes]:
    """An empty figure of that many pixels, and axes within its margins."""
    figure = blank(width, height)
    return figure, axes_at(figure, left, top, width - left - right, height - top - bottom)


def blank(width: float, height: float) -> Figure:
    """A figure of that many pixels with nothing on it."""
    return Figure(figsize=(width / 72, height / 72), dpi=72)


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes of that many pixels, so many from the figure's left and upper end."""
    across, up = (float(side) * 72 for side in figure.get_size_inches())
    return figure.add_axes((left / across, 1 - (top + height) / up, width / across, height / up))


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    colour: str = INK,
    align: Literal["left", "center", "right"] = "left",
    vertical: Literal["bottom", "center", "top"] = "center",
    size: float = TEXT,
    bold: bool = False,
    shift: tuple[float, float] = (0, 0),
) -> None:
    """Put text at a point of the data: as it is, whatever a tag says.

    Args:
        axes: Where.
        x: In data.
        y: In data.
        text: What; what cannot be seen is written out.
        colour: Of the palette.
        align: Which end of it is there.
        vertical: The same for its height.
        size: In pixels.
        bold: Whether it stands out.
        shift: By how many pixels it is off the point.
    """
    axes.annotate(
        visible(text),
        (x, y),
        xytext=shift,
        textcoords="offset points",
        color=colour,
        ha=align,
        va=vertical,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
        parse_math=False,
    )


def line(axes: Axes, xs: Sequence[float], ys: Sequence[float], colour: str, *, width: float = 2) -> None:
    """Draw a line between points of the data; it may leave the axes."""
    axes.add_line(Line2D(xs, ys, color=colour, linewidth=width, solid_capstyle="butt", clip_on=False))


def dot(axes: Axes, x: float, y: float, colour: str, *, filled: bool) -> None:
    """Draw a dot at a point of the data, filled or as a ring."""
    inside = colour if filled else PAPER
    ring: Any = {"markerfacecolor": inside, "markeredgecolor": colour, "markeredgewidth": 2}
    axes.add_line(Line2D([x], [y], linestyle="none", marker="o", markersize=8, clip_on=False, **ring))


def boxes(axes: Axes, corners: Sequence[Corners], colour: str, *, edged: bool = True) -> None:
    """Draw boxes of one colour in the data, apart from each other by a hair where they touch."""
    edge = PAPER if edged else "none"
    shapes = [((left, low), (right, low), (right, high), (left, high)) for left, low, right, high in corners]
    axes.add_collection(
        PolyCollection(shapes, facecolors=colour, edgecolors=edge, linewidths=0.5), autolim=False
    )


def band(axes: Axes, xs: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    """Fill what lies between two lines over the same points of the data."""
    edge = [*zip(xs, high, strict=True), *reversed(list(zip(xs, low, strict=True)))]
    axes.add_collection(PolyCollection([edge], facecolors=colour, edgecolors="none"), autolim=False)


def name_of(text: str, room: float, size: float = TEXT, *, bold: bool = False) -> str:
    """A tag as a label of at most so many pixels: visible, and without its middle where it is longer."""
    shown = visible(text)
    longest = len(shown)
    while longest > 3 and (width := width_of(shown, size, bold=bold)) > room:
        longest = min(longest - 1, max(int(longest * room / width), 3))
        shown = elided(visible(text), longest)
    return shown


def width_of(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """How many pixels text is across; a character that the font has not is taken to be as wide as the widest letter."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    face = get_font(findfont(font))
    known = "".join(character if face.get_char_index(ord(character)) else "W" for character in visible(text))
    width, _, _ = text_to_path.get_text_width_height_descent(known, font, False)
    return width


def widest(texts: Sequence[str], size: float = TEXT) -> float:
    """How many pixels the widest of some texts is across."""
    return max((width_of(text, size) for text in texts), default=0.0)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as may be to those wanted, in their order, with a gap between neighbours, within two ends.

    >>> apart([0.0, 1.0, 50.0], gap=10, low=0, high=100)
    [0.0, 10.0, 50.0]
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    placed: list[float] = []
    for place in wanted:
        placed.append(max(place, placed[-1] + gap if placed else low))
    ceiling = high
    for at in range(len(placed) - 1, -1, -1):
        placed[at] = min(placed[at], ceiling)
        ceiling = placed[at] - gap
    return placed
