"""Tables for people, of which nothing is cut: what somebody acts on (ids, scopes, amounts, times) stands whole.

Where a terminal is too narrow, names and reasons are folded; where that is not enough, each row is a block of lines.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from spendgraph.cli.output import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

FOLDED = 12
"""How narrow a column that may be folded becomes at most."""

_GAP = 2


class Column(NamedTuple):
    """A column.

    Attributes:
        name: Its heading.
        is_number: Whether it is aligned to the right.
        may_fold: Whether it holds names or reasons, which may go on in the next line.
    """

    name: str
    is_number: bool = False
    may_fold: bool = False


def when(at_us: int | None) -> str:
    """A time in a table, or nothing.

    >>> when(1_795_647_600_000_000)
    '2026-11-25 23:00 UTC'
    """
    from spendgraph.clock import from_us

    return "" if at_us is None else f"{from_us(at_us):%Y-%m-%d %H:%M} UTC"


def counted(count: int, what: str) -> str:
    """So many of something.

    >>> counted(1, "step"), counted(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table as wide as it has to be, or as blocks where the terminal is narrower than that."""
    out = console()
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = max(_needed(_widths(columns, rows)), 1)  # a pipe has no width to keep to
    made = laid_out(columns, rows, out.width)
    if isinstance(made, str):
        print(made)
    else:
        out.print(made)


def laid_out(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, total: Sequence[str] = ()
) -> Table | str:
    """Rows as a table, or as the text of blocks where the table would be wider than the terminal.

    Args:
        columns: The columns.
        rows: Their texts.
        width: The terminal's.
        total: A last row, which is the sum of the others.
    """
    every = [*rows, total] if total else rows
    widths = _widths(columns, every)
    narrow = [
        min(each, FOLDED) if column.may_fold else each for column, each in zip(columns, widths, strict=True)
    ]
    if _needed(narrow) > width:
        return "\n\n".join(_block(columns, row, width) for row in every)
    from rich.table import Table

    table = Table(
        box=None,
        header_style="bold",
        footer_style="bold",
        padding=(0, _GAP, 0, 0),
        pad_edge=False,
        show_footer=bool(total),
    )
    for position, column in enumerate(columns):
        table.add_column(
            column.name,
            footer=total[position] if total else "",
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=not column.may_fold,
        )
    for row in rows:
        table.add_row(*row)
    return table


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column is where nothing is folded."""
    from rich.cells import cell_len

    return [
        max(cell_len(text) for text in (column.name, *(row[position] for row in rows)))
        for position, column in enumerate(columns)
    ]


def _needed(widths: Sequence[int]) -> int:
    """How wide a table of such columns is."""
    return sum(widths) + _GAP * (len(widths) - 1)


def _block(columns: Sequence[Column], row: Sequence[str], width: int) -> str:
    """One row: its first two values, then every other with its name, each in a line with its neighbours or its own."""
    from rich.cells import cell_len

    lines, line = list[str](), row[0]
    for position, (column, text) in enumerate(zip(columns[1:], row[1:], strict=True), start=1):
        if not text:
            continue
        said = text if position == 1 else f"{column.name} {text}"
        if position != 2 and cell_len(line) + _GAP + cell_len(said) <= width:
            line = f"{line}  {said}"
            continue
        lines.append(line)
        line = f"  {said}"
    return "\n".join(each for whole in [*lines, line] for each in _wrapped(whole, width))


def _wrapped(line: str, width: int) -> list[str]:
    """A line that is too long goes on in the next one, between words only."""
    from textwrap import wrap

    return wrap(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
