"""`meter.cap`: an ad-hoc limit on a block of code."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pathlib import Path

import pytest

from budgets.fanout import ACME, CALL_NANOUSD, PRICES
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, Meter, UnboundedCall
from spendgraph.policy import parse_policy

POLICY = parse_policy(PRICES)


def test_a_block_may_spend_so_much_and_no_more(tmp_path: Path) -> None:
    """Two calls of $0.0075 fit two cents; the third is refused, and the next block begins anew."""
    model = ScriptedModel()
    with Meter(tmp_path / "ledger.db", policy=POLICY) as meter:
        for _ in range(2):
            with meter.cap(usd="0.02", context=ACME):
                model.invoke("hi")
                model.invoke("hi")
                with pytest.raises(
                    BudgetExceeded, match=r"'meter.cap' allows \$0.02; \$0.015 is spent"
                ) as caught:
                    model.invoke("hi")
                assert caught.value.hint == "Raise the cap of the block."
        model.invoke("hi")
        assert meter.ledger.verify() == []
        assert sum(step["cost_nanousd"] for step in meter.ledger.steps(tenant="acme")) == 4 * CALL_NANOUSD
    assert model.requests == 5


def test_an_inner_task_and_an_inner_cap_count_against_the_outer_one(tmp_path: Path) -> None:
    """The narrowest limit refuses first; what is spent inside is spent outside."""
    model = ScriptedModel()
    with Meter(tmp_path / "ledger.db", policy=POLICY) as meter, meter.cap(calls=3):
        with meter.cap(calls=1):
            model.invoke("hi")
            with pytest.raises(BudgetExceeded):
                model.invoke("hi")
        with meter.task(ACME):
            model.invoke("hi")
            model.invoke("hi")
            with pytest.raises(BudgetExceeded):
                model.invoke("hi")
    assert model.requests == 3


def test_a_strict_cap_wants_a_ceiling(tmp_path: Path) -> None:
    """Output costs nothing here, so it has one; a price for output would ask for max_tokens."""
    priced = parse_policy(PRICES.replace("output_usd_per_mtok: 0", "output_usd_per_mtok: 1"))
    with Meter(tmp_path / "a.db", policy=priced) as meter, meter.cap(usd=1, strict=True):
        with pytest.raises(UnboundedCall, match="max_tokens"):
            ScriptedModel().invoke("hi")
        ScriptedModel().invoke("hi", max_tokens=5)


def test_what_a_strict_cap_lacks_is_said_with_what_to_do(tmp_path: Path) -> None:
    """A price stands in the policy, `max_tokens` on the call."""
    with (
        Meter(tmp_path / "a.db") as meter,
        meter.cap(usd=1, strict=True),
        pytest.raises(
            UnboundedCall, match=r"it lacks a price.*\. Add it under prices.models in the policy file"
        ),
    ):
        ScriptedModel().invoke("hi", max_tokens=5)


def test_a_refusal_counts_in_plain_words(tmp_path: Path) -> None:
    """One call is spent, two calls are."""
    for most, said in ((1, "allows 1 call; 1 call is spent"), (2, "allows 2 calls; 2 calls are spent")):
        with Meter(tmp_path / "a.db", policy=POLICY) as meter, meter.cap(calls=most):
            for _ in range(most):
                ScriptedModel().invoke("hi")
            with pytest.raises(BudgetExceeded, match=said):
                ScriptedModel().invoke("hi")


@pytest.mark.parametrize("limits", [{}, {"usd": 1, "calls": 2}, {"usd": "-1"}, {"calls": 1.5}])
def test_a_cap_has_one_limit(tmp_path: Path, limits: dict[str, object]) -> None:
    """Anything else is an error that says what was expected."""
    with Meter(tmp_path / "a.db") as meter, pytest.raises(ValueError, match="expected"):
        meter.cap(**limits)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
