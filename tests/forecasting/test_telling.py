"""The monthly page's section, the backtest, and the command say what the numbers say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from forecasting.spending import DOLLAR, ledger_of
from reporting.kit import write
from spendgraph.cli import main
from spendgraph_anomaly.forecasting import backtest_report, outlook, review
from spendgraph_reports.books import Books
from spendgraph_reports.monthly import monthly, monthly_page
from spendgraph_reports.months import closed
from spendgraph_reports.period import Period, midnight
from spendgraph_reports.rendering import Picture, Prose
from spendgraph_reports.report import Report

WEEK = [10 * DOLLAR] * 5 + [2 * DOLLAR] * 2
SEPTEMBER = Period.month("2026-09")
Said = tuple[int, str, str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten weeks from 2026-07-20, a Monday, to 2026-09-27; $54 each, and a cent more every day."""
    costs = [cost + 10_000_000 * at for at, cost in enumerate(WEEK * 10)]
    return ledger_of(tmp_path / "spendgraph.db", date(2026, 7, 20), {"acme": costs})


@pytest.fixture
def run(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Runs `spendgraph forecast` on it, as it was on 2026-09-21."""
    monkeypatch.chdir(path.parent)
    for name in ("LEDGER", "POLICY", "TIMEZONE"):
        monkeypatch.delenv(f"SPENDGRAPH_{name}", raising=False)

    def called(*arguments: str, as_of: str = "2026-09-21") -> Said:
        code = main(["forecast", *(["--as-of", as_of] if as_of else []), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


def test_the_monthly_page_has_a_forecast_of_the_next_month(path: Path) -> None:
    """Of a month that is over, as it was known then, whenever the page is made."""
    with Books(path) as books:
        section = review(books, SEPTEMBER)
        page = monthly_page(
            monthly(books, SEPTEMBER, now_us=closed(SEPTEMBER)[1], reviews={"Forecast": review})
        )
    picture, report, prose = section.parts
    assert isinstance(picture, Picture)
    assert isinstance(report, Report)
    assert isinstance(prose, Prose)
    assert report.findings[0].startswith("2026-10 will come to about $")
    assert sum(report.frame["forecast_nanousd"]) == report.totals["forecast_nanousd"]
    assert prose.paragraphs[0] == "As known on 2026-10-01 00:00."
    assert "80 times of 100 between" in page
    assert "nothing was forecast" not in page


def test_a_page_without_spending_says_that_nothing_is_expected(tmp_path: Path) -> None:
    """And draws nothing."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        section = review(books, SEPTEMBER)
    assert section.parts == (Prose(("Nothing is expected in 2026-10.",)),)


def test_the_backtest_is_beside_the_linear_burn(path: Path) -> None:
    """Weeks that repeat: the choice is far better, and the models that are used are marked."""
    with Books(path) as books:
        seen = outlook(books, SEPTEMBER, now_us=midnight(date(2026, 9, 21)))
        report = backtest_report(books, seen)
    rows = report.frame.set_index("model")
    assert rows["beside_linear"]["linear burn"] == 1.0
    assert rows["beside_linear"]["the choice"] < 0.6
    assert set(rows.index[rows["is_used"]]) == set(seen.all.prediction.models)
    assert "recent median" not in rows.index
    assert "less than the linear burn rate" in report.findings[0]


def test_the_command_says_what_the_month_will_come_to(run: Callable[..., Said]) -> None:
    """First in a sentence, then in a row."""
    code, out, _ = run("--month", "2026-09")
    assert code == 0
    assert out.splitlines()[0] == "Forecast, 2026-09 (UTC)"
    assert out.splitlines()[1].startswith("2026-09 will come to about $")
    code, of_default, _ = run()
    assert (code, of_default) == (0, out)


def test_the_next_days_by_tag_as_json(run: Callable[..., Said]) -> None:
    """Thirty days from that day on, with a known change."""
    code, out, _ = run("--days", "30", "--by", "tenant", "--change", "2026-10-01 tenant=acme +20%", "--json")
    document: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (document["since"], document["until"]) == ("2026-09-21T00:00:00Z", "2026-10-21T00:00:00Z")
    assert [row["tenant"] for row in document["rows"]] == ["acme"]
    assert "1 known change counted: tenant=acme from 2026-10-01: times 1.2." in document["findings"]


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["--show", "days"], "Forecast by day, 2026-09 (UTC)"),
        (["--backtest"], "How the forecast would have done, 2026-09 (UTC)"),
    ],
    ids=["days", "backtest"],
)
def test_other_views_are_shown(run: Callable[..., Said], arguments: list[str], title: str) -> None:
    """Each is a report of its own."""
    code, out, _ = run(*arguments)
    assert code == 0
    assert out.splitlines()[0] == title


def test_budgets_are_of_now(run: Callable[..., Said]) -> None:
    """Their counters know no earlier time, and here there are none."""
    code, out, _ = run("--show", "budgets", as_of="")
    assert code == 0
    assert out.splitlines()[0].startswith("When budgets run out, ")
    assert out.splitlines()[1] == "No budget in dollars has an open window of a week or more."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--days", "30", "--month", "2026-09"], "expected either --days or a period, found both"),
        (["--change", "soon x2"], "expected a day or two, tags, and what changes"),
        (["--change", "2026-09-01 x2"], "expected changes from 2026-09-21 on, found one from 2026-09-01"),
        (["--show", "days", "--by", "tenant"], "expected --by with --show rows, found --show days"),
        (["--backtest", "--show", "days"], "expected either --backtest or --show days, found both"),
        (["--from", "2026-09-01"], "expected --to with --from, found --from alone"),
        (["--json", "--format", "csv"], "expected either --json or --format csv, found both"),
        (["--by", "nonsense"], "nonsense"),
        (
            ["--show", "budgets"],
            "expected --show budgets without --as-of: budgets count what is spent by now",
        ),
    ],
    ids=[
        "two periods",
        "no change",
        "begun",
        "days by tag",
        "two views",
        "open",
        "two forms",
        "no tag",
        "budgets then",
    ],
)
def test_what_is_asked_wrongly_is_one_line(run: Callable[..., Said], arguments: list[str], said: str) -> None:
    """On stderr, with exit code 2."""
    code, out, error = run(*arguments)
    assert (code, out) == (2, "")
    assert said in error
    assert len(error.splitlines()) == 1
