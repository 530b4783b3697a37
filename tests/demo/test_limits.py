"""The demo's second part: a soft cap, a hard cap with an approval, and a loop that a breaker stops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spendgraph import Meter
from spendgraph_demo.command import POLICY
from spendgraph_demo.limits import LEAD, QUESTIONS, Limits, run_into_limits
from spendgraph_demo.models import scripted_models


class Silence:
    """Watches and says nothing."""

    def started(self, title: str) -> None: ...

    def wrote(self, text: str) -> None: ...

    def finished(self, count: int = 1) -> None: ...


@pytest.fixture
def meter(tmp_path: Path) -> Meter:
    """On the demo's policy."""
    return Meter(tmp_path / "ledger.db", policy=POLICY)


@pytest.fixture
def limits(meter: Meter) -> Limits:
    """What happened."""
    return run_into_limits(meter, scripted_models("for a test"), Silence())


def test_the_research_is_degraded_paused_approved_and_finishes(meter: Meter, limits: Limits) -> None:
    """Every question is answered by one paid call, whatever happened on the way."""
    with meter:
        assert 1 < limits.degraded <= limits.before_pause < len(QUESTIONS)
        assert limits.is_finished
        steps = list(meter.ledger.steps(task_id=limits.task_id))
        assert [step["kind"] for step in steps] == ["model"] * len(QUESTIONS)
        assert sum(step["is_replay"] for step in steps) == 0
        (question,) = meter.ledger.approvals()
        assert (question["state"], question["decided_by"]) == ("approved", LEAD)
        assert question["asked"] > 0
        assert meter.ledger.verify() == []


def test_degrading_is_written_down(meter: Meter, limits: Limits) -> None:
    """Which budget, and what was given up."""
    with meter:
        meter.flush()
        with meter.ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            found = [
                json.loads(row["detail"])
                for row in connection.execute("SELECT detail FROM decisions WHERE outcome = 'degraded'")
            ]
        assert found
        assert {each["budget"] for each in found} == {"research task"}
        assert any(change["change"] == "context" for change in found[0]["changes"])
        assert limits.degraded


def test_the_loop_is_stopped_by_its_sixth_search(meter: Meter, limits: Limits) -> None:
    """Five go out; the sixth trips the breaker, which says so."""
    with meter:
        assert limits.looped == 5
        assert "trips the breaker 'going in circles'" in limits.stopped_by
        searches = list(meter.ledger.steps(feature="price-watch"))
        assert [step["cost_nanousd"] for step in searches] == [5_000_000] * 5
        (breaker,) = meter.ledger.breakers()
        assert (breaker["state"], breaker["trips"]) == ("open", 1)
