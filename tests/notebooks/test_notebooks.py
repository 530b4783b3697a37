"""Notebooks run top to bottom on any ledger, say what its numbers say, and make a page that loads and runs nothing."""

from __future__ import annotations

import ast
import json
import re
from datetime import date
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ledger.rows import step
from reporting.chromium import needs_chromium, opened
from reporting.hostile import MARKUP, RAN, write_hostile
from reporting.kit import CONTEXTS, DAY, write
from reporting.reading import Reading
from spendgraph_demo.history import Parameters, write_history
from spendgraph_reports.amounts import dollars
from spendgraph_reports.books import Books
from spendgraph_reports.cli import register
from spendgraph_reports.errors import NotebookError
from spendgraph_reports.notebooks import names, run, show, source, to_page
from spendgraph_reports.notebooks.nodes import check, new_code, new_notebook, new_text, read
from spendgraph_reports.notebooks.spend import conclusion
from spendgraph_reports.period import Period
from spendgraph_reports.plots import ranked
from spendgraph_reports.showback import showback

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
STORED = sorted(FOLDER.glob("*.ipynb"))
EXTERNAL = re.compile(r"https?:|//[a-z]|<script|<iframe|<link|\bsrc=|@import|url\((?!#)", re.IGNORECASE)
"""What a page would load or run."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of a company."""
    path = tmp_path_factory.mktemp("history") / "history.db"
    write_history(path, Parameters(end=date(2026, 9, 21), days=10, scale=0.2, tenants=20))
    return path


