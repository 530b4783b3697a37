"""The colours of plots: told apart by people who see few of them, and clear on white paper and in the dark."""

from __future__ import annotations

from typing import Final

INK: Final = "#1b1f24"
MUTED: Final = "#56606b"
RULE: Final = "#d5dae0"
REST: Final = "#8b949e"
PAPER: Final = "#ffffff"

SERIES: Final = ("#1f4e9c", "#cc5500", "#00876b", "#882255", "#4a9bd6")
"""Blue, orange, green, wine and sky, after Okabe and Ito, deeper so that each has a contrast of 3 to 1 and more on white."""

DARK_SERIES: Final = ("#4080e6", "#f0802f", "#25c79a", "#b5679f", "#a8dcff")
"""The same on dark paper; `rendering/templates/page.css` has them."""

NAMES: Final = {INK: "ink", MUTED: "muted", RULE: "rule", REST: "rest", PAPER: "paper"} | {
    colour: f"series-{number}" for number, colour in enumerate(SERIES, start=1)
}
"""By which class a style sheet knows each colour of an SVG: `fill-ink`, `stroke-series-1`."""
