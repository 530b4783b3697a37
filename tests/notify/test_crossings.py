"""When people are told of a budget, who of them, and how often: looked at after commits of real calls."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from budgets.fanout import ACME, CALL_NANOUSD, PRICES
from budgets.test_killed import AGENT as KILLED
from notify.kit import DAY_US, HOUR_US, MONDAY_US, NOWHERE, Time, call, look, policy, rows
from scripted import ScriptedModel
from spendgraph import ApprovalRequired, Meter
from spendgraph.ledger import Ledger, leases
from spendgraph.ledger.approvals import Decision
from spendgraph.ledger.holds import LEASE_US
from spendgraph.notify import Channels
from spendgraph.notify.thresholds import watched
from spendgraph.policy import Policy, parse_policy

HALF_AND_MORE = "thresholds: [{at: 50%, do: [notify]}, {at: 80%, do: [notify], to: [lead]}]"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


def told(path: Path) -> list[tuple[str, int | None, list[str]]]:
    """Kind, threshold and names of each alert."""
    return [(kind, at, json.loads(names)) for kind, at, names in rows(path, "kind, threshold, told")]


def ten_calls(more: str = HALF_AND_MORE, period: str = "total") -> Policy:
    """A limit of ten calls."""
    return policy(f"per: tenant, period: {period}, limit_usd: '0.075', {more}", growth=NOWHERE, lead=NOWHERE)


def test_a_threshold_is_told_once_and_to_whom_it_says(path: Path) -> None:
    """The owner of each, `to` beside the owner; whatever is called and looked at afterwards."""
    with Meter(path, policy=ten_calls()) as meter:
        call(meter, 4)
        look(meter)
        assert told(path) == []
        call(meter)
        look(meter)
        assert told(path) == [("threshold", 5 * CALL_NANOUSD, ["growth"])]
        call(meter, 4)
        look(meter)
    with Meter(path, policy=ten_calls()) as meter:
        call(meter)
        look(meter)
    assert told(path) == [
        ("threshold", 5 * CALL_NANOUSD, ["growth"]),
        ("threshold", 8 * CALL_NANOUSD, ["growth", "lead"]),
    ]
    (title, message, scope, spent) = rows(path, "title, message, scope, spent")[1]
    assert title == "Budget b has reached 80% for tenant=acme"
    assert message.startswith("$0.0675 of $0.075 is spent for tenant=acme. 90.0% is spent.")
    assert (scope, spent) == ("tenant=acme", 9 * CALL_NANOUSD)


def test_who_hears_of_the_higher_threshold_does_not_hear_of_the_lower_one_too(path: Path) -> None:
    """One look that finds both tells each person once; both are rows."""
    with Meter(path, policy=ten_calls()) as meter:
        call(meter, 8)
        look(meter)
    assert told(path) == [
        ("threshold", 8 * CALL_NANOUSD, ["growth", "lead"]),
        ("threshold", 5 * CALL_NANOUSD, []),
    ]


def test_a_raised_limit_has_thresholds_of_its_own(path: Path) -> None:
    """Half of the new limit is something else than half of the old one."""
    for limit in ("0.075", "0.15"):
        given = policy(f"limit_usd: '{limit}', thresholds: [{{at: 50%, do: notify}}]", growth=NOWHERE)
        with Meter(path, policy=given) as meter:
            call(meter, 5)
            look(meter)
    assert rows(path, "kind, limit_amount") == [("threshold", 75_000_000), ("threshold", 150_000_000)]


def test_a_share_is_exact_and_rounded_up() -> None:
    """Half of three calls are two: one is a third."""
    (budget,) = policy("limit_calls: 3, thresholds: [{at: 50%, do: notify}]", growth=NOWHERE).budgets
    of = watched(budget, Channels({"growth": (NOWHERE,)}))
    assert of is not None
    assert [level.amount for level in of.levels] == [4, 2]


def test_what_is_spent_too_fast_is_told_once_a_day(path: Path) -> None:
    """Three of ten calls within a tenth of the day; with four twentieths gone it would have been even."""
    time = Time(MONDAY_US + HOUR_US)
    with Meter(path, policy=ten_calls(period="day"), clock=time) as meter:
        call(meter, 3)
        look(meter)
        assert told(path) == []  # a twentieth of the day is an hour and twelve minutes
        time.us = MONDAY_US + int(2.4 * HOUR_US)
        call(meter, 1)
        look(meter)
        assert told(path) == [("pace", None, ["growth"])]
        time.us += HOUR_US
        call(meter, 1)
        look(meter)
        time.us = MONDAY_US + DAY_US + 3 * HOUR_US
        call(meter, 2)
        look(meter)
    kinds = [kind for kind, *_ in told(path)]
    assert kinds == ["pace", "threshold", "pace"]
    assert "At this pace the limit is reached at 2025-12-01 06:00 UTC" in rows(path, "message")[0][0]


def test_an_even_pace_is_not_told(path: Path) -> None:
    """Four of ten calls after a third of the day: 1.2 times as fast as evenly."""
    time = Time(MONDAY_US + 8 * HOUR_US)
    with Meter(path, policy=ten_calls(period="day"), clock=time) as meter:
        call(meter, 4)
        look(meter)
    assert told(path) == []


def test_a_rolling_threshold_counts_anew_once_spending_had_fallen_below_it(path: Path) -> None:
    """At 80 percent, then a little below, which is no reason to tell it again; then far below, which is."""
    time = Time()
    given = policy(
        "per: tenant, period: rolling 24h, limit_usd: '0.15', thresholds: [{at: 80%, do: notify}]",
        growth=NOWHERE,
    )
    with Meter(path, policy=given, clock=time) as meter:
        call(meter, 1)  # of twenty
        time.us += 2 * HOUR_US
        call(meter, 15)
        look(meter)
        assert len(rows(path)) == 1
        time.us = MONDAY_US + DAY_US + HOUR_US  # the first is out of sight: 75 percent
        call(meter, 1)  # 80
        look(meter)
        assert len(rows(path)) == 1
        time.us = MONDAY_US + 2 * DAY_US + 6 * HOUR_US
        call(meter, 15)  # 75
        look(meter)
        assert len(rows(path)) == 1
        call(meter, 1)
        look(meter)
        assert len(rows(path)) == 2
        time.us += HOUR_US
        call(meter, 1)
        look(meter)
        assert len(rows(path)) == 2
    assert rows(path, "DISTINCT scope, threshold") == [("tenant=acme", 120_000_000)]


def test_an_overrun_is_told_and_what_was_granted_is_none(path: Path) -> None:
    """Spending is beyond the limit; with a grant, only beyond that."""
    given = policy("limit_usd: '0.01'", growth=NOWHERE)
    with Meter(path, policy=given) as meter:
        call(meter)
        meter.ledger.flush()
        meter.ledger.inbox.raise_limit("b", "", 5_000_000, by="cfo", why="")
        meter.record("human_review", usd="0.005")
        look(meter)
        assert told(path) == []
        meter.record("human_review", usd="0.01")
        look(meter)
    assert told(path) == [("overrun", 10_000_001, ["growth"])]


def test_refusals_are_told_once_an_hour(path: Path) -> None:
    """However many there are; the next hour they are told again."""
    time = Time(MONDAY_US + 7)
    with Meter(path, policy=ten_calls("thresholds: [{at: 100%, do: block, to: lead}]"), clock=time) as meter:
        call(meter, 12)
        look(meter)
        time.us += HOUR_US // 2
        call(meter, 2)
        look(meter)
        assert rows(path, "kind, scope, told") == [("blocked", "tenant=acme", '["growth","lead"]')]
        time.us += HOUR_US
        call(meter, 5)
        look(meter)
    assert [kind for kind, *_ in rows(path)] == ["blocked", "blocked"]


def test_a_question_is_told_to_owner_approvers_and_whom_the_threshold_names(path: Path) -> None:
    """Once, however often it is asked; an approver who stands under no name is not told."""
    given = policy(
        "limit_usd: '0.01', thresholds: [{at: 100%, do: [approve], to: [lead]}, {at: 100%, do: [notify], to: [other]}],"
        " approvers: [cfo, nobody@example.com]",
        growth=NOWHERE,
        lead=NOWHERE,
        cfo=NOWHERE,
        other=NOWHERE,
    )
    with Meter(path, policy=given) as meter:
        with meter.task(ACME):
            for _ in range(3):
                try:
                    ScriptedModel().invoke("hi")
                except ApprovalRequired as refusal:
                    refusal.handled()
        look(meter)
        ((approval_id,),) = [tuple(row.values())[:1] for row in meter.ledger.approvals()]
        assert rows(path, "kind, told") == [("approval", '["growth","lead","cfo"]')]
        assert f"approvals approve {approval_id[:8]}" in rows(path, "message")[0][0]
        meter.ledger.inbox.decide(approval_id, Decision(yes=False, by="cfo", why=""))


def test_a_dear_call_is_told_each_time(path: Path) -> None:
    """Of a budget per call that it matches; a call that costs just as much as the warning is not dear."""
    budgets = "per: call, limit_usd: 1, warn_usd: '0.005', match: {tenant: acme}"
    with Meter(path, policy=policy(budgets, growth=NOWHERE)) as meter:
        call(meter, 2)
        ScriptedModel().invoke("hi", meter.config(ACME.replace(tenant="globex")))
        look(meter)
    assert (
        rows(path, "kind, spent, threshold, told") == [("dear_call", 7_500_000, 5_000_000, '["growth"]')] * 2
    )
    assert "A call of scripted cost $0.0075" in rows(path, "message")[0][0]


@pytest.mark.parametrize("booked_by", ["the ledger thread", "a reservation that found no room"])
def test_calls_of_killed_processes_count_too(path: Path, booked_by: str) -> None:
    """Whoever books what an expired lease held has crossed the threshold."""
    subprocess.run([sys.executable, "-c", KILLED, path], cwd=Path(__file__).parents[1], check=False)
    given = parse_policy(
        f"{PRICES}\nbudgets: [{{name: cap, owner: growth, per: tenant, limit_usd: '0.0075', thresholds: [{{at: 80%, do: notify}}]}}]"
        f"\nnotify: {{growth: '{NOWHERE}'}}"
    )
    with Meter(path, policy=given) as meter:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE holds SET lease_until_us = lease_until_us - ?", (LEASE_US + 1,))
        if booked_by == "the ledger thread":
            leases.keep(meter.ledger._writer)  # pyright: ignore[reportPrivateUsage]
        else:
            call(meter)
        look(meter)
    assert ("threshold", CALL_NANOUSD) in rows(path, "kind, spent")


def test_nobody_is_watched_and_nothing_raised_without_anybody_to_tell(path: Path) -> None:
    """Without `notify` and without thresholds that notify, commits tell nobody anything."""
    with Meter(
        path, policy=parse_policy(f"{PRICES}\nbudgets: [{{name: b, owner: o, limit_usd: '0.01'}}]")
    ) as meter:
        call(meter, 3)
        assert len(meter.ledger._writer.watchers) == 0  # pyright: ignore[reportPrivateUsage]
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
    assert rows(path) == []
