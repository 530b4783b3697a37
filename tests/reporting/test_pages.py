"""A report as a page: its numbers add up, its text is text, and a browser that opens it loads and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reporting.chromium import needs_chromium, opened
from reporting.hostile import HOSTILE, MARKUP, RAN, write_hostile
from reporting.kit import write
from reporting.reading import Reading
from spendgraph_reports.books import Books
from spendgraph_reports.cli import register
from spendgraph_reports.errors import ExportError
from spendgraph_reports.period import Period
from spendgraph_reports.rendering import (
    Fact,
    Facts,
    Prose,
    Section,
    fragment,
    page,
    style,
    to_html,
    write_page,
)
from spendgraph_reports.report import Column, Report, frame_of
from spendgraph_reports.showback import showback

SEPTEMBER = Period.month("2026-09")
COLUMNS = (
    Column("tenant", "text", "The tenant."),
    Column("cost_nanousd", "money", "Its cost.", adds=True, group="now"),
    Column("before_nanousd", "money", "Before.", group="now"),
    Column("share", "share", "Of all.", group="beside"),
)


def report(costs: list[int], tenants: list[str] | None = None, **more: Any) -> Report:
    """One row for each cost."""
    names = tenants or [f"tenant {number}" for number in range(len(costs))]
    rows = [
        {"tenant": name, "cost_nanousd": cost, "share": 0.0} for name, cost in zip(names, costs, strict=True)
    ]
    return Report(
        "test",
        "A test",
        SEPTEMBER,
        frame_of(rows, COLUMNS),
        COLUMNS,
        totals={"cost_nanousd": sum(costs)},
        **more,
    )


def test_the_conclusion_stands_before_the_table_and_what_is_uncertain_after_it() -> None:
    """Findings, table, caveats, meanings, settings: in the order in which a person needs them."""
    shown = report(
        [1_000_000_000],
        findings=("It was a dollar.", "No more."),
        caveats=("Perhaps.",),
        settings={"by": "x"},
    )
    text = page("A test", [Section("", (shown,))], when=shown.when)
    places = [
        text.index(word)
        for word in ("<h1>A test", "2026-09 (UTC)</p>", "It was a dollar.", "<li>No more.", "<table", "$1.00")
    ]
    after = [text.index(word) for word in ("</table>", "Perhaps.", "What the columns mean", "<dt>by</dt>")]
    assert places + after == sorted(places + after)


def test_a_table_says_what_its_cells_are() -> None:
    """Groups over columns, a heading for every column and row, a total at the foot, numbers to the right."""
    text = fragment(report([1_500_000_000, 500_000_000], ["acme", ""]))
    read = Reading(text)
    assert read.rows == [
        ["", "now", "beside"],
        ["tenant", "cost", "before", "share"],
        ["acme", "$1.50", "", "0.0 %"],
        ["(none)", "$0.50", "", "0.0 %"],
        ["total", "$2.00", "", ""],
    ]
    scopes = [attributes.get("scope") for tag, attributes in read.tags if tag == "th"]
    assert scopes == ["colgroup", "colgroup", *["col"] * 4, *["row"] * 3]
    assert [tag for tag, _ in read.tags].count("caption") == 1
    assert '<td class="number starts zero">0.0 %</td>' in text


def test_dates_and_percentages_stay_on_one_line() -> None:
    """On a phone a line would end behind a hyphen or before a sign; what else stands there is escaped as everywhere."""
    findings = ("It grew by +15.7 % in 2026-09, <b>most</b> on 9 Oct.",)
    text = fragment(report([1], ["acme, 2026-09-21"], findings=findings))
    assert (
        'It grew by <span class="whole">+15.7 %</span> in <span class="whole">2026-09</span>, &lt;b&gt;most&lt;/b&gt; on'
        ' <span class="whole">9 Oct</span>.'
    ) in text
    assert 'acme, <span class="whole">2026-09-21</span></th>' in text
    assert 'class="whole"' not in fragment(report([1], ["gpt-5-2025-08-07"]))


@settings(max_examples=5)
@given(st.lists(st.integers(-(10**9), 10**11), min_size=501, max_size=520))
def test_a_long_table_ends_with_what_all_others_cost(costs: list[int]) -> None:
    """500 rows, one for the rest, the total; and the cents that are shown add up to it."""
    rows = Reading(fragment(report(costs))).rows[2:]
    assert len(rows) == 502
    assert rows[500][0] == f"{len(costs) - 500:,} others"
    cents = [int(re.sub(r"[$,.]", "", row[1])) for row in rows]
    assert sum(cents[:-1]) == cents[-1]


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    """No address, no script, no style but the one whose hash the policy names."""
    text = page("A test", [report([1])], when="2026-09")
    read = Reading(text)
    assert {tag for tag, _ in read.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
        "form",
    } == set()
    assert not [key for _, attributes in read.tags for key in attributes if key in {"src", "href", "style"}]
    assert "http://" not in text
    assert "https://" not in text
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert [attributes["content"] for _, attributes in read.tags if "http-equiv" in attributes] == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]


def test_a_page_is_the_same_every_time() -> None:
    """Two people who make it have one file."""
    shown = report([3, 4])
    assert page("A test", [shown]) == page("A test", [shown])


def test_the_style_for_other_peoples_pages_stays_within_our_parts() -> None:
    """A notebook keeps its own looks: nothing applies outside of `class="spendgraph"`, and braces close."""
    sheet = style()
    assert sheet.startswith(".spendgraph { & {")
    assert ":root" not in sheet
    depth, outside = 0, ""
    for character in sheet:
        depth += {"{": 1, "}": -1}.get(character, 0)
        outside += character if depth == 0 else ""
    assert (depth, outside) == (0, ".spendgraph }")


def test_hostile_tags_are_text_wherever_they_stand(tmp_path: Path) -> None:
    """In the title, findings, cells, settings and facts; what cannot be seen is written out."""
    with Books(write_hostile(tmp_path / "ledger.db")) as books:
        shown = showback(books, SEPTEMBER, by=["tenant"], team=["support"])
    for number, text in enumerate(HOSTILE):
        read = Reading(page(text, [Section(text, (shown, Prose((text,)), Facts((Fact(text, text, text),))))]))
        assert {tag for tag, _ in read.tags} & {"script", "img", "svg"} == set()
        assert sum(tag == "body" for tag, _ in read.tags) == 1
        assert not [key for _, attributes in read.tags for key in attributes if key.startswith("on")]
        visible = text.replace("\u202e", "\\u202e")
        assert read.words.count(visible) >= 5, number
        assert visible in [row[0] for row in read.rows]


@needs_chromium
def test_a_browser_runs_nothing_that_a_tag_says(tmp_path: Path) -> None:
    """The title stays; the same tags in a page that escapes nothing do run, so this test can see it."""
    ledger = write_hostile(tmp_path / "ledger.db")
    with Books(ledger) as books:
        to_html(showback(books, SEPTEMBER, by=["tenant"]), tmp_path / "page.html", ledger)
    shown = Reading(opened(tmp_path / "page.html"))
    assert "Spending by tenant, 2026-09 (UTC)" in shown.words
    assert {row[0] for row in shown.rows} >= set(MARKUP)
    assert RAN not in shown.words
    (tmp_path / "naive.html").write_text(f"<title>naive</title>{MARKUP[0]}{MARKUP[1]}")
    assert f"<title>{RAN}</title>" in opened(tmp_path / "naive.html")


@needs_chromium
def test_a_script_that_got_through_would_not_run_either(tmp_path: Path) -> None:
    """The page's policy stands behind the escaping."""
    text = page("A test", [report([1])]).replace("</main>", f"{''.join(MARKUP[:5])}</main>")
    (tmp_path / "page.html").write_text(text)
    shown = opened(tmp_path / "page.html")
    assert "<title>A test</title>" in shown
    assert "<script>" in shown