def page_of(name: str, ledger: Path, **parameters: str) -> str:
    """The page of a notebook that was run on a ledger; whatever is wrong with it fails the test."""
    made = run(source(name), {"ledger": str(ledger), "month": "2026-09", **parameters})
    errors = [
        output for cell in made.cells for output in cell.get("outputs", []) if output.output_type == "error"
    ]
    said = [
        output.text
        for cell in made.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]
    assert errors == said == []
    text = to_page(made, when="2026-09 (UTC)")
    assert EXTERNAL.findall(text) == []
    return text


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_what_it_showed(path: Path) -> None:
    """No outputs, no counts, one cell of parameters, a title first, and the conclusion before the first heading."""
    notebook = read(path)
    check(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert [cell.metadata.get("tags") for cell in notebook.cells].count(["parameters"]) == 1
    assert notebook.cells[0].source.startswith("# ")
    kinds = [cell.source.startswith("## ") for cell in notebook.cells]
    assert any("conclusion(" in cell.source for cell in notebook.cells[: kinds.index(True)])
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert (
        path.read_text(encoding="utf-8")
        == json.dumps(json.loads(path.read_text()), indent=1, ensure_ascii=False) + "\n"
    )


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_logic_of_a_notebook_is_in_the_package(path: Path) -> None:
    """Its cells call and show; they hold no loop, no branch and no function."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert {type(statement) for statement in ast.parse(cell.source).body} <= {
                ast.Assign,
                ast.Expr,
                ast.ImportFrom,
            }
            assert len(cell.source.splitlines()) <= 12


@pytest.mark.parametrize("name", names())
def test_a_notebook_reads_its_numbers_out(name: str, history: Path) -> None:
    """On a company's history: the sum it speaks of is the ledger's."""
    with Books(history, zone="Europe/Berlin") as books:
        spent = books.doubts(Period.month("2026-09", books.zone)).cost_nanousd
    text = page_of(name, history, timezone="Europe/Berlin")
    assert dollars(spent) in text
    assert text.count("<figure") >= 2
    assert text.count("<svg") == 2 * text.count("<figure")


@pytest.mark.parametrize("name", names())
def test_a_notebook_runs_on_an_empty_ledger_and_says_so(name: str, tmp_path: Path) -> None:
    """First of all, and draws nothing."""
    text = page_of(name, write(tmp_path / "ledger.db", []))
    assert 'Nothing was spent in <span class="whole">2026-09</span> (UTC): the ledger is empty.' in text
    assert text.index("the ledger is empty") < text.index("<h2")
    assert "<svg" not in text


@pytest.mark.parametrize("name", names())
def test_a_notebook_runs_where_nothing_has_an_owner(name: str, tmp_path: Path) -> None:
    """One step of nobody's."""
    nobody = step(
        "a",
        started_us=DAY,
        context_id=CONTEXTS[5].context_id,
        cost_nanousd=3_000_000_000,
        missing_tags="team",
    )
    text = page_of(name, write(tmp_path / "ledger.db", [nobody]))
    assert "None of it has an owner: every step lacks required tags." in text
    assert "$3.00" in text


@needs_chromium
def test_tags_in_a_notebook_are_text(tmp_path: Path) -> None:
    """A browser that opens its page runs nothing they say, in tables, plots and sentences."""
    with Books(write_hostile(tmp_path / "ledger.db")) as books:
        tenants = showback(books, Period.month("2026-09"), by=["tenant"])
        shown = show(*conclusion(books, Period.month("2026-09")), tenants, ranked(tenants))
    (tmp_path / "page.html").write_text(to_page(new_notebook(new_code("1", shown=shown.bundle))))
    read = Reading(opened(tmp_path / "page.html"))
    assert [
        attributes for _, attributes in read.tags if any(key.startswith("on") for key in attributes)
    ] == []
    assert {tag for tag, _ in read.tags} & {"script", "img", "iframe"} == set()
    assert RAN not in read.words
    assert {row[0] for row in read.rows} >= set(MARKUP)


def test_a_cell_that_fails_is_an_error_in_one_line() -> None:
    """With what the cell said, of a parameter that has taken its new value."""
    fails = new_notebook(new_code("word = 1", ["parameters"]), new_code("raise ValueError(word)"))
    with pytest.raises(NotebookError, match=r"^a cell of the notebook failed: ValueError: it's here$"):
        run(fails, {"word": "it's here"})


def test_a_parameter_must_be_one_of_the_notebooks() -> None:
    """A misspelt one would change nothing and say nothing."""
    with pytest.raises(
        NotebookError,
        match="expected parameters out of ledger, month, policy, since, timezone, until, found mont",
    ):
        run(source("spend_explorer"), {"mont": "2026-09"})


def test_only_notebooks_that_are_there_are_run() -> None:
    """Their names are said."""
    with pytest.raises(
        NotebookError, match=r"expected one of the notebooks .*spend_explorer.*, found '\.\./secret'"
    ):
        source("../secret")


def test_html_of_a_cell_that_we_did_not_make_is_text() -> None:
    """Of outputs only what `show` made is HTML on a page, and HTML in Markdown is text."""
    shouts = new_code("1", shown={"text/html": "<script>alert(1)</script>", "text/plain": "<plain>"})
    text = to_page(new_notebook(new_text("# Title <b>\n\n<img src=x>"), shouts))
    assert "<h1>Title &lt;b&gt;</h1>" in text
    assert "<script" not in text
    assert "<img" not in text
    assert "<pre>&lt;plain&gt;</pre>" in text


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    """`spendgraph report notebook`, with the notebook's code where it is asked for."""
    paid = step("a", started_us=DAY, context_id=CONTEXTS[0].context_id, cost_nanousd=3_000_000_000)
    ledger, target = write(tmp_path / "ledger.db", [paid]), tmp_path / "page.html"
    app = typer.Typer()
    register(app)
    arguments = ["report", "notebook", "spend_explorer", "-l", str(ledger), "-o", str(target), "--code"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.output == f"{target}: spend_explorer, 2026-09 (UTC)\n"
    assert target.stat().st_mode & 0o777 == 0o600
    text = target.read_text()
    assert "<h1>Spend explorer</h1>" in text
    assert 'class="code"' in text
    assert "All of it has an owner." in text
    assert "spendgraph report notebook spend_explorer" not in text
