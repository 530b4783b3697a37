"""`spendgraph budgets`: where rolling budgets stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.kit import Cli, Said
from scripted import PRICES, ScriptedModel
from spendgraph import CostContext, Meter
from spendgraph.policy import parse_policy

ROLLING = f"{PRICES}budgets: [{{name: r, per: tenant, period: rolling 24h, limit_usd: 1}}]"


def test_a_rolling_budget_is_one_row_with_the_sum_of_its_period(cli: Cli, tmp_path: Path) -> None:
    """Not one of its 48 parts: what was spent hours ago counts, what is held now too; what is older does not."""
    found: list[Said] = []
    with Meter(tmp_path / "b.db", policy=parse_policy(ROLLING)) as meter:
        with meter.task(CostContext(tenant="acme")):
            for hours, dollars in ((1, "0.25"), (5, "0.125"), (30, "7")):
                meter.record("parcels", usd=dollars, started=datetime.now(UTC) - timedelta(hours=hours))
        with meter.task(CostContext(tenant="globex")):
            meter.record("parcels", usd="0.5", started=datetime.now(UTC) - timedelta(hours=30))
        meter.flush()
        meter.ledger.inbox.raise_limit("r", "tenant=acme", 10**9 // 2, by="lead", why="launch")
        model = ScriptedModel(
            before_answer=lambda: found.append(cli("budgets", "--json", "--ledger", "b.db"))
        )
        model.bind(max_tokens=1000).invoke("hi", meter.config(CostContext(tenant="acme")))
    (row,) = found[0].json
    assert (row["budget"], row["scope"], row["period"], row["used"]) == (
        "r", "tenant=acme", "rolling 24h", True,
    )  # fmt: skip
    assert (row["spent_nanousd"], row["held_nanousd"]) == (375_000_000, 2_005_000)
    assert (row["granted_nanousd"], row["left_nanousd"]) == (500_000_000, 1_500_000_000 - 377_005_000)
    assert (row["ends"], row["pace"], row["exhausted"]) == (None, None, None)
    ago = datetime.now(UTC) - datetime.fromisoformat(row["started"])
    assert timedelta(hours=24) <= ago <= timedelta(hours=24, minutes=31)
    lines = [" ".join(line.split()) for line in cli("budgets", "--ledger", "b.db").out.splitlines()]
    assert lines[1] == "r tenant=acme rolling 24h $1.00 $0.50 $0.37502 $0.00 $1.12498 nobody *"


def test_of_a_rolling_budget_all_shows_every_scope_once(cli: Cli, tmp_path: Path) -> None:
    """Its parts are no windows; a scope of which nothing counts any more stands at nothing."""
    with Meter(tmp_path / "b.db", policy=parse_policy(ROLLING)) as meter:
        for tenant, hours in (("acme", 1), ("acme", 2), ("globex", 30)):
            with meter.task(CostContext(tenant=tenant)):
                meter.record("parcels", usd="0.5", started=datetime.now(UTC) - timedelta(hours=hours))
    rows = cli("budgets", "--all", "--json", "--ledger", "b.db").json
    assert [(row["scope"], row["spent_nanousd"]) for row in rows] == [
        ("tenant=acme", 10**9),
        ("tenant=globex", 0),
    ]
