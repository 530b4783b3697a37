"""Invoices in the ledger: what is kept of a file, and that a comparison finds in it what it finds in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgraph.ledger import InvoiceLineRow, Ledger
from spendgraph_demo.history import Written
from spendgraph_reports.errors import InputError, NotImported
from spendgraph_reports.imports import import_invoice
from spendgraph_reports.period import Period
from spendgraph_reports.reconcile import (
    ColumnMap,
    imported_invoice,
    read_invoice,
    reconcile,
    reconcile_imported,
)

COSTS = """\
start_time_iso,amount_value,amount_currency,line_item,project_id
2026-07-31T00:00:00Z,9.00,usd,"gpt-5, input",a
2026-08-01T00:00:00Z,1.25,usd,"gpt-5, input",a
2026-08-01T00:00:00Z,0.75,usd,"gpt-5, input",b
2026-08-01T00:00:00Z,3.00,usd,"gpt-5, output",a
2026-08-31T00:00:00Z,-0.50,usd,,a
"""
USAGE = """\
usage_date_utc,model_version,workspace,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens
2026-08-05,claude-sonnet-4-5,a,1000,500,20,8000,300
2026-08-05,claude-sonnet-4-5,b,1,0,0,0,2
"""


def file(tmp_path: Path, text: str, name: str = "invoice.csv") -> Path:
    """A file with this content."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_of_one_day_model_and_item_are_added_up(ledger: Ledger, tmp_path: Path) -> None:
    """What projects they are of is not kept; other months are left out and counted."""
    done = import_invoice(ledger, [file(tmp_path, COSTS)], "openai", "2026-08", by="ann")
    assert (done.invoice.amount, done.invoice.outside_lines) == (4_500_000_000, 1)
    (row,) = ledger.invoices()
    assert (row.provider, row.month, row.form, row.unit, row.amount, row.lines, row.outside_lines) == (
        "openai",
        "2026-08",
        "openai",
        "nanousd",
        4_500_000_000,
        4,
        1,
    )
    assert ledger.invoice_lines(row.import_id) == [
        InvoiceLineRow("2026-08-01", "gpt-5", "gpt-5, input", 2, 2_000_000_000),
        InvoiceLineRow("2026-08-01", "gpt-5", "gpt-5, output", 1, 3_000_000_000),
        InvoiceLineRow("2026-08-31", "(all models)", "", 1, -500_000_000),
    ]
    assert ledger.imports()[0]["imported_by"] == "ann"


def test_tokens_are_kept_by_class_as_the_ledger_counts_them(ledger: Ledger, tmp_path: Path) -> None:
    """Anthropic counts the cache beside the input; in the ledger it is a part of it."""
    import_invoice(ledger, [file(tmp_path, USAGE)], "anthropic", "2026-08")
    (row,) = ledger.invoices()
    assert (row.unit, row.amount) == ("tokens", 9_823)
    assert ledger.invoice_lines(1) == [
        InvoiceLineRow("2026-08-05", "claude-sonnet-4-5", "", 2, None, 9_521, 302, 8_000, 500, 20)
    ]


def test_a_history_is_reconciled_from_its_imported_invoices(history: Written) -> None:
    """Both providers: sums, rows and causes are those of the files, and what a later import brings counts."""
    months = {"openai": "openai", "anthropic": "anthropic"}
    with Ledger.open(history.ledger) as ledger:
        for provider in months:
            import_invoice(ledger, [history.files[provider]], provider, "2026-09")
        assert ledger.verify() == []
    for provider in months:
        lines = read_invoice(history.files[provider], provider)
        of_files = reconcile(history.ledger, lines, Period.month("2026-09"), provider=provider)
        of_import = reconcile_imported(history.ledger, provider, "2026-09")
        assert of_import.document() == {
            **of_files.document(),
            "outside_lines": 0,
            f"outside_{of_files.unit}": 0,
        }
        assert of_import.invoice > 0
        assert of_import.residual == of_import.invoice - of_import.ledger


