"""The month for finance: it says first what matters, rests on reports that add up, and is one page or one document."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.chromium import needs_chromium, opened
from reporting.hostile import RAN, write_hostile
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from spendgraph.cli import main
from spendgraph.ledger import StepRow
from spendgraph_reports.books import Books
from spendgraph_reports.monthly import monthly, monthly_document, monthly_page
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.rendering import Prose, Section

SEPTEMBER = Period.month("2026-09")
OCTOBER_US = closed(SEPTEMBER)[1]
DOLLAR = 1_000_000_000


def september(path: Path) -> Path:
    """$8.00 in August; in September $9.00 of support's, $1.00 of growth's and $2.50 of nobody's."""
    support, growth, nobody = (CONTEXTS[at].context_id for at in (0, 2, 5))
    return write(
        path,
        [
            step("a", context_id=support, started_us=DAY - 30 * DAY_US, cost_nanousd=8 * DOLLAR),
            step("b", context_id=support, started_us=DAY, cost_nanousd=9 * DOLLAR, saved_nanousd=DOLLAR),
            step("c", context_id=growth, started_us=DAY, cost_nanousd=1 * DOLLAR),
            step("d", context_id=nobody, started_us=DAY, cost_nanousd=2_500_000_000, missing_tags="team"),
        ],
    )


@settings(max_examples=10)
@given(spending(), st.sampled_from(ZONES), st.booleans())
def test_every_section_adds_up_to_the_month(rows: list[StepRow], zone: str, roll: bool) -> None:
    """To the nano-dollar, in the page's own time zone."""
    with tempfile.TemporaryDirectory() as folder:
        period = Period.month("2026-09", zone)
        with Books(write(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books:
            month = monthly(books, period, now_us=OCTOBER_US)
    for heading in ("What moved it", "Cost centers", "Workspaces", "Features and teams"):
        assert month.reports[heading].totals["cost_nanousd"] == cost(rows, *closed(period))


def test_the_summary_says_what_matters_first(tmp_path: Path) -> None:
    """The change, three drivers, and what has no owner; figures beside it."""
    with Books(september(tmp_path / "ledger.db")) as books:
        month = monthly(books, SEPTEMBER, now_us=OCTOBER_US)
    assert (month.title, month.when) == ("AI spending of the month", "2026-09 (UTC)")
    assert month.summary == (
        "$12.50 was spent in 2026-09, +56.2 % beside 2026-08.",
        "(none) is new with $2.50.",
        "triage grew by $1.00: as many steps, and a step is 12.5 % dearer.",
        "search is new with $1.00.",
        "No budget was in force in 2026-09.",
        "$2.50 has no owner: 20.0 %, more than the goal of 5 %.",
    )
    assert [(fact.label, fact.value) for fact in month.facts] == [
        ("spent", "$12.50"),
        ("this year so far", "$20.50"),
        ("without an owner", "20.0 %"),
        ("saved by the prompt cache", "$1.00"),
        ("billable steps", "3"),
    ]


def test_a_month_that_is_not_over_says_so(tmp_path: Path) -> None:
    """Its sums are of now, not of the month."""
    with Books(september(tmp_path / "ledger.db")) as books:
        assert monthly(books, SEPTEMBER, now_us=OCTOBER_US - 1).title == "AI spending of the month, so far"
        with pytest.raises(ValueError, match="expected a calendar month, found 2026-09-01 to 2026-09-20"):
            monthly(books, Period.between("2026-09-01", "2026-09-21"), now_us=OCTOBER_US)


def test_an_empty_ledger_has_a_page(tmp_path: Path) -> None:
    """It says that nothing was spent."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        page = monthly_page(monthly(books, SEPTEMBER, now_us=OCTOBER_US))
    assert 'Nothing was spent in <span class="whole">2026-09</span>.' in page


def test_what_nobody_looked_for_is_said_until_a_package_does(tmp_path: Path) -> None:
    """Without a detector the page does not look as if there had been no anomaly."""
    with Books(september(tmp_path / "ledger.db")) as books:
        without = monthly_page(monthly(books, SEPTEMBER, now_us=OCTOBER_US))
        found = Section("Anomaly review", (Prose(("One loop was found.",)),))

        def review(_books: Books, _period: Period) -> Section:
            return found

        reviewed = monthly(books, SEPTEMBER, now_us=OCTOBER_US, reviews={"Anomaly review": review})
    assert "This page was made without: no anomalies were looked for." in without
    assert "One loop was found." in monthly_page(reviewed)
    assert "no anomalies were looked for" not in monthly_page(reviewed)


def test_the_same_as_data(tmp_path: Path) -> None:
    """Every report with its rows, and money as integers."""
    with Books(september(tmp_path / "ledger.db")) as books:
        document = monthly_document(monthly(books, SEPTEMBER, now_us=OCTOBER_US))
    document = json.loads(json.dumps(document))
    centers = {row["cost_center"]: row["cost_nanousd"] for row in document["reports"]["Cost centers"]["rows"]}
    assert centers == {"cc-1": 9 * DOLLAR, "cc-2": 1 * DOLLAR, "": 2_500_000_000}


def test_the_command_writes_a_page_or_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, and private."""
    monkeypatch.chdir(tmp_path)
    ledger = str(september(tmp_path / "ledger.db"))
    assert main(["report", "monthly", "--ledger", ledger, "--month", "2026-09", "-o", "month.html"]) == 0
    assert capsys.readouterr().out == "month.html: AI spending of the month, 2026-09 (UTC)\n"
    assert (tmp_path / "month.html").stat().st_mode & 0o777 == 0o600
    assert main(["report", "monthly", "--ledger", ledger, "--month", "2026-09", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"][0].startswith("$12.50 was spent")
    assert main(["report", "monthly", "--ledger", ledger, "--month", "2026-9", "-o", "month.html"]) == 2
    assert main(["report", "monthly", "--ledger", ledger, "--month", "2026-09"]) == 2


@needs_chromium
def test_hostile_cost_centers_run_nothing(tmp_path: Path) -> None:
    """In a real browser."""
    with Books(write_hostile(tmp_path / "ledger.db", key="cost_center")) as books:
        page = monthly_page(monthly(books, SEPTEMBER, now_us=OCTOBER_US))
    (tmp_path / "month.html").write_text(page, encoding="utf-8")
    shown = opened(tmp_path / "month.html")
    assert "<title>AI spending of the month, 2026-09 (UTC)</title>" in shown
    assert f"<title>{RAN}" not in shown
