"""Costs in FOCUS: every row by hand, and the total."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from exports.kit import TOTAL, cells
from ledger.rows import START_US
from spendgraph_reports.exports import FOCUS_VERSION, Exported, export_focus
from spendgraph_reports.exports.focus import COLUMNS
from spendgraph_reports.period import Period


@pytest.fixture
def rows(books: Path, tmp_path: Path) -> dict[str, dict[str, str]]:
    """The exported rows by what was bought; a correction's begins so."""
    assert export_focus(books, tmp_path / "focus.csv", account="acme-inc") == Exported(
        tmp_path / "focus.csv", 5, TOTAL
    )
    return {row["ChargeDescription"]: row for row in cells(tmp_path / "focus.csv")}


def test_billed_cost_sums_to_the_ledgers_total(rows: dict[str, dict[str, str]]) -> None:
    """To the nano-dollar, over rows below a micro-dollar and corrections."""
    assert sum(Decimal(row["BilledCost"]) for row in rows.values()) == Decimal(TOTAL) / 10**9
    assert sum(int(row["x_CostNanousd"]) for row in rows.values()) == TOTAL
    assert rows["Model inference of openai/gpt-5-nano"]["BilledCost"] == "0.000000002"


def test_quantity_is_in_tokens(rows: dict[str, dict[str, str]]) -> None:
    """Input and output; of a tool its own unit."""
    model, tool = rows["Model inference of openai/gpt-5"], rows["Tool calls of acme-inc/web_search"]
    assert (model["ConsumedQuantity"], model["ConsumedUnit"], model["PricingUnit"]) == (
        "14.0",
        "Tokens",
        "Tokens",
    )
    assert (tool["ConsumedQuantity"], tool["ConsumedUnit"]) == ("2.5", "pages")


def test_periods_are_half_open(rows: dict[str, dict[str, str]]) -> None:
    """A day's charges in a calendar month; the next begins where they end."""
    row = rows["Model inference of openai/gpt-5"]
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == (
        "2026-09-21T00:00:00Z",
        "2026-09-22T00:00:00Z",
    )
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
        "2026-09-01T00:00:00Z",
        "2026-10-01T00:00:00Z",
    )


def test_a_correction_is_a_row_of_its_own(rows: dict[str, dict[str, str]]) -> None:
    """With signed differences, in the period of the step it corrects."""
    row = rows["Correction: Model inference of anthropic/claude"]
    assert (row["ChargeClass"], row["BilledCost"], row["ConsumedQuantity"]) == (
        "Correction",
        "-0.000001",
        "-4.0",
    )
    assert row["ChargePeriodStart"] == "2026-09-21T00:00:00Z"


def test_a_cache_hit_is_no_charge(rows: dict[str, dict[str, str]]) -> None:
    """Nothing was sent and nothing bought: its tokens are not in the day's quantity."""
    assert rows["Model inference of openai/gpt-5"]["x_Calls"] == "1"


def test_tags_are_json_and_no_formulas(rows: dict[str, dict[str, str]]) -> None:
    """The tags as they are in `Tags`, behind a quote in cells of their own."""
    row = rows["Model inference of anthropic/claude"]
    assert json.loads(row["Tags"].replace(";'=", ";="))["tenant"] == "+evil;=1+1"
    assert row["x_Feature"] == "'=cmd|' /C calc'!A0"
    assert row["x_Tenant"] == "'+evil;'=1+1"


def test_unattributed_spend_is_marked(rows: dict[str, dict[str, str]]) -> None:
    """What lacks required tags is seen in a billing tool, too."""
    assert rows["Tool calls of acme-inc/web_search"]["x_Unattributed"] == "true"
    assert rows["Model inference of openai/gpt-5"]["x_Unattributed"] == "false"


def test_columns_are_focuss_own_and_then_ours() -> None:
    """Own columns begin with x_ and stand at the end; the version is in every row."""
    own = [name for name in COLUMNS if name.startswith("x_")]
    assert list(COLUMNS[-len(own) :]) == own
    assert all(name[0].isupper() and name.isalnum() for name in COLUMNS[: -len(own)])
    assert (FOCUS_VERSION, "x_FocusVersion" in own) == ("1.2", True)


def test_every_column_is_documented() -> None:
    """docs/focus.md maps each."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "focus.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []


def test_a_period_within_a_day_is_refused(books: Path, tmp_path: Path) -> None:
    """A charge period is a day: half of one would be said to be whole."""
    with pytest.raises(ValueError, match="whole days"):
        export_focus(books, tmp_path / "focus.csv", Period(START_US, None))
