"""A figure as SVG to stand inside a page: no script, no style, no metadata; colours that a style sheet can change."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from spendgraph_reports.plots.palette import NAMES
from spendgraph_reports.plots.sheet import own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG: Final = "{http://www.w3.org/2000/svg}"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif"
_PLACES: Final = frozenset({"d", "x", "y", "width", "height", "points"})
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_NO_TURN: Final = re.compile(r"rotate\(-?0 ")


def svg(figure: Figure) -> str:
    """The figure as one `<svg>` element, the same text for the same figure.

    A pixel of the figure is a pixel of the page. Text stays text, in the page's own font. What matplotlib says in `style` attributes, which a
    Content-Security-Policy forbids, is said in attributes, and each colour of the palette is a class too, such as `fill-series-1`.
    """
    buffer = io.StringIO()
    with own_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib has just written it
    _prune(root)
    _plain_styles(root)
    _short_ids(root)
    width, height = (root.attrib[side].removesuffix("pt") for side in ("width", "height"))
    root.attrib.update(
        {
            "width": width,
            "height": height,
            "font-family": _FONT,
            "stroke-linejoin": "round",
            "aria-hidden": "true",  # the picture around it has the words
            "focusable": "false",
        }
    )
    root.attrib.pop("version", None)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if element.tag != "text":
            element.text = None
        element.tail = None
    root.set("xmlns", _SVG.strip("{}"))
    return ET.tostring(root, encoding="unicode")


def _prune(element: ET.Element) -> None:
    """Drop metadata, style sheets, and groups that draw nothing."""
    for child in list(element):
        _prune(child)
        empty = child.tag in {f"{_SVG}g", f"{_SVG}defs"} and not len(child)
        if empty or child.tag in {f"{_SVG}metadata", f"{_SVG}style"}:
            element.remove(child)


def _plain_styles(root: ET.Element) -> None:
    """Say in attributes what stands in `style`, in pixels and without needless digits."""
    for element in root.iter():
        style = element.attrib.pop("style", "")
        named: list[str] = []
        for declaration in filter(None, map(str.strip, style.split(";"))):
            key, _, value = map(str.strip, declaration.partition(":"))
            if key == "font-family":
                continue
            element.set(key, value.removesuffix("px"))
            if key in {"fill", "stroke"} and value in NAMES:
                named.append(f"{key}-{NAMES[value]}")
        if named:
            element.set("class", " ".join(named))
        for key in _PLACES & element.attrib.keys():
            element.set(key, " ".join(_NUMBER.sub(_rounded, element.attrib[key]).split()))
        if _NO_TURN.match(element.attrib.get("transform", "")):
            del element.attrib["transform"]


def _rounded(number: re.Match[str]) -> str:
    """A hundredth of a pixel is enough."""
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _short_ids(root: ET.Element) -> None:
    """Keep the ids that something refers to, under names that no other picture on the page has."""
    used: dict[str, str] = {}
    for element in root.iter():
        if _HREF in element.attrib:
            used[element.attrib[_HREF].removeprefix("#")] = ""
        for value in element.attrib.values():
            used |= dict.fromkeys(_REFERENCE.findall(value), "")
    digest = hashlib.sha256(ET.tostring(root)).hexdigest()[:10]
    for number, name in enumerate(used, start=1):
        used[name] = f"p{digest}-{number}"
    for element in root.iter():
        if (name := element.attrib.pop("id", "")) in used:
            element.set("id", used[name])
        if _HREF in element.attrib:
            element.set("href", f"#{used[element.attrib.pop(_HREF).removeprefix('#')]}")
        for key, value in element.attrib.items():
            if "url(#" in value:
                element.set(key, _REFERENCE.sub(lambda match: f"url(#{used[match[1]]})", value))
