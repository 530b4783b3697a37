"""Reports as a page that a person forwards: one HTML file that loads nothing, runs nothing and escapes everything."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from spendgraph_reports.exports.replacing import replacing
from spendgraph_reports.rendering.sections import Facts, Picture, Prose, Section
from spendgraph_reports.rendering.shown import NUMBERS, Shown, shown
from spendgraph_reports.rendering.text import visible
from spendgraph_reports.report import Report

if TYPE_CHECKING:
    from spendgraph_reports.report import Column

MOST_ROWS: Final = 500
"""So many rows of a report are on a page; one more stands for the rest. Files for programs have them all."""

_SENTENCE: Final = 60
"""Text that is longer than so many characters gets room to be read."""

_WHOLE: Final = re.compile(
    r"(?<![\w.-])(?:\d{4}-\d\d(?:-\d\d)?|\d\d? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|[+-]?[\d.,]+ %)(?![\w-])"
)
"""Dates and percentages: what a narrow line would part at a hyphen, or before a sign."""

_ZERO: Final = re.compile(r"[+-]?\$?0(\.0+)?( %)?")


def page(
    title: str,
    sections: Sequence[Section | Report],
    *,
    when: str = "",
    findings: Sequence[str] = (),
    foot: Mapping[str, str] | None = None,
) -> str:
    """A whole HTML document.

    Args:
        title: What it is.
        sections: Its content, in order; a report alone is a section of its name.
        when: The period, as in `Report.when`.
        findings: Sentences that stand before everything else, the most important one first.
        foot: What it was made with, by name.

    Returns:
        The same text for the same input: there is no date and no chance in it.
    """
    made = [
        section if isinstance(section, Section) else Section(section.title, (section,))
        for section in sections
    ]
    body = [(section.heading, [_part(part, section.heading) for part in section.parts]) for section in made]
    return assembled(title, body, when=when, findings=findings, foot=foot)


def assembled(
    title: str,
    body: Sequence[tuple[str, Sequence[Markup]]],
    *,
    when: str = "",
    findings: Sequence[str] = (),
    foot: Mapping[str, str] | None = None,
) -> str:
    """A page of HTML that is made already: whoever calls this has escaped it.

    Args:
        title: What it is.
        body: Headings, or nothing in their place, each with what stands under it.
        when: As in `page`.
        findings: As in `page`.
        foot: As in `page`.
    """
    return _environment().get_template("page.html").render(
        title=title,
        when=when,
        findings=tuple(findings),
        sections=body,
        foot=foot or {},
        style=_style("light.css", "parts.css", "page.css"),
        policy=_policy(),
    )  # fmt: skip


def fragment(*parts: Report | Picture | Facts | Prose) -> str:
    """The same parts without a page around them, for a notebook or a page of somebody else's."""
    return str(Markup("").join(_part(part, "") for part in parts))


def to_html(
    report: Report | Sequence[Report], target: Path, ledger: str | Path, *, title: str | None = None
) -> None:
    """Write one report, or several under one title, as a page.

    Args:
        report: What is written; of several the first one's period is the page's.
        target: The file.
        ledger: The ledger it was made from, which is no target.
        title: The page's; the first report's when not given.

    Raises:
        ExportError: The file cannot be written.
        ValueError: There is no report.
    """
    reports = [report] if isinstance(report, Report) else list(report)
    if not reports:
        raise ValueError("expected at least one report to write, found none")
    first = reports[0]
    sections = [Section("", (first,))] if len(reports) == 1 else reports
    text = page(
        title or first.title,
        sections,
        when=first.when,
        foot={"period": first.period.text, "time zone": first.zone},
    )
    write_page(text, target, ledger)


def write_page(text: str, target: Path, ledger: str | Path) -> None:
    """Write what `page` made, whole or not at all.

    Raises:
        ExportError: The file cannot be written.
    """
    with replacing(target, ledger) as path:
        path.write_bytes(text.encode("utf-8"))


class _Head(NamedTuple):
    """The heading of a column as the template wants it."""

    text: str
    meaning: str
    is_number: bool
    starts_group: bool


class _Group(NamedTuple):
    """A heading over several columns; without text over those that have none."""

    text: str
    span: int


class _Table(NamedTuple):
    """A report's cells as the template wants them."""

    heads: list[_Head]
    groups: list[_Group]
    rows: list[list[str]]
    total: list[str] | None

    def classes(self, at: int, text: str) -> str:
        """The classes of a cell: where it stands, whether it says zero, which need not catch the eye, or whole sentences."""
        head = self.heads[at]
        said = ["number" if head.is_number else "text"]
        said += ["starts"] if head.starts_group else []
        said += ["zero"] if head.is_number and _ZERO.fullmatch(text) else []
        said += ["long"] if not head.is_number and len(text) > _SENTENCE else []
        return " ".join(said)


def _part(part: Report | Picture | Facts | Prose, heading: str) -> Markup:
    macros: Any = _environment().get_template("parts.html").module
    made: Markup
    match part:
        case Report():
            made = macros.report(part, _table(part), part.title if heading not in {"", part.title} else "")
        case Picture():
            made = macros.picture(part, _inline(part.wide), _inline(part.narrow))
        case Facts():
            made = macros.facts(part)
        case Prose():
            made = macros.prose(part)
    return made


def _inline(svg: str) -> Markup:
    """A drawing within HTML, which knows what an `<svg>` is without the name of its namespace."""
    return Markup(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))  # noqa: S704 - drawn and escaped by plots


def _table(report: Report) -> _Table:
    cells: Shown = shown(report, most=MOST_ROWS)
    groups = [
        _Group(text, len(list(columns)))
        for text, columns in groupby(report.columns, key=lambda column: column.group)
    ]
    starts = set[int]()
    at = 0
    for group in groups:
        starts.add(at)
        at += group.span
    heads = [
        _Head(heading, column.meaning, _is_number(column), at in starts and at > 0)
        for at, (heading, column) in enumerate(zip(cells.headings, report.columns, strict=True))
    ]
    return _Table(heads, groups if len(groups) > 1 else [], cells.rows, cells.total)


def _is_number(column: Column) -> bool:
    return column.kind in NUMBERS


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("spendgraph_reports.rendering"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters["whole"] = _whole
    return environment


def _finalized(value: object) -> object:
    """What a template prints: of text that is not markup, nothing stays invisible."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _whole(text: str) -> Markup:
    """Text in which dates and percentages stay on one line."""
    escaped = str(escape(visible(text)))
    return Markup(_WHOLE.sub(r'<span class="whole">\g<0></span>', escaped))  # noqa: S704 - escaped


def style() -> str:
    """The style of `fragment`, for a place that has none of ours: everything in it applies within `class="spendgraph"` only."""
    light = str(_style("light.css")).replace(":root", "&", 1)
    return f".spendgraph {{ {light} background: var(--paper); color: var(--ink); {_style('parts.css')} }}"


@cache
def _style(*names: str) -> Markup:
    folder = Path(__file__).with_name("templates")
    text = "".join((folder / name).read_text(encoding="utf-8") for name in names)
    return Markup(text)  # noqa: S704 - our own files


@cache
def _policy() -> str:
    """The page's Content-Security-Policy: its own style sheet, known by its hash, and nothing else at all."""
    sheet = str(_style("light.css", "parts.css", "page.css"))
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
