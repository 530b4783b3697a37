"""A breaker that compares with other tasks does not stop what goes out without the ledger."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import time
from pathlib import Path

import pytest

from budgets.test_traps import WAYS
from faults.kit import BOTH_WAYS, CLOCK, EVAL, EVERY_FAULT, FAULTS, PRODUCTION, lenient
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.errors import LedgerUnavailable

BREAKER = "breakers: [{name: dear, per: [feature], times_median: 10}]"


@BOTH_WAYS
@EVERY_FAULT
def test_a_payers_first_call_goes_out_before_its_median_is_known(
    tmp_path: Path, fault: str, way: str
) -> None:
    """The median of a feature that nobody has asked for before is in the ledger that fails."""
    path = tmp_path / "books" / "ledger.db"
    path.parent.mkdir()
    model = ScriptedModel()
    with Meter(path, policy=lenient(more=BREAKER), clock=CLOCK) as meter:
        WAYS[way](model, meter.config(EVAL))
        meter.flush()
        with FAULTS[fault](path):
            WAYS[way](model, meter.config(EVAL.replace(feature="unknown")))
            with pytest.raises(LedgerUnavailable):
                WAYS[way](model, meter.config(PRODUCTION.replace(feature="unknown too")))
        deadline = time.monotonic() + 10  # an attempt that was under way when it was mended may still fail
        while not meter.flush() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert meter.ledger.verify() == []
        assert len(list(meter.ledger.steps())) == 2
    assert model.requests == 2
