"""Sums agree: parts and totals, to the nano-dollar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph_anomaly.forecasting.hierarchy import divided, reconciled, whole

AMOUNTS = st.floats(0, 1e7)


@given(st.integers(0, 10**16), st.lists(AMOUNTS, min_size=1, max_size=8))
def test_an_amount_is_divided_whole(amount: int, weights: list[float]) -> None:
    """The parts add up to it, none is below nothing."""
    parts = divided(amount, weights)
    assert sum(parts) == amount
    assert min(parts) >= 0


@given(st.lists(st.lists(AMOUNTS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_parts_add_up_to_their_total_in_every_bin(rows: list[list[float]]) -> None:
    """Whatever the fractions."""
    totals, cells = whole(np.array(rows))
    assert [sum(row[at] for row in cells) for at in range(3)] == totals
    assert totals == pytest.approx([sum(row[at] for row in rows) * 1e9 for at in range(3)], rel=1e-9, abs=1)


def test_the_surer_forecast_has_more_say() -> None:
    """Parts come to 10 and the total says 20: as sure as each other they meet at 15; a sure total has its way."""
    parts = np.array([[4.0], [6.0]])
    met = reconciled(np.array([20.0]), parts, 5.0, np.array([3.0, 4.0]))
    assert met.sum() == pytest.approx(15)
    assert met[:, 0].tolist() == pytest.approx([6.0, 9.0])
    sure = reconciled(np.array([20.0]), parts, 0.0, np.array([3.0, 4.0]))
    assert sure.sum() == pytest.approx(20)
    wild = reconciled(np.array([20.0]), parts, 5.0, np.zeros(2))
    assert wild.sum() == pytest.approx(10)


def test_where_no_part_spends_nobody_is_scaled() -> None:
    """A total without parts stays without."""
    assert reconciled(np.array([5.0]), np.zeros((2, 1)), 1.0, np.ones(2)).tolist() == [[0.0], [0.0]]
