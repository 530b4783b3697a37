"""By how much an `expected` budget can be passed: exactly what docs/budgets.md says, and a cap is nearly used up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, START_US, step, task
from ledger.test_growth import grown, wish
from ledger.test_holds import CENT, ask, held, window
from spendgraph.ledger import Hold, Ledger

LIMIT = 3 * CENT

_ACTS = st.lists(
    st.tuples(st.sampled_from(["reserve", "grow", "book"]), st.integers(0, 9), st.integers(0, 4 * CENT)),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(acts=_ACTS)
@example(acts=[("reserve", 0, CENT)] * 3 + [("book", 0, 4 * CENT)] * 3)
def test_a_limit_is_passed_by_what_the_calls_under_way_cost_beyond_their_holds(
    acts: list[tuple[str, int, int]],
) -> None:
    """Under way when room was last given; of those that cost less nothing is set off. Never by more."""
    with Ledger.open(":memory:") as ledger:
        ledger.post(ACME, task())
        open_holds: dict[str, Hold] = {}
        last_room: dict[str, int] = {}
        beyond: dict[str, int] = {}

        def book(step_id: str, cost: int) -> None:
            hold = open_holds.pop(step_id)
            ledger.book(held(hold, step(step_id, cost_nanousd=cost, started_us=START_US)))
            beyond[step_id] = max(cost - hold.nanousd, 0)

        for n, (act, which, amount) in enumerate(acts):
            given: Any = None
            step_id = f"s{n}"
            if act == "reserve":
                given = ledger.reserve(ask(step_id, amount))
            elif open_holds:
                step_id = list(open_holds)[which % len(open_holds)]
                if act == "grow":
                    given = grown(ledger, wish(step_id, open_holds[step_id], amount))
                else:
                    book(step_id, amount)
            if isinstance(given, Hold):
                open_holds[step_id] = given
                last_room = dict.fromkeys(open_holds, 0)
        for step_id in list(open_holds):
            book(step_id, 4 * CENT)
        spent = window(ledger)[0] if last_room else 0
        assert spent <= LIMIT + sum(beyond[step_id] for step_id in last_room)
        if spent >= LIMIT:
            assert not isinstance(ledger.reserve(ask("next", 1)), Hold)


def test_the_bound_is_reached(tmp_path: Path) -> None:
    """Three calls that hold a cent each and cost four: nine cents beyond a limit of three, and no call more."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(ACME, task())
        for n, hold in enumerate([ledger.reserve(ask(f"s{n}")) for n in range(3)]):
            ledger.book(held(hold, step(f"s{n}", cost_nanousd=4 * CENT)))
        assert window(ledger) == (LIMIT + 3 * (4 - 1) * CENT, 0)
        assert not isinstance(ledger.reserve(ask("next", 1)), Hold)


@pytest.mark.parametrize("reserve", ["expected", "strict"])
def test_calls_of_random_cost_use_a_cap_nearly_up(reserve: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least 95 percent of what 200 calls cost on average, with eight at a time; strict never passes it."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    import cap_use

    use = cap_use.use_of_cap(reserve, calls=200, workers=8, seed=7)
    assert use.share >= 0.95
    assert use.overshoot <= (0.02 if reserve == "expected" else 0)