def test_dollars_are_compared_where_there_are_dollars_and_tokens(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    """An invoice and a usage export of one month stand side by side; either is enough."""
    usage = "start_time_iso,model,input_tokens,output_tokens\n2026-08-01T00:00:00Z,gpt-5,10,4\n"
    import_invoice(ledger, [file(tmp_path, usage, "usage.csv")], "openai", "2026-08")
    assert imported_invoice(path, "openai", "2026-08").row.unit == "tokens"
    import_invoice(ledger, [file(tmp_path, COSTS)], "openai", "2026-08")
    found = imported_invoice(path, "openai", "2026-08")
    assert (found.row.unit, found.row.import_id) == ("nanousd", 2)
    assert [row.import_id for row in ledger.invoices()] == [2, 1]


def test_a_corrected_invoice_takes_the_place_of_the_first(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    """The provider sends it again, with another amount; the same one a third time changes nothing."""
    import_invoice(ledger, [file(tmp_path, COSTS)], "openai", "2026-08")
    corrected = file(tmp_path, COSTS.replace("3.00", "2.00"), "corrected.csv")
    assert import_invoice(ledger, [corrected], "openai", "2026-08").imported == (2, True, 1, 3)
    assert import_invoice(ledger, [corrected], "openai", "2026-08").imported == (2, False, None, 3)
    assert reconcile_imported(path, "openai", "2026-08").invoice == 3_500_000_000


def test_several_files_are_one_invoice(ledger: Ledger, tmp_path: Path) -> None:
    """In whatever order they are given the second time."""
    one, two = file(tmp_path, COSTS), file(tmp_path, COSTS.replace("gpt-5", "gpt-4o"), "two.csv")
    assert import_invoice(ledger, [one, two], "openai", "2026-08").invoice.amount == 9_000_000_000
    assert not import_invoice(ledger, [two, one], "openai", "2026-08").imported.is_new


def test_any_csv_is_kept_with_a_map(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    """One amount for the month, a decimal comma, and whose invoice it is."""
    bill = file(tmp_path, "Betrag;Posten\n1.234,56;Rechnung\n")
    columns = ColumnMap(cost="Betrag", model="Posten", decimal=",")
    import_invoice(ledger, [bill], "csv", "2026-08", provider="mistral", columns=columns)
    (line,) = imported_invoice(path, "mistral", "2026-08").lines
    assert (line.day, line.model, line.cost_nanousd) == (None, "Rechnung", 1_234_560_000_000)
    assert reconcile_imported(path, "mistral", "2026-08").residual == 1_234_560_000_000


def test_what_is_wrong_is_said_and_nothing_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    """The wrong month, the same file twice, dollars and tokens in one, a cell that nobody can read."""
    costs = file(tmp_path, COSTS)
    copy = file(tmp_path, COSTS, "copy.csv")
    usage = file(tmp_path, "start_time_iso,input_tokens\n2026-08-01T00:00:00Z,10\n", "usage.csv")
    hidden = file(tmp_path, COSTS.replace("gpt-5, output", "gpt-5\u200b, output"), "hidden.csv")
    for files, month, message in (
        (
            [costs],
            "2026-09",
            r"invoice\.csv: expected lines of 2026-09, found days from 2026-07-31 to 2026-08-31",
        ),
        ([costs, copy], "2026-08", r"copy\.csv: expected another file, found the same as .*invoice\.csv"),
        ([costs, usage], "2026-08", r"usage\.csv: expected files of dollars or files of tokens"),
        ([hidden], "2026-08", r"hidden\.csv:5: column 'line_item': expected visible text"),
    ):
        with pytest.raises(InputError, match=message):
            import_invoice(ledger, files, "openai", month)
    assert ledger.imports() == []


@pytest.mark.parametrize(
    ("form", "month", "provider", "message"),
    [
        ("openai", "2026-13", None, "expected a month such as 2026-08"),
        ("paper", "2026-08", "openai", "expected a format"),
        ("csv", "2026-08", None, "expected the provider"),
        ("csv", "2026-08", "mistral", "expected a column map"),
    ],
)
def test_a_wrong_argument_is_a_value_error(
    ledger: Ledger, tmp_path: Path, form: str, month: str, provider: str | None, message: str
) -> None:
    """What the caller said, not what the file says."""
    with pytest.raises(ValueError, match=message):
        import_invoice(ledger, [file(tmp_path, COSTS)], form, month, provider=provider)
    assert ledger.imports() == []


def test_a_comparison_without_an_import_says_what_there_is(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    """The provider's name may be misspelt, or the month be another one."""
    with pytest.raises(NotImported, match="found none at all"):
        reconcile_imported(path, "openai", "2026-08")
    import_invoice(ledger, [file(tmp_path, COSTS)], "openai", "2026-08")
    with pytest.raises(
        NotImported, match="expected an imported invoice of open-ai for 2026-08, found openai 2026-08"
    ):
        reconcile_imported(path, "open-ai", "2026-08")


LINES = st.lists(
    st.tuples(
        st.integers(1, 31), st.sampled_from(["gpt-5", "gpt-4o", "", "=1+1"]), st.integers(-(10**12), 10**12)
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_nothing_is_lost_on_the_way(lines: list[tuple[int, str, int]], tmp_path: Path) -> None:
    """Whatever a file bills: the ledger has its sum, and its sum for each day and model, to the nano-dollar."""
    rows = "".join(f'2026-08-{day:02d},"{model}",{cost}e-9\n' for day, model, cost in lines)
    path = file(tmp_path, f"day,model,cost\n{rows}")
    columns = ColumnMap(cost="cost", day="day", model="model")
    with Ledger.open(":memory:") as ledger:
        import_invoice(ledger, [path], "csv", "2026-08", provider="x", columns=columns)
        kept = ledger.invoice_lines(1)
        (row,) = ledger.invoices()
        assert ledger.verify() == []
    assert row.amount == sum(cost for _, _, cost in lines)
    assert row.lines == len(lines)
    assert {(line.day, line.model): line.cost_nanousd for line in kept} == {
        (f"2026-08-{day:02d}", model or "(not said)"): sum(c for d, m, c in lines if (d, m) == (day, model))
        for day, model, _ in lines
    }
