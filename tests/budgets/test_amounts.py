"""The amounts that naive counters get wrong, whichever way the calls are made."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from langchain_core.messages import AIMessage

from budgets.fanout import ACME, CALL_NANOUSD, PRICES
from budgets.test_traps import EVERY_WAY, WAYS, counters, metered
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, Meter
from spendgraph.clock import to_us
from spendgraph.hooks.dispatcher import Dispatcher
from spendgraph.policy import Policy, parse_policy

CENT = 10_000_000
NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT_US = to_us(datetime(2026, 7, 1, tzinfo=NEW_YORK))


def by_call(usd: str, budgets: str) -> Policy:
    """So many dollars a call."""
    return parse_policy(f"{PRICES.replace('0.0075', usd)}\nbudgets: [{budgets}]")


class LongerThanAsked(ScriptedModel):
    """Answers with 150 tokens, whatever its limit is."""

    def _answer(self) -> AIMessage:
        answer = super()._answer()
        answer.usage_metadata = {"input_tokens": 0, "output_tokens": 150, "total_tokens": 150}
        return answer


@EVERY_WAY
def test_five_cents_do_not_go_out_on_the_remaining_two(tmp_path: Path, way: str) -> None:
    """Of seven cents five are spent: the next call, of five, is refused, and not held with what is left."""
    model = ScriptedModel()
    with metered(tmp_path, by_call("0.05", "{name: cap, limit_usd: '0.07'}")) as meter:
        WAYS[way](model, meter.config(ACME))
        for _ in range(2):
            with pytest.raises(BudgetExceeded) as caught:
                WAYS[way](model, meter.config(ACME))
            refusal = caught.value
            amounts = (refusal.limit, refusal.spent, refusal.held, refusal.asked)
            assert amounts == (7 * CENT, 5 * CENT, 0, 5 * CENT)
            assert counters(meter) == (5 * CENT, 0)
        assert model.requests == 1
        assert meter.ledger.verify() == []


@EVERY_WAY
def test_a_call_dearer_than_its_hold_is_spent_recorded_and_closes_the_window(
    tmp_path: Path, way: str
) -> None:
    """Reserved 0.10, actual 0.15, cap 0.10: 0.15 is spent, the overrun of 0.05 is a decision, the next is refused."""
    model = LongerThanAsked()
    policy = parse_policy(
        'prices: {models: [{provider: "*", model: scripted, input_usd_per_mtok: 0, output_usd_per_mtok: 1000}]}\n'
        "budgets: [{name: cap, limit_usd: '0.10'}]"
    )
    with metered(tmp_path, policy) as meter:
        bounded = model.bind(max_tokens=100)
        WAYS[way](bounded, meter.config(ACME))
        assert [step["reserved_nanousd"] for step in meter.ledger.steps()] == [10 * CENT]
        assert counters(meter) == (15 * CENT, 0)
        with pytest.raises(BudgetExceeded):
            WAYS[way](bounded, meter.config(ACME))
        assert model.requests == 1
        assert counters(meter) == (15 * CENT, 0)
        assert meter.ledger.verify() == []
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        query = "SELECT outcome, detail ->> 'overrun_nanousd' FROM decisions ORDER BY decided_us, outcome"
        assert connection.execute(query).fetchall() == [("overrun", 5 * CENT), ("refused", None)]


@EVERY_WAY
def test_an_end_that_is_delivered_twice_is_spent_once(tmp_path: Path, way: str) -> None:
    """Start and end of the call are both heard twice: one hold, one step, and the second call still fits."""
    model = ScriptedModel()
    policy = by_call("0.05", "{name: cap, limit_usd: '0.10'}")
    with metered(tmp_path, policy) as meter, meter.task(ACME):
        again = Dispatcher()
        again.attach(meter.listener)
        # Not by `meter.config`, which would see that the meter is attached already.
        config: Any = {"callbacks": [meter.handler, again]}
        for calls in (1, 2):
            WAYS[way](model, config)
            assert counters(meter) == (calls * 5 * CENT, 0)
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, {})
        assert model.requests == len(list(meter.ledger.steps())) == 2
        assert meter.ledger.verify() == []


@EVERY_WAY
@pytest.mark.parametrize(
    "limit", ["limit_usd: 0", "limit_tokens: 0", "limit_calls: 0", "limit_usd: 0, per: call"]
)
def test_zero_is_a_limit_in_every_unit(tmp_path: Path, limit: str, way: str) -> None:
    """It refuses everything paid; it does not mean that there is no budget."""
    model = ScriptedModel()
    with metered(tmp_path, by_call("0.05", f"{{name: cap, {limit}}}")) as meter:
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(ACME))
        assert model.requests == 0


@pytest.mark.parametrize("cap", [{"usd": 0}, {"usd": "0.00"}, {"tokens": 0}, {"calls": 0}])
def test_a_block_that_may_spend_nothing_spends_nothing(tmp_path: Path, cap: dict[str, Any]) -> None:
    """`meter.cap(usd=0)` is a cap."""
    model = ScriptedModel()
    with Meter(tmp_path / "ledger.db", policy=parse_policy(PRICES)) as meter:
        with meter.cap(**cap, context=ACME), pytest.raises(BudgetExceeded):
            model.invoke("hi")
        assert model.requests == 0


@EVERY_WAY
def test_a_day_begins_at_midnight_of_the_budgets_zone_and_nobody_resets_it(tmp_path: Path, way: str) -> None:
    """23:59:59.9 and 00:00:00.1 in New York, one day in UTC: two windows, and room again without a job."""
    model = ScriptedModel()
    now = [MIDNIGHT_US - 100_000]
    budget = "{name: daily, period: day, timezone: America/New_York, limit_usd: '0.0075'}"
    policy = by_call("0.0075", budget)
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: now[0]) as meter:
        WAYS[way](model, meter.config(ACME))
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(ACME))
        now[0] = MIDNIGHT_US + 100_000
        WAYS[way](model, meter.config(ACME))
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(ACME))
        assert model.requests == 2
        meter.flush()
        windows = sorted(
            (row["start_us"], row["end_us"], row["spent_nanousd"]) for row in meter.ledger.windows()
        )
        assert [(end, spent) for _, end, spent in windows] == [
            (MIDNIGHT_US, CALL_NANOUSD),
            (MIDNIGHT_US + 86_400_000_000, CALL_NANOUSD),
        ]
        assert windows[1][0] == MIDNIGHT_US
        assert meter.ledger.verify() == []


@EVERY_WAY
def test_a_call_over_midnight_belongs_to_the_day_of_its_start(tmp_path: Path, way: str) -> None:
    """Sent at 23:59:59.9, answered at 00:00:00.1: the old day paid for it, and the new one has all its room."""
    now = [MIDNIGHT_US - 100_000]
    model = ScriptedModel(before_answer=lambda: now.append(MIDNIGHT_US + 100_000))
    budget = "{name: daily, period: day, timezone: America/New_York, limit_usd: '0.0075'}"
    policy = by_call("0.0075", budget)
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: now[-1]) as meter:
        WAYS[way](model, meter.config(ACME))
        meter.flush()
        (window,) = meter.ledger.windows()
        assert (window["end_us"], window["spent_nanousd"], window["held_nanousd"]) == (
            MIDNIGHT_US,
            CALL_NANOUSD,
            0,
        )
        WAYS[way](model, meter.config(ACME))
        assert model.requests == 2
        assert meter.ledger.verify() == []