def test_several_reports_are_one_page(tmp_path: Path) -> None:
    """Each under its name."""
    ledger = write(tmp_path / "ledger.db", [])
    with Books(ledger) as books:
        reports = [showback(books, SEPTEMBER, by=[by]) for by in ("team", "tenant")]
    to_html(reports, tmp_path / "page.html", ledger, title="September")
    text = (tmp_path / "page.html").read_text()
    assert re.findall(r"<h[123]>(.*)</h[123]>", text) == [
        "September",
        "Spending by team",
        "Spending by tenant",
    ]
    assert text.count("There is no row in this period.") == 2
    with pytest.raises(ValueError, match="expected at least one report to write, found none"):
        to_html([], tmp_path / "page.html", ledger)


def test_a_page_never_takes_the_ledgers_place(tmp_path: Path) -> None:
    """As every other file."""
    ledger = write(tmp_path / "ledger.db", [])
    with pytest.raises(ExportError, match="expected a file that is not the ledger"):
        write_page(page("A test", []), ledger, ledger)


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    """`spendgraph report showback --format html`."""
    ledger = write_hostile(tmp_path / "ledger.db")
    app = typer.Typer()
    register(app)
    target = tmp_path / "page.html"
    arguments = ["report", "showback", "-l", str(ledger), "-m", "2026-09", "-b", "tenant", "-f", "html"]
    result = CliRunner().invoke(app, [*arguments, "-o", str(target)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert target.stat().st_mode & 0o777 == 0o600
    assert result.output == f"{target}: {len(HOSTILE)} rows, 2026-09 (UTC)\n"
    assert "<h1>Spending by tenant</h1>" in target.read_text()
