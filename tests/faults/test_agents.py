"""An agent with `BudgetMiddleware` in an outage: refused where the policy blocks, let out where it allows, as without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budgets.agents import EITHER_WAY, agent_of, ask
from budgets.fanout import CALL_NANOUSD, PRICES, capped
from budgets.test_traps import counters
from faults.kit import CLOCK, EVAL, EVERY_FAULT, FAULTS, LENIENT, PRODUCTION, decisions, file_gone
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, BudgetMiddleware, LedgerUnavailable, Meter
from spendgraph.policy import parse_policy

ASKS = f"""
{PRICES}
budgets:
  - {{name: cap, owner: growth, per: tenant, limit_usd: '1', thresholds: [{{at: 100%, do: approve}}]}}
{LENIENT}
"""

EITHER_BUDGET = pytest.mark.parametrize("asks", [False, True], ids=["blocks", "asks"])


@EITHER_WAY
@EITHER_BUDGET
@EVERY_FAULT
def test_an_agent_goes_out_where_the_policy_allows(
    path: Path, impatient: None, model: ScriptedModel, fault: str, asks: bool, asynchronous: bool
) -> None:
    """Its calls are booked and counted once the ledger is back."""
    policy = parse_policy(ASKS) if asks else capped(cap="1", more=LENIENT)
    with Meter(path, policy=policy, clock=CLOCK) as meter:
        agent = agent_of(meter, model)
        ask(agent, meter.config(EVAL), asynchronous=asynchronous)
        meter.flush()
        with FAULTS[fault](path):
            for _ in range(2):
                answer = ask(agent, meter.config(EVAL), asynchronous=asynchronous)
                assert answer.text == "ok"
        assert model.requests == 3
        ask(agent, meter.config(EVAL), asynchronous=asynchronous)
        assert meter.flush()
        assert counters(meter) == (4 * CALL_NANOUSD, 0)
        assert meter.ledger.verify() == []
        assert decisions(meter) == [("ledger", "allowed")] * 2


@EITHER_WAY
@EITHER_BUDGET
def test_an_agent_is_refused_where_the_policy_blocks(
    path: Path, impatient: None, model: ScriptedModel, asks: bool, asynchronous: bool
) -> None:
    """A typed error, and nothing is sent."""
    policy = parse_policy(ASKS) if asks else capped(cap="1", more=LENIENT)
    with Meter(path, policy=policy) as meter:
        agent = agent_of(meter, model)
        ask(agent, meter.config(PRODUCTION), asynchronous=asynchronous)
        meter.flush()
        with file_gone(path), pytest.raises(LedgerUnavailable):
            ask(agent, meter.config(PRODUCTION), asynchronous=asynchronous)
        assert model.requests == 1


@EITHER_WAY
def test_a_single_call_that_is_too_dear_is_refused_in_an_outage_too(
    path: Path, impatient: None, model: ScriptedModel, asynchronous: bool
) -> None:
    """For that no ledger is needed."""
    policy = parse_policy(f"{PRICES}\nbudgets: [{{name: dear, per: call, limit_usd: '0.001'}}]\n{LENIENT}")
    with Meter(path, policy=policy) as meter:
        with file_gone(path), pytest.raises(BudgetExceeded):
            ask(agent_of(meter, model), meter.config(EVAL), asynchronous=asynchronous)
        assert model.requests == 0


@pytest.mark.parametrize("environment", ["production", "eval"])
def test_looking_ahead_asks_the_ledger_nothing_where_no_budget_asks(
    path: Path, impatient: None, model: ScriptedModel, environment: str
) -> None:
    """What only blocks is left to the call, whatever the policy says of an outage."""
    with Meter(path, policy=capped(cap="1", more=LENIENT)) as meter:
        model.invoke("hi", meter.config(PRODUCTION))
        meter.flush()
        with file_gone(path):
            with pytest.raises(LedgerUnavailable):
                model.invoke("hi", meter.config(PRODUCTION))
            with meter.task(EVAL.replace(environment=environment)):
                BudgetMiddleware(meter).before_model({}, None)


@EITHER_WAY
def test_nobody_is_asked_ahead_and_nothing_is_let_out_where_the_ledger_fails_before_the_question(
    path: Path, impatient: None, model: ScriptedModel, asynchronous: bool
) -> None:
    """A budget said no, and only the ledger can say yes."""
    with Meter(path, policy=parse_policy(ASKS.replace("limit_usd: '1'", "limit_usd: '0'"))) as meter:
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE approvals")
        with pytest.raises(LedgerUnavailable):
            ask(agent_of(meter, model), meter.config(EVAL), asynchronous=asynchronous)
        assert model.requests == 0
