"""The watch in the policy file: what may be said, and what an error says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from spendgraph.errors import PolicyError
from spendgraph.policy import parse_policy

BREAKERS = "breakers: [{name: stop, per: tenant}, {name: everybody}]\n"


def test_what_a_watch_says() -> None:
    """Everything of it, and what is not said."""
    watch = parse_policy(
        f"{BREAKERS}watch:\n  timezone: Europe/Berlin\n  holidays: [2026-12-25]\n  cuts:\n"
        "    - {name: tenants, per: tenant, match: {environment: [production]}, every: quarter, min_usd: '2',\n"
        "       sensitivity: high, owner: growth, breaker: stop, suspend: true, suspend_usd: 10, suspend_usd_per_hour: 20}\n"
        "    - {name: all, breaker: everybody}\n"
    ).watch
    assert (watch.timezone, watch.holidays) == ("Europe/Berlin", (date(2026, 12, 25),))
    tenants, everything = watch.cuts
    assert (tenants.per, tenants.every, tenants.min_usd, tenants.sensitivity) == (
        ("tenant",),
        "quarter",
        Decimal(2),
        "high",
    )
    assert (tenants.suspend, tenants.suspend_usd, tenants.suspend_usd_per_hour) == (
        True,
        Decimal(10),
        Decimal(20),
    )
    assert (everything.per, everything.every, everything.min_usd, everything.suspend) == (
        (),
        "hour",
        Decimal(5),
        False,
    )
    assert parse_policy("version: 1").watch.cuts == ()


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("per: tenant, suspend: true", "expected `breaker` beside `suspend`"),
        (
            "per: tenant, breaker: none",
            "expected the name of a breaker in `breaker` of the cut 'c', found 'none'",
        ),
        ("per: feature, breaker: stop", "['tenant'], found ['feature']"),
        ("per: task", "per"),
        ("every: minute", "expected 'quarter', 'hour' or 'day', found 'minute'"),
        ("sensitivity: most", "expected 'low', 'normal' or 'high', found 'most'"),
        ("to: [lead]", "expected names under `notify` in `to`, found 'lead'"),
        (
            "name: c, per: tenant}, {name: c",
            "expected a name of its own for every watched cut, found 'c' twice",
        ),
    ],
)
def test_an_error_says_what_was_expected(cut: str, message: str) -> None:
    """With file and line."""
    body = cut if cut.startswith("name") else f"name: c, {cut}"
    with pytest.raises(PolicyError) as caught:
        parse_policy(f"{BREAKERS}watch: {{cuts: [{{{body}}}]}}")
    assert message in str(caught.value)
