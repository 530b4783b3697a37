"""A drawing inside a page: it runs nothing, says what it says as text, and is the same every time and in every thread."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from plots.kit import all_plots, words_of
from reporting.chromium import needs_chromium, opened
from reporting.hostile import HOSTILE, MARKUP, RAN
from spendgraph_reports.plots import Plot, palette, svg
from spendgraph_reports.rendering import page
from spendgraph_reports.rendering.sections import Picture, Section

ROWS = [(text, date(2026, 9, 1 + number), (number + 1) * 10**9) for number, text in enumerate(HOSTILE[:8])]
TEMPLATES = Path(palette.__file__).parents[1] / "rendering" / "templates"
CSS = "".join((TEMPLATES / name).read_text() for name in ("light.css", "parts.css", "page.css"))


@pytest.fixture(scope="module")
def hostile() -> list[Picture]:
    """Every plot, of tags that try to be something else."""
    return [plot.picture() for plot in all_plots(ROWS).values()]


def test_a_drawing_is_only_shapes_and_text(hostile: list[Picture]) -> None:
    """No script, no style, no metadata, nothing from elsewhere, and a class beside every colour of the palette."""
    for drawn in (picture.wide for picture in hostile):
        root = ET.fromstring(drawn)
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "g", "path", "use", "text", "defs", "clipPath", "rect"}
        keys = {key for element in root.iter() for key in element.attrib}
        assert not {key for key in keys if key == "style" or key.startswith("on")}
        assert {element.attrib["href"][0] for element in root.iter() if "href" in element.attrib} <= {"#"}
        colours = {value for element in root.iter() for value in (element.get("fill"), element.get("stroke"))}
        assert colours <= {None, "none", *palette.NAMES}


def test_names_inside_refer_to_something_and_to_nothing_elsewhere(hostile: list[Picture]) -> None:
    """Two drawings on one page do not take each other's clip paths."""
    everywhere: list[str] = []
    for picture in hostile:
        for drawn in (picture.wide, picture.narrow):
            ids = re.findall(r' id="([^"]+)"', drawn)
            assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", drawn)) == set(ids)
            everywhere += ids
    assert len(everywhere) == len(set(everywhere))


def test_a_tag_is_no_formula_of_tex() -> None:
    """Dollars and backslashes stay; what cannot be seen is written out; a long name loses its middle."""
    long = "the-review-of-contracts-that-nobody-has-read-since-they-were-signed"
    rows = [(text, date(2026, 9, 2), 10**9) for text in (r"$\frac{1}{0}$", "acme\u202egpj.exe", long)]
    said = [words.text for words in words_of(all_plots(rows)["ranked"].picture().wide)]
    assert r"$\frac{1}{0}$" in said
    assert r"acme\u202egpj.exe" in said
    (short,) = [text for text in said if text.startswith("the-review")]
    assert short.partition("…")[0] in long
    assert long.endswith(short.partition("…")[2])
    assert 25 < len(short) < 40


def test_users_settings_change_no_plot_and_no_plot_changes_them() -> None:
    """A notebook with a style of its own."""
    plot = all_plots([("inbox", date(2026, 9, 1), 10**9)])["ranked"]
    usual = svg(plot.figure())
    with mpl.rc_context(
        {"text.color": "#ff0000", "font.size": 40, "svg.hashsalt": None, "svg.fonttype": "path"}
    ):
        before = dict(mpl.rcParams)
        assert svg(plot.figure()) == usual
        assert dict(mpl.rcParams) == before


def test_plots_are_the_same_in_every_thread() -> None:
    """Drawn by eight at once, and alone."""
    plots = (
        list(all_plots([("inbox", date(2026, 9, 1), 10**9), ("chat", date(2026, 9, 3), 10**8)]).values()) * 2
    )
    alone = [_drawn(plot) for plot in plots]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(_drawn, plots)) == alone


@needs_chromium
def test_a_browser_runs_nothing_that_a_plot_says(hostile: list[Picture], tmp_path: Path) -> None:
    """Tags in titles, alternative texts and labels."""
    target = tmp_path / "page.html"
    target.write_text(page("Plots", [Section("All", tuple(hostile))]))
    shown = opened(target)
    assert "<title>Plots</title>" in shown
    assert RAN in shown
    assert "<script>" not in shown
    assert MARKUP[5][:16] in shown


def _drawn(plot: Plot) -> str:
    return svg(plot.figure())


def _linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _contrast(first: str, second: str) -> float:
    light = sorted(
        sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), _linear(colour), strict=True))
        for colour in (first, second)
    )
    return (light[1] + 0.05) / (light[0] + 0.05)


def _times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(weight * part for weight, part in zip(row, vector, strict=True)) for row in matrix]


def _seen(colour: str, eyes: tuple[tuple[float, ...], ...]) -> list[float]:
    """A colour in Oklab, a space in which distances are as people see them."""
    light = _times(
        ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566), (0.0883024619, 0.2817188376, 0.6299787005)),
        [min(max(part, 0.0), 1.0) for part in _times(eyes, _linear(colour))],
    )  # fmt: skip
    return _times(
        ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099), (0.0259040371, 0.7827717662, -0.8086757660)),
        [part ** (1 / 3) for part in light],
    )  # fmt: skip


EYES = {
    "all colours": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""What is left of a colour, after Machado, Oliveira and Fernandes (2009), severity 1."""


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(
    ("series", "paper"),
    [(palette.SERIES, "#ffffff"), (palette.DARK_SERIES, "#14171b")],
    ids=["light", "dark"],
)
def test_colours_are_told_apart_by_everybody(series: tuple[str, ...], paper: str, eyes: str) -> None:
    """Each pair differs by a tenth of the way from black to white, and each stands out from the paper by 3 to 1."""
    seen = [_seen(colour, EYES[eyes]) for colour in series]
    distances = [
        sum((one - other) ** 2 for one, other in zip(first, second, strict=True)) ** 0.5
        for at, first in enumerate(seen)
        for second in seen[:at]
    ]
    assert min(distances) > 0.1
    assert min(_contrast(colour, paper) for colour in series) >= 3


def test_text_is_read_on_every_paper() -> None:
    """4.5 to 1 in the style sheet, in the light and in the dark, on the note too."""
    css = CSS
    for block in (css.partition("@media")[0], css.partition("prefers-color-scheme: dark")[2]):
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)[:9])
        for paper in ("paper", "raised", "note"):
            assert min(_contrast(colour[text], colour[paper]) for text in ("ink", "muted", "link")) >= 4.5


def test_the_style_sheet_has_the_palette() -> None:
    """What a drawing calls `fill-series-1` is that colour, or its twin in the dark."""
    css = CSS
    for number, pair in enumerate(zip(palette.SERIES, palette.DARK_SERIES, strict=True), start=1):
        assert re.findall(rf"--series-{number}: (#\w+);", css) == [pair[0], pair[1], pair[0]]
    for name in palette.NAMES.values():
        assert f".fill-{name} {{ fill: var(--{name}); }} .stroke-{name} {{ stroke: var(--{name}); }}" in css
    assert re.findall(r"--ink: (#\w+)", css)[0] == palette.INK
    assert re.findall(r"--muted: (#\w+)", css)[0] == palette.MUTED
    assert re.findall(r"--rule: (#\w+)", css)[0] == palette.RULE
    assert re.findall(r"--rest: (#\w+)", css)[0] == palette.REST
