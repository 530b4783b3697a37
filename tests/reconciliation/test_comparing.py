"""An invoice beside a ledger: coverage, the residual, and the rows that explain it."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports.kit import write_books
from ledger.rows import ACME, START_US, step, task
from spendgraph.ledger import Ledger
from spendgraph_reports.period import Period
from spendgraph_reports.reconcile import InvoiceLine, Row, Tokens, reconcile
from spendgraph_reports.reconcile.names import align

SEPTEMBER = Period.month("2026-09")
DAY = date(2026, 9, 21)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger that has booked $26.74 of gpt-5."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step("dear", provider="openai", model="gpt-5", cost_nanousd=26_740_000_000))
    return path


def test_an_invoice_that_is_not_covered_shows_its_residual_as_its_own_line(books: Path) -> None:
    """$770.00 against $26.74 is a residual of $743.26, which belongs to nobody: no row of the ledger grows by it."""
    found = reconcile(books, [InvoiceLine("gpt-5", DAY, 770_000_000_000)], SEPTEMBER, provider="openai")
    assert found.residual == 743_260_000_000
    assert (found.invoice, found.ledger, found.unattributed) == (770_000_000_000, 26_740_000_000, 0)
    assert found.coverage == pytest.approx(0.034727, abs=1e-6)
    assert found.unattributed_share == pytest.approx(0.965273, abs=1e-6)
    assert not found.reaches_goal
    assert found.rows == [Row(DAY, "gpt-5", 770_000_000_000, 26_740_000_000, 0, 0, "nanousd")]
    assert found.rows[0].cause == "differs"


def test_an_invoice_that_is_covered_reaches_the_goal(books: Path) -> None:
    """Four percent missing is within five."""
    found = reconcile(books, [InvoiceLine("gpt-5", DAY, 27_854_000_000)], SEPTEMBER, provider="openai")
    assert (found.residual, found.reaches_goal) == (1_114_000_000, True)


def test_what_is_booked_without_tags_has_no_owner_either(tmp_path: Path) -> None:
    """The goal counts both: what nobody booked, and what nobody claims."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        lost = {"provider": "openai", "model": "gpt-5", "missing_tags": "team", "cost_nanousd": 6_000_000_000}
        ledger.post(ACME, task(), step("a", **{**lost, "missing_tags": "", "cost_nanousd": 92_000_000_000}), step("b", **lost))  # fmt: skip
    found = reconcile(tmp_path / "ledger.db", [InvoiceLine("gpt-5", DAY, 100_000_000_000)], SEPTEMBER)
    assert (found.unattributed, found.residual) == (6_000_000_000, 2_000_000_000)
    assert found.unattributed_share == pytest.approx(0.08)
    assert not found.reaches_goal


