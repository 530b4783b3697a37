"""Tags that try to be something else: markup, scripts, formulas, TeX, and characters that nobody sees."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.rows import context_row, step, task
from reporting.kit import DAY
from spendgraph.ledger import Ledger

RAN: Final = "a script ran here"
"""The title of the page once one of them has its way."""

MARKUP: Final = (
    f"<script>document.title='{RAN}'</script>",
    f"<img src=x onerror=\"document.title='{RAN}'\">",
    f"</title><script>document.title='{RAN}'</script>",
    f"\"onmouseover=\"document.title='{RAN}'\" autofocus onfocus=\"document.title='{RAN}'",
    f"<svg onload=\"document.title='{RAN}'\">",
    f"javascript:document.title='{RAN}'",
    "</style><body background=http://tracker.example/x.png>",
    "{{ 7 * 7 }}{% raw %}",
    "]]></desc><!--",
)
"""What an HTML page must show as it is."""

HOSTILE: Final = (*MARKUP, "=cmd|' /C calc'!A0", r"$\frac{1}{0}$ and \alpha_{", "acme\u202egpj.exe", "a&b;")
"""The same, and what a spreadsheet, a plot and a reader must survive."""


def write_hostile(path: Path, *, key: str = "tenant") -> Path:
    """A ledger in which each of them is a tenant (or another tag) that spent some dollars on one of two days."""
    with Ledger.open(path) as ledger:
        for number, text in enumerate(HOSTILE, start=1):
            # Straight into the table, as another program would: a context refuses what nobody can see.
            decent = context_row(feature="triage", team="support")
            context = decent._replace(context_id=f"hostile-{number}", **{key: text})
            ledger.post(
                context,
                task(f"task-{number}", context_id=context.context_id, started_us=DAY),
                step(
                    f"step-{number}",
                    task_id=f"task-{number}",
                    context_id=context.context_id,
                    started_us=DAY + number % 2 * 86_400_000_000,
                    cost_nanousd=number * 1_000_000_000,
                ),
            )
    return path
