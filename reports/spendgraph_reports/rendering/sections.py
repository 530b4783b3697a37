"""What a page is made of: sections of reports, pictures, single figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendgraph_reports.report import Report


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs.

    Attributes:
        paragraphs: Plain text.
        leads: Whether the first one stands out.
    """

    paragraphs: tuple[str, ...]
    leads: bool = True


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure that a reader should take along.

    Attributes:
        label: What it is, such as `spent`.
        value: As it is shown, such as `$1,234.50`.
        note: What it is beside, such as `+12.0 % beside 2026-07`.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Some figures in a row."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing.

    Attributes:
        title: What it shows, as a sentence with the finding.
        alt: The same and its numbers for who cannot see it.
        wide: SVG as `spendgraph_reports.plots.svg` writes it: it goes into the page as it is. Nothing, where there is nothing to draw.
        narrow: The same drawn for a phone; the wide one when not given.
        note: What to know of how it was drawn.
    """

    title: str
    alt: str
    wide: str
    narrow: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Parts under one heading.

    Attributes:
        heading: Its name; without one the parts stand directly under the page's title.
        parts: What is in it, in order.
    """

    heading: str
    parts: tuple[Report | Picture | Facts | Prose, ...]
