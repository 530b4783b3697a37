"""What a person sees while the demo runs: a bar, what is being done, and the text as it is written."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from spendgraph.cli.output import plain, say

_TAIL = 44
"""Characters of the written text that are shown: one line beside the bar on a narrow screen."""


class Screen:
    """A live bar on stderr that leaves nothing behind; where stderr is no terminal, a line for each task."""

    def __init__(self, console: Console, *, total: int) -> None:
        self._written = ""
        self._title = ""
        self._done, self._total, self._began = 0, total, time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[tail]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=total, tail="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._bar.stop()

    def started(self, title: str) -> None:
        """Say what is being done."""
        self._written = ""
        self._title = title
        self._bar.update(self._task, description=title, tail="")

    def wrote(self, text: str) -> None:
        """Show the end of what has been written."""
        self._written = (self._written + text)[-_TAIL:]
        # A model's text is data: brackets in it are not markup.
        tail = plain(" ".join(self._written.split())).replace("[", "(")
        self._bar.update(self._task, tail=tail)

    def finished(self, count: int = 1) -> None:
        """Move the bar on."""
        self._bar.advance(self._task, count)
        self._done += count
        if self._bar.disable:
            say(f"{self._done} of {self._total} tasks, {time.monotonic() - self._began:.0f} s: {self._title}")
