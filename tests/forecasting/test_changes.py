"""Known changes: how they are written, whom they touch, and that they count once."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from spendgraph_anomaly.forecasting import Change
from spendgraph_anomaly.forecasting.changes import expect_ahead, weighed

DAYS = [date(2026, 12, 1) + timedelta(days=number) for number in range(4)]
ROWS = [
    {"tenant": "acme", "feature": "search", "cost_nanousd": 30},
    {"tenant": "acme", "feature": "triage", "cost_nanousd": 10},
    {"tenant": "globex", "feature": "search", "cost_nanousd": 60},
]
PATHS: dict[tuple[str, ...], NDArray[np.float64]] = {("acme",): np.full(4, 4.0), ("globex",): np.full(4, 6.0)}


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("2026-12-01 tenant=acme +20%", Change(date(2026, 12, 1), {"tenant": "acme"}, factor=1.2)),
        ("2026-12-01 -100%", Change(date(2026, 12, 1), factor=0.0)),
        ("2026-12-01 x1.5", Change(date(2026, 12, 1), factor=1.5)),
        ("2026-12-01 +$40/day", Change(date(2026, 12, 1), usd_a_day=40.0)),
        (
            "2026-12-01..2026-12-14 feature=search team=growth -12.50",
            Change(
                date(2026, 12, 1),
                {"feature": "search", "team": "growth"},
                usd_a_day=-12.5,
                last=date(2026, 12, 14),
            ),
        ),
    ],
    ids=["percent", "ends", "factor", "dollars", "days and tags"],
)
def test_a_change_is_read(text: str, change: Change) -> None:
    """A day or two, tags, an amount."""
    assert Change.read(text) == change


@pytest.mark.parametrize(
    "text", ["", "2026-12-01", "soon +20%", "2026-12-01 acme +20%", "2026-12-01 +20", "2026-12-01 -120%", "2026-12-02..2026-12-01 x2"]
)  # fmt: skip
def test_what_is_no_change_is_refused(text: str) -> None:
    """With what it would look like; +20 alone is twenty dollars a day."""
    if text == "2026-12-01 +20":
        assert Change.read(text).usd_a_day == 20.0
        return
    with pytest.raises(ValueError, match=r"expected a .*, found"):
        Change.read(text)


def test_a_factor_moves_whom_it_is_about() -> None:
    """Acme from the third of December, others not."""
    found = weighed(PATHS, ["tenant"], ROWS, DAYS, [Change(DAYS[2], {"tenant": "acme"}, factor=1.5)])
    assert found["acme",].tolist() == [4.0, 4.0, 6.0, 6.0]
    assert found["globex",].tolist() == [6.0] * 4
    assert PATHS["acme",].tolist() == [4.0] * 4


def test_a_change_of_a_part_moves_its_share() -> None:
    """Three quarters of acme's spending are search: doubled, acme spends 1.75 times as much."""
    found = weighed(PATHS, ["tenant"], ROWS, DAYS, [Change(DAYS[0], {"feature": "search"}, factor=2.0)])
    assert found["acme",].tolist() == [7.0] * 4
    assert found["globex",].tolist() == [12.0] * 4


def test_dollars_a_day_are_added_once() -> None:
    """Whoever they are about shares them: one for two of search, together $9 on the first two days."""
    change = Change(DAYS[0], {"feature": "search"}, usd_a_day=9.0, last=DAYS[1])
    found = weighed(PATHS, ["tenant"], ROWS, DAYS, [change])
    assert (found["acme",] - 4.0).tolist() == [3.0, 3.0, 0.0, 0.0]
    assert (found["globex",] - 6.0).tolist() == [6.0, 6.0, 0.0, 0.0]


def test_a_launch_makes_a_payer_that_was_not_there() -> None:
    """Nobody has spent as initech yet."""
    found = weighed(PATHS, ["tenant"], ROWS, DAYS, [Change(DAYS[1], {"tenant": "initech"}, usd_a_day=2.0)])
    assert found["initech",].tolist() == [0.0, 2.0, 2.0, 2.0]


def test_no_day_comes_to_less_than_nothing() -> None:
    """A saving of more than there is ends at nothing."""
    found = weighed(PATHS, ["tenant"], ROWS, DAYS, [Change(DAYS[0], {"tenant": "acme"}, usd_a_day=-5.0)])
    assert found["acme",].tolist() == [0.0] * 4


def test_what_has_begun_is_no_change() -> None:
    """The past shows it: it would count twice."""
    with pytest.raises(ValueError, match="expected changes from 2026-12-02 on, found one from 2026-12-01"):
        expect_ahead([Change(date(2026, 12, 1), factor=2.0)], date(2026, 12, 2))
