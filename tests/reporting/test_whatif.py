"""The same tokens at another model's prices: each call by itself, exact, and beside what was charged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES
from reporting.priced import ANSWERED, BOOK, POLICY, call, calls, ended, keep, prune, usage_of
from spendgraph.ledger import StepRow
from spendgraph.policy import parse_policy
from spendgraph.pricing import Usage
from spendgraph_reports.books import Books
from spendgraph_reports.efficiency import whatif
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import Report

SEPTEMBER = Period.month("2026-09")


def asked(path: Path, model: str, as_: str, provider: str = "", **options: object) -> Report:
    """The report of September at the prices of `POLICY`."""
    with Books(path, prices=POLICY.prices) as books:
        return whatif(books, SEPTEMBER, model=model, as_=as_, provider=provider, **options)  # type: ignore[arg-type]


@settings(max_examples=10)
@given(calls(), st.sampled_from(["claude", "gpt-5", "plain", "tiny"]), st.sampled_from(ZONES), st.booleans())
def test_the_same_model_costs_what_was_charged(
    rows: list[StepRow], model: str, zone: str, roll: bool
) -> None:
    """To the nano-dollar, with nothing beside the tokens; and what was charged is what the ledger says."""
    period = Period.month("2026-09", zone)
    with tempfile.TemporaryDirectory() as folder:
        path = keep(Path(folder, "ledger.db"), rows, roll=roll)
        with Books(path, prices=POLICY.prices, zone=zone) as books:
            report = whatif(books, period, model=model, as_=model)
    mine = [row for row in rows if row.started_us in period and row.model.startswith(model)]
    assert report.frame["actual_nanousd"].sum() == sum(row.cost_nanousd for row in mine)
    assert report.frame["hypothetical_nanousd"].tolist() == report.frame["actual_nanousd"].tolist()
    assert report.frame["beside_nanousd"].sum() == 0


REORGANISED = Organisation.of(
    parse_policy("""
splits:
  - name: halves
    from: 2026-09-10
    when: {feature: search}
    into: [{share: 50%, set: {feature: triage}}, {share: 50%}]
""")
)


@settings(max_examples=10)
@given(calls(), st.sampled_from(ANSWERED), st.sampled_from(ANSWERED), st.booleans())
def test_each_call_is_priced_by_itself(
    rows: list[StepRow], was: tuple[str, str, str, str], other: tuple[str, str, str, str], is_split: bool
) -> None:
    """What the rows add up to is the sum over the calls, with long contexts and parts of a nano-dollar, and splits move none of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = keep(Path(folder, "ledger.db"), rows)
        organisation = REORGANISED if is_split else None
        with Books(path, prices=POLICY.prices, organisation=organisation) as books:
            report = whatif(
                books, SEPTEMBER, model=was[1], as_=other[1], provider=other[0], by=["feature", "tenant"]
            )
    expected = 0
    for row in ended(rows):
        if row.started_us in SEPTEMBER and row.model.startswith(was[1]):
            price = BOOK.price(other[0], other[1], row.started_us, row.service_tier)
            assert price is not None
            expected += price.cost(usage_of(row))
    assert report.frame["hypothetical_nanousd"].sum() == expected


def test_a_model_beside_another(tmp_path: Path) -> None:
    """1,000,000 input tokens, half of them cached, and 100,000 of output: $1.6875 at gpt-5, $1.20 at plain, which has no price for a cache."""
    usage = Usage(input_tokens=1_000_000, cache_read_tokens=500_000, output_tokens=100_000)
    path = keep(
        tmp_path / "ledger.db", [call("a", usage), call("b", usage, context_id=CONTEXTS[2].context_id)]
    )
    report = asked(path, "gpt-5", "plain")
    assert report.frame.to_dict("records")[0] == {
        "feature": "search",
        "actual_nanousd": 1_687_500_000,
        "hypothetical_nanousd": 1_200_000_000,
        "difference_nanousd": -487_500_000,
        "change": pytest.approx(-0.28889, abs=1e-5),
        "beside_nanousd": 0,
        "steps": 1,
        "input_tokens": 1_000_000,
        "cache_read_tokens": 500_000,
        "output_tokens": 100_000,
    }
    assert report.findings[0] == (
        "gpt-5 cost $3.38; the same tokens at the prices of plain cost $2.40: $0.98 less (-28.9 %)."
    )
    assert (
        report.caveats[1]
        == "plain has no price for tokens from a prompt cache: they are priced as other input."
    )


def test_a_long_context_is_one_of_a_call(tmp_path: Path) -> None:
    """Two calls of 150,000 tokens stay below the threshold of 200,000: $0.90, where one of 300,000 costs $1.80."""
    usage = Usage(input_tokens=150_000)
    path = keep(tmp_path / "ledger.db", [call("a", usage), call("b", usage)])
    assert asked(path, "gpt-5", "claude", "anthropic").totals["hypothetical_nanousd"] == 900_000_000
    path = keep(tmp_path / "long.db", [call("a", Usage(input_tokens=300_000))])
    assert asked(path, "gpt-5", "claude", "anthropic").totals["hypothetical_nanousd"] == 1_800_000_000


