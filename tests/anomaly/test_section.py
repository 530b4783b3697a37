"""The monthly page has an anomaly review, and the notebook's plots show what its sentences say."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np

from plots.kit import words_of
from reporting.kit import DAY, write
from reporting.office import DOLLAR, SEPTEMBER, office
from spendgraph_anomaly.review import monthly_section, reviewed
from spendgraph_anomaly.review.notebook import conclusion, facts, incidents, overall
from spendgraph_anomaly.review.pictures import incident_plot, usual
from spendgraph_reports.books import Books
from spendgraph_reports.monthly import monthly, monthly_document, monthly_page
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.plots import Mark, Plot

OCTOBER_US = DAY + 10 * DAY_US
LOOP = {("acme", "chat", hour): 20 * DOLLAR for hour in (10, 11, 12)}


def test_the_monthly_page_tells_and_draws_what_stood_out(tmp_path: Path) -> None:
    """In place of the sentence that nobody looked; as data, the rows."""
    with Books(office(tmp_path / "ledger.db", LOOP)) as books:
        month = monthly(books, SEPTEMBER, now_us=OCTOBER_US, reviews={"Anomaly review": monthly_section})
    page = monthly_page(month)
    assert "no anomalies were looked for" not in page
    assert "tenant acme, feature chat spent $60." in page
    (rows,) = monthly_document(month)["reviews"]["Anomaly review"]
    assert [row["cut"] for row in rows["rows"]] == ["tenant acme, feature chat"]


def test_a_month_without_anomalies_says_so(tmp_path: Path) -> None:
    """In the page's own section."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        month = monthly(books, SEPTEMBER, now_us=OCTOBER_US, reviews={"Anomaly review": monthly_section})
    assert "Nothing stood out by $5.00 or more." in monthly_page(month)


def test_the_package_names_the_section() -> None:
    """The entry point is what the monthly report looks for."""
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    module, _, name = pyproject["project"]["entry-points"]["spendgraph.monthly"]["Anomaly review"].partition(
        ":"
    )
    assert getattr(import_module(module), name) is monthly_section


def test_an_incident_is_drawn_with_the_days_around_it(tmp_path: Path) -> None:
    """By hour, in the reader's time, with what it cost too much above it."""
    with Books(office(tmp_path / "ledger.db", LOOP), zone="Europe/Berlin") as books:
        review = reviewed(books, Period.month("2026-09", books.zone), now_us=OCTOBER_US)
    plot = incident_plot(review, 0)
    assert plot.title.endswith("more than was to be expected, on 21 Sep from 12:00 to 15:00.")
    assert plot.alt.startswith(
        "A line of what was spent in each hour from 15 Sep 12:00 to 23 Sep 15:00, beside what was to be expected"
    )
    said = [words.text for words in words_of(plot.picture().wide)]
    assert {"spent", "expected", "usual", "16 Sep", "23 Sep"} <= set(said)
    assert any(text.startswith("+$") for text in said)


def test_a_review_by_day_draws_days(tmp_path: Path) -> None:
    """A day of a loop beside three weeks before it and one after."""
    with Books(office(tmp_path / "ledger.db", LOOP)) as books:
        review = reviewed(books, SEPTEMBER, every="day", now_us=OCTOBER_US)
    plot = incident_plot(review, 0)
    assert "spent in each day from" in plot.alt
    assert plot.title.endswith("more than was to be expected, on 21 Sep.")


def test_the_notebook_says_the_conclusion_first(tmp_path: Path) -> None:
    """The review's findings, then whose spending it is; figures, and plots of what stood out."""
    with Books(office(tmp_path / "ledger.db", LOOP)) as books:
        review = reviewed(books, SEPTEMBER, now_us=OCTOBER_US)
        said = conclusion(books, SEPTEMBER, review)
    assert said[0].startswith("1 incident cost $")
    assert said[-1] == "All of it has an owner."
    labels = {fact.label: fact.value for fact in facts(review).facts}
    assert labels["incidents"] == "1"
    assert labels["too much"] == labels["the dearest"]
    assert [isinstance(each, Plot) for each in (*overall(review), *incidents(review))] == [
        True,
        False,
        True,
        False,
    ]


def test_a_quiet_month_has_a_conclusion_and_no_incidents(tmp_path: Path) -> None:
    """Its spending is drawn, beside what was to be expected."""
    with Books(office(tmp_path / "ledger.db", {})) as books:
        review = reviewed(books, SEPTEMBER, now_us=OCTOBER_US)
        said = conclusion(books, SEPTEMBER, review)
    assert said == ("Nothing stood out by $5.00 or more.", "All of it has an owner.")
    assert incidents(review) == ("No incident came to $5.00 or more.",)
    plot, _ = overall(review)
    assert isinstance(plot, Plot)
    assert plot.title == "Everybody together: nothing stood out."


def test_a_month_that_is_still_to_come_has_nothing_to_draw(tmp_path: Path) -> None:
    """No bin of it is over."""
    with Books(office(tmp_path / "ledger.db", {})) as books:
        review = reviewed(books, Period.month("2026-12"), now_us=OCTOBER_US)
    assert overall(review) == ("There is nothing to draw.",)


def test_usual_is_what_the_weeks_before_came_to() -> None:
    """The least and the most of the same bin, without what stood out; where there is none, what was expected."""
    spent = np.array([5, 1, 7, 2, 99, 3, 6, 4], dtype=np.int64)
    starts = np.arange(8, dtype=np.int64)
    low, high = usual(spent, np.full(8, 50), starts, [Mark(4, 5, 90)], 2)
    assert low.tolist() == [50, 50, 5, 1, 5, 1, 5, 1]
    assert high.tolist() == [50, 50, 5, 1, 7, 2, 7, 3]
