"""What is recorded afterwards counts in the windows of the time when it was spent."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from budgets.fanout import ACME
from scripted import ScriptedModel, scripted_policy
from spendgraph import BudgetExceeded, Meter
from spendgraph.clock import from_us, to_us

NOW = datetime.fromisoformat("2026-03-15T12:00:00+00:00")
TEN = 10_000_000_000


@pytest.mark.parametrize(
    ("period", "ago", "start"),
    [
        ("month", timedelta(days=45), "2026-01-01T00:00:00+00:00"),
        ("day", timedelta(hours=13), "2026-03-14T00:00:00+00:00"),
        ("rolling 24h", timedelta(hours=30), "2026-03-14T06:00:00+00:00"),
    ],
)
def test_a_cost_of_a_window_that_is_over_leaves_this_one_alone(
    tmp_path: Path, period: str, ago: timedelta, start: str
) -> None:
    """Ten dollars of then take nothing from the ten dollars of now."""
    model = ScriptedModel()
    policy = scripted_policy(f'budgets: [{{name: cap, limit_usd: "10", period: {period}}}]')
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: to_us(NOW)) as meter, meter.task(ACME):
        meter.record("review", usd="10", started=NOW - ago)
        model.invoke("hi")
        meter.flush()
        windows = [
            (from_us(window["start_us"]).isoformat(), window["spent_nanousd"], window["held_nanousd"])
            for window in meter.ledger.windows()
        ]
        assert (start, TEN, 0) in windows
        assert len(windows) == 2
        assert meter.ledger.verify() == []
    assert model.requests == 1


def test_a_cost_of_the_same_window_counts_in_it(tmp_path: Path) -> None:
    """An hour ago is within a rolling day."""
    policy = scripted_policy('budgets: [{name: cap, limit_usd: "10", period: rolling 24h}]')
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: to_us(NOW)) as meter, meter.task(ACME):
        meter.record("review", usd="10", started=NOW - timedelta(hours=1))
        with pytest.raises(BudgetExceeded):
            ScriptedModel().invoke("hi")
