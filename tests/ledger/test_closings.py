"""What was written before a close and after it, by the order of writing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, step, task
from reporting.kit import CONTEXTS, DAY, spending, write
from spendgraph.ledger import Ledger, StepRow
from spendgraph_reports.period import DAY_US

SUMS = ("cost_nanousd", "steps", "corrections", "unattributed_nanousd", "not_reported_nanousd", "unpriced_steps")  # fmt: skip


@settings(max_examples=25)
@given(spending(), st.integers(-50, 50), st.integers(-50, 50), st.booleans())
def test_before_and_after_a_close_are_everything(
    rows: list[StepRow], close: int, since: int, roll: bool
) -> None:
    """Each row is on one side of the first row of a step that started after it, whatever the rows' times say."""
    close_us, since_us = DAY + close * DAY_US, DAY + since * DAY_US
    first = next((at for at, row in enumerate(rows, start=1) if row.started_us >= close_us), None)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        with Ledger.open_readonly(path) as reader:
            closings = reader.closings
            seq = closings.seq_at(close_us)
            assert seq == first
            before = closings.before(
                ["team", "kind"], since=since_us, until=None, sums=SUMS, before_seq=seq, tenant=["acme", ""]
            )
            after = (
                closings.after(
                    ["team", "kind"],
                    since=since_us,
                    until=None,
                    sums=SUMS,
                    from_seq=seq,
                    before_seq=None,
                    tenant=["acme", ""],
                )
                if seq is not None
                else []
            )
            whole = reader.rolled(["team", "kind"], since=since_us, sums=SUMS, tenant=["acme", ""])
    tenant_of = {context.context_id: context.tenant for context in CONTEXTS}
    early = [
        row
        for row in rows[: len(rows) if first is None else first - 1]
        if row.started_us >= since_us and tenant_of[row.context_id] in ("acme", "")
    ]
    assert sum(row["cost_nanousd"] for row in before) == sum(row.cost_nanousd for row in early)
    assert sum(row["steps"] for row in before) == sum(row.entry == "charge" for row in early)
    for name in SUMS:
        assert sum(row[name] for row in (*before, *after)) == sum(row[name] for row in whole)


def test_a_row_that_comes_late_is_after_the_close_however_old_it_says_it_is(tmp_path: Path) -> None:
    """A journal that is folded in a week after a crash has the times of before it."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(ACME, task())
        early = step("early", started_us=DAY, recorded_us=DAY + 1)
        ledger.post(early, step("new", started_us=DAY + 3 * DAY_US))
        seq = ledger.closings.seq_at(DAY + 2 * DAY_US)
        assert seq == 2
        ledger.post(step("folded", started_us=DAY, recorded_us=DAY + 1, cost_nanousd=7))
        assert ledger.closings.seq_at(DAY + 2 * DAY_US) == seq
        late = ledger.closings.after(
            (), since=None, until=DAY + DAY_US, sums=["cost_nanousd"], from_seq=seq, before_seq=None
        )
        span = ledger.closings.span(DAY + DAY_US, seq, None)
    assert late == [{"cost_nanousd": 7}]
    assert span == (DAY, DAY)


def test_there_is_no_close_while_no_step_has_started_since(tmp_path: Path) -> None:
    """Everything is before it."""
    rows = [step("a", started_us=DAY, context_id=CONTEXTS[0].context_id)]
    with Ledger.open_readonly(write(tmp_path / "ledger.db", rows)) as reader:
        assert reader.closings.seq_at(DAY + 1) is None
        found = reader.closings.before(
            ["model"], since=None, until=None, sums=["cost_nanousd"], before_seq=None
        )
        assert found == [{"model": "", "cost_nanousd": 5_000}]
        assert reader.closings.span(DAY, 1, None) is None


def test_names_are_checked(tmp_path: Path) -> None:
    """What is no tag and no sum is no SQL either."""
    with Ledger.open_readonly(write(tmp_path / "ledger.db", [])) as reader:
        for by, sums in ((["tema"], ["steps"]), (["team"], ["sum"])):
            with pytest.raises(
                ValueError, match=r"the ledger has no column 'tema'|the rollups have no sum 'sum'"
            ):
                reader.closings.after(by, since=None, until=None, sums=sums, from_seq=1, before_seq=None)
