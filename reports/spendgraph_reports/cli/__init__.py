"""The commands of reports: what `spendgraph` finds through the entry-point group `spendgraph.commands`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add every command of reports."""
    from spendgraph_reports.cli import export, imports, nightly, reconcile, report

    for module in (export, imports, nightly, reconcile, report):
        module.register(app)