def test_what_is_no_matter_of_tokens_stays_as_it_is(tmp_path: Path) -> None:
    """A search of $0.01 in a call of $1.25 is paid at another model too; so is a call that nobody answered."""
    usage = Usage(input_tokens=1_000_000)
    path = keep(
        tmp_path / "ledger.db",
        [
            call("a", usage, cost_nanousd=1_260_000_000),
            call("b", Usage(), cost_nanousd=0, status="error"),
        ],
    )
    report = asked(path, "gpt-5", "plain")
    assert report.totals["beside_nanousd"] == 10_000_000
    assert report.totals["hypothetical_nanousd"] == 1_010_000_000


def test_what_was_held_is_priced_by_its_tokens(tmp_path: Path) -> None:
    """A call that nobody heard of again has no price of its own, and 1,000,000 tokens at most: $1 at plain."""
    held = call(
        "a",
        Usage(input_tokens=1_000_000),
        cost_nanousd=5_000_000_000,
        price_id=None,
        cost_basis="upper_bound",
        status="cancelled",
    )
    report = asked(keep(tmp_path / "ledger.db", [held]), "gpt-5", "plain")
    assert (report.totals["actual_nanousd"], report.totals["hypothetical_nanousd"]) == (
        5_000_000_000,
        1_000_000_000,
    )
    assert any(said.startswith("$5.00 of the actual cost is what was held") for said in report.caveats)


def test_what_was_not_sent_costs_nothing_there_either(tmp_path: Path) -> None:
    """LangChain's cache answers whatever model stands behind it."""
    usage = Usage(input_tokens=1_000_000)
    hit = call("a", usage, cost_nanousd=0, status="cache_hit")
    report = asked(keep(tmp_path / "ledger.db", [hit, call("b", usage)]), "gpt-5", "plain")
    assert report.totals["hypothetical_nanousd"] == 1_000_000_000
    assert report.totals["input_tokens"] == 1_000_000


def test_a_tier_without_a_price_is_said(tmp_path: Path) -> None:
    """It is charged at the standard price, and stands in the caveats."""
    report = asked(keep(tmp_path / "ledger.db", [call("a", Usage(input_tokens=9), 3)]), "gpt-5", "plain")
    assert "plain: no price for service tier 'flex': charged at the standard price." in report.caveats


def test_a_correction_that_names_another_model_stays_with_that_one(tmp_path: Path) -> None:
    """As in the rollups: gpt-5 cost what was booked on it, and claude's difference is claude's."""
    held = call("a", Usage(input_tokens=1_000_000))
    late = call("a/late", Usage(), 0, entry="correction", corrects_step_id="a", cost_nanousd=-7)
    path = keep(tmp_path / "ledger.db", [held, late])
    assert asked(path, "gpt-5", "gpt-5").totals["hypothetical_nanousd"] == 1_250_000_000
    report = asked(path, "claude", "claude")
    assert (report.totals["actual_nanousd"], report.totals["hypothetical_nanousd"]) == (-7, -7)
    assert report.totals["steps"] == 0


def test_a_price_that_nobody_has_said_is_asked_for(tmp_path: Path) -> None:
    """With the provider and the day, and what to do."""
    path = keep(tmp_path / "ledger.db", [call("a", Usage(input_tokens=9))])
    with pytest.raises(
        ValueError, match="nobody has said a price of acme-1 of openai on 2026-09-21: name who"
    ):
        asked(path, "gpt-5", "acme-1")


def test_a_model_that_answered_nothing_has_an_empty_report(tmp_path: Path) -> None:
    """It says which models did."""
    path = keep(
        tmp_path / "ledger.db",
        [call("a", Usage(input_tokens=9)), step("b", kind="tool", context_id=CONTEXTS[0].context_id)],
    )
    report = asked(path, "gpt-4", "gpt-5")
    assert report.is_empty
    assert report.findings == ("gpt-4 answered no call in this period; gpt-5-2025-08-07 did.",)


def test_pruned_calls_are_not_compared_and_that_is_said(tmp_path: Path) -> None:
    """Of $2.50 the half is gone: both columns are of what can still be priced."""
    usage = Usage(input_tokens=1_000_000)
    path = keep(tmp_path / "ledger.db", [call("a", usage, started_us=DAY - DAY_US), call("b", usage)])
    prune(path, DAY)
    report = asked(path, "gpt-5", "plain")
    assert (report.totals["actual_nanousd"], report.totals["hypothetical_nanousd"]) == (
        1_250_000_000,
        1_000_000_000,
    )
    assert report.caveats[-1] == (
        "Steps that started before 2026-09-21 00:00 UTC may be pruned: of $2.50, calls over $1.25 can still be asked about."
    )
