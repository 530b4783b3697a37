"""The commands of anomalies and forecasts: what `spendgraph` finds through the entry-point group `spendgraph.commands`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add every command of anomalies and forecasts."""
    from spendgraph_anomaly.cli import anomalies, forecast, incidents, watch

    commands: tuple[ModuleType, ...] = (
        anomalies,
        forecast,
        incidents,
        watch,
    )
    for module in commands:
        module.register(app)