def test_the_rows_that_explain_stand_first(tmp_path: Path) -> None:
    """By day and model, the largest difference first, each with what it most likely is."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        made = {"provider": "openai", "kind": "model"}
        ledger.post(
            ACME,
            task(),
            step("same", **made, model="same", cost_nanousd=3_000_000_000),
            step("mine", **made, model="only-mine", cost_nanousd=1_000_000_000),
            step("free", **made, model="acme-1", cost_nanousd=0, cost_basis="unpriced"),
            step("guess", **made, model="guessed", cost_nanousd=5_000_000_000, cost_basis="estimated"),
            step("cents", **made, model="cents", cost_nanousd=9_999_000_000),
        )
    bill = {"same": 3, "only-theirs": 9, "acme-1": 4, "guessed": 7, "cents": 10}
    lines = [InvoiceLine(model, DAY, dollars * 10**9) for model, dollars in bill.items()]
    found = reconcile(path, lines, SEPTEMBER, provider="openai")
    assert [(row.model, row.difference, row.cause) for row in found.rows] == [
        ("only-theirs", 9_000_000_000, "not in the ledger"),
        ("acme-1", 4_000_000_000, "no price"),
        ("guessed", 2_000_000_000, "within estimates"),
        ("only-mine", -1_000_000_000, "not on the invoice"),
        ("cents", 1_000_000, "rounding"),
        ("same", 0, "equal"),
    ]
    assert sum(row.difference for row in found.rows) == found.residual


def test_an_invoice_of_months_is_compared_by_month(books: Path) -> None:
    """What the invoice does not tell apart is not told apart in the ledger."""
    lines = [InvoiceLine("(not said)", None, 30_000_000_000)]
    assert reconcile(books, lines, SEPTEMBER).rows == [
        Row(None, "(not said)", 30_000_000_000, 26_740_000_000, 0, 0, "nanousd")
    ]


def test_lines_of_other_months_are_left_out_and_counted(books: Path) -> None:
    """An export of a quarter can be compared month by month."""
    lines = [InvoiceLine("gpt-5", DAY, 26_740_000_000), InvoiceLine("gpt-5", date(2026, 10, 1), 5)]
    found = reconcile(books, lines, SEPTEMBER)
    assert (found.residual, found.outside_lines, found.outside) == (0, 1, 5)


def test_a_usage_export_is_compared_in_tokens(books: Path) -> None:
    """It has no dollars."""
    found = reconcile(books, [InvoiceLine("gpt-5", DAY, None, Tokens(16, 4))], SEPTEMBER, provider="openai")
    assert (found.unit, found.invoice, found.ledger, found.residual) == ("tokens", 20, 14, 6)
    assert found.document()["residual_tokens"] == 6


def test_other_providers_are_not_compared(tmp_path: Path) -> None:
    """Nor what LangChain's cache answered; corrections are."""
    books = write_books(tmp_path / "ledger.db")
    assert reconcile(books, [], SEPTEMBER, provider="anthropic").ledger == 4_000
    assert reconcile(books, [], SEPTEMBER, provider="openai").ledger == 26_740_000_002
    assert reconcile(books, [], SEPTEMBER, provider="anthropic").coverage is None


def test_names_meet_where_writing_and_dates_alone_differ() -> None:
    """But two dated models of one name stay two when both sides know them."""
    aligned = align(["Claude Sonnet 4.5", "gpt-4o-2024-08-06"], ["claude-sonnet-4-5-20250929", "gpt-4o"])
    assert aligned["Claude Sonnet 4.5"] == "claude-sonnet-4-5-20250929"
    assert aligned["gpt-4o-2024-08-06"] == "gpt-4o"
    dated = ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"]
    assert align(dated, dated) == {name: name for name in dated}


AMOUNTS = st.integers(0, 10**13)
MODELS = st.sampled_from(["gpt-5", "gpt-4o", "gpt-4o-2024-08-06"])


@settings(max_examples=15, deadline=None)
@given(
    billed=st.lists(st.tuples(MODELS, st.integers(1, 30), AMOUNTS), max_size=12),
    booked=st.lists(st.tuples(MODELS, st.integers(-5, 40), AMOUNTS), max_size=12),
)
def test_rows_foot(billed: list[tuple[str, int, int]], booked: list[tuple[str, int, int]]) -> None:
    """Whatever the names: the rows' sides add up to the invoice and to the ledger, to the nano-dollar."""
    first_us = START_US - 21 * 86_400_000_000  # 2026-08-31
    with tempfile.TemporaryDirectory() as folder:
        books = Path(folder, "ledger.db")
        with Ledger.open(books) as ledger:
            ledger.post(ACME, task())
            for model, day, cost in booked:
                at = first_us + day * 86_400_000_000
                ledger.post(step(provider="openai", model=model, started_us=at, cost_nanousd=cost))
        lines = [InvoiceLine(model, date(2026, 9, day), cost) for model, day, cost in billed]
        found = reconcile(books, lines, SEPTEMBER, provider="openai")
    assert found.invoice == sum(row.invoice for row in found.rows) == sum(cost for _, _, cost in billed)
    inside = sum(cost for _, day, cost in booked if 1 <= day <= 30)
    assert found.ledger == sum(row.ledger for row in found.rows) == inside
    assert found.residual == sum(row.difference for row in found.rows)
