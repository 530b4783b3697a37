"""What a person sees while a history is written: a bar on stderr, or a line now and then where it is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spendgraph.cli.output import say

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

_LINES = 10


class Days:
    """A bar of days that leaves nothing behind.

    Args:
        console: Where.
        days: How many days there will be.
    """

    def __init__(self, console: Console, *, days: int) -> None:
        self._days, self._began, self._said = days, time.monotonic(), 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[tail]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("writing days", total=days, tail="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._bar.stop()

    def written(self, days: int, steps: int) -> None:
        """Move the bar on."""
        seconds = time.monotonic() - self._began
        tail = f"{steps:,} steps, {steps / max(seconds, 1e-9):,.0f} a second"
        self._bar.update(self._task, completed=days, tail=tail)
        if self._bar.disable and days * _LINES // self._days > self._said:
            self._said = days * _LINES // self._days
            say(f"{days} of {self._days} days, {seconds:.0f} s: {tail}")

    def checking(self) -> None:
        """Say that the books are checked."""
        self._bar.update(self._task, description="checking the books", tail="")
