"""Invoices and usage exports as providers write them, and errors that name the place."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from spendgraph_reports.errors import InputError
from spendgraph_reports.reconcile import ColumnMap, InvoiceLine, Tokens, read_invoice

OPENAI_COSTS = """\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,project_id
1785542400,1785628800,2026-08-01T00:00:00+00:00,2026-08-02T00:00:00+00:00,,,,,,
1785628800,1785715200,2026-08-02T00:00:00+00:00,2026-08-03T00:00:00+00:00,0.003835980000000000000000,usd,,,,
1785628800,1785715200,2026-08-02T00:00:00,2026-08-03T00:00:00,0.5,usd,1000,tokens,"gpt-5-nano, input_tokens",proj_a
"""
OPENAI_USAGE = """\
start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens
1785628800,1785715200,2026-08-02T00:00:00+00:00,2026-08-03T00:00:00+00:00,3,gpt-5-2025-08-07,17903,300,17817
1785715200,1785801600,2026-08-03T00:00:00+00:00,2026-08-04T00:00:00+00:00,,,,,
"""
ANTHROPIC_COSTS = """\
usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed
2026-08-04,Claude Haiku 4.5,Default,demo,message,≤ 200k,input_no_cache,0.05,0.05,token,not_available,
2026-08-04,,Default,demo,,,,1.20,1.20,web_search,,
"""
ANTHROPIC_USAGE = """\
usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count
2026-08-05,claude-sonnet-4-5-20250929,key,Default,standard,≤ 200k,1000,1000,0,8000,500,0
"""


def page(bucket: dict[str, Any], *results: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """A page of a provider's API."""
    return {"data": [{**bucket, "results": list(results)}], "has_more": more, "next_page": None}


AUGUST_2 = {"start_time": 1785628800, "end_time": 1785715200}
AUGUST_4 = {"starting_at": "2026-08-04T00:00:00Z", "ending_at": "2026-08-05T00:00:00Z"}

READ: list[Any] = [
    pytest.param(
        "openai",
        OPENAI_COSTS,
        [
            InvoiceLine("(all models)", date(2026, 8, 2), 3_835_980),
            InvoiceLine("gpt-5-nano", date(2026, 8, 2), 500_000_000, item="gpt-5-nano, input_tokens"),
        ],
        id="openai cost csv: no amount is no line; cents are not rounded to cents",
    ),
    pytest.param(
        "openai",
        OPENAI_USAGE,
        [InvoiceLine("gpt-5-2025-08-07", date(2026, 8, 2), None, Tokens(17_903, 300, 17_817))],
        id="openai usage csv: cached tokens are inside the input",
    ),
    pytest.param(
        "openai",
        json.dumps(
            page(AUGUST_2, {"amount": {"value": 0.06, "currency": "usd"}, "line_item": "gpt-5, output_tokens"})
        ),
        [InvoiceLine("gpt-5", date(2026, 8, 2), 60_000_000, item="gpt-5, output_tokens")],
        id="openai cost api",
    ),
    pytest.param(
        "openai",
        json.dumps([page(AUGUST_2, {"model": "gpt-5", "input_tokens": 10, "output_tokens": 4}, more=True), page(AUGUST_2)]),
        [InvoiceLine("gpt-5", date(2026, 8, 2), None, Tokens(10, 4))],
        id="openai usage api, two pages in a list",
    ),
    pytest.param(
        "anthropic",
        ANTHROPIC_COSTS,
        [
            InvoiceLine("Claude Haiku 4.5", date(2026, 8, 4), 50_000_000, item="input_no_cache"),
            InvoiceLine("web_search", date(2026, 8, 4), 1_200_000_000, item="web_search"),
        ],
        id="anthropic cost csv: dollars",
    ),
    pytest.param(
        "anthropic",
        json.dumps(page(AUGUST_4, {"amount": "123.45", "currency": "USD", "model": "claude-sonnet-4-5"})),
        [InvoiceLine("claude-sonnet-4-5", date(2026, 8, 4), 1_234_500_000)],
        id="anthropic cost api: cents, 123.45 is $1.2345",
    ),
    pytest.param(
        "anthropic",
        ANTHROPIC_USAGE,
        [InvoiceLine("claude-sonnet-4-5-20250929", date(2026, 8, 5), None, Tokens(10_000, 500, 8_000, 1_000))],
        id="anthropic usage csv: input is what is not cached, cache is beside it",
    ),
    pytest.param(
        "anthropic",
        json.dumps(
            page(
                AUGUST_4,
                {
                    "model": "claude-sonnet-4-5",
                    "uncached_input_tokens": 1000,
                    "cache_read_input_tokens": 8000,
                    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 0},
                    "output_tokens": 500,
                },
            )
        ),
        [InvoiceLine("claude-sonnet-4-5", date(2026, 8, 4), None, Tokens(10_000, 500, 8_000, 1_000))],
        id="anthropic usage api",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("form", "text", "lines"), READ)
def test_an_export_is_read(form: str, text: str, lines: list[InvoiceLine], tmp_path: Path) -> None:
    """Costs to the nano-dollar, tokens as the ledger counts them, days in UTC."""
    (tmp_path / "file").write_text(text, encoding="utf-8")
    assert read_invoice(tmp_path / "file", form) == lines


@pytest.mark.parametrize(
    ("form", "text", "line", "column", "expected"),
    [
        ("openai", OPENAI_COSTS.replace("0.5,usd", "half,usd"), 4, "amount_value", "an amount of dollars"),
        ("openai", OPENAI_COSTS.replace("0.5,usd", "0.5,eur"), 4, "amount_currency", "US dollars"),
        ("openai", OPENAI_USAGE.replace("17903", "17.9"), 2, "input_tokens", "a whole number"),
        ("openai", "a,b\n1,2\n", 1, "", "OpenAI's cost export"),
        ("openai", "", 1, "", "a header"),
        ("openai", OPENAI_COSTS + "1,2\n", 5, "", "10 columns"),
        ("openai", '{"data": [{"results": [{}], "start_time": 1785628800}]}', 0, "data[0].results[0]", "an amount"),
        ("openai", '{"data": [], "has_more": true}', 0, "has_more", "the report's last page"),
        ("openai", '{"data": [', 1, "", "JSON"),
        ("anthropic", ANTHROPIC_COSTS.replace("2026-08-04,Claude", "yesterday,Claude"), 2, "usage_date_utc", "a date"),
        ("anthropic", ANTHROPIC_COSTS.replace("0.05,0.05", "1e400,0.05"), 2, "cost_usd", "an amount"),
        ("anthropic", ANTHROPIC_COSTS.replace("model,", "what,", 1), 1, "model", "this column"),
    ],
)  # fmt: skip
def test_an_error_names_the_place(
    form: str, text: str, line: int, column: str, expected: str, tmp_path: Path
) -> None:
    """File, line, column, what was expected and what was found."""
    file = tmp_path / "invoice.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_invoice(file, form)
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(file), line, column)
    assert caught.value.expected.startswith(expected)
    assert str(caught.value).startswith(f"{file}:{line}: " if line else f"{file}: ")


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """A spreadsheet file under a CSV's name says so."""
    (tmp_path / "x.csv").write_bytes(b"a,b\n1,\xff\n")
    with pytest.raises(InputError, match=r"x\.csv:2: expected text in UTF-8"):
        read_invoice(tmp_path / "x.csv", "openai")


GERMAN = "Datum;Modell;Betrag\n01.08.2026;gpt-5;1.234,56\n02.08.2026;gpt-5;(0,50)\n03.08.2026;;\n"


def test_any_csv_is_read_with_a_map(tmp_path: Path) -> None:
    """Separator, decimal comma, date format; brackets are a credit, no amount is no line."""
    (tmp_path / "x.csv").write_text(GERMAN, encoding="utf-8")
    columns = ColumnMap(cost="Betrag", day="Datum", model="Modell", day_format="%d.%m.%Y", decimal=",")
    assert read_invoice(tmp_path / "x.csv", "csv", columns) == [
        InvoiceLine("gpt-5", date(2026, 8, 1), 1_234_560_000_000),
        InvoiceLine("gpt-5", date(2026, 8, 2), -500_000_000),
    ]


def test_a_description_of_several_lines_is_one_line(tmp_path: Path) -> None:
    """Invoices break lines within cells; the row after it is named by its own line."""
    (tmp_path / "x.csv").write_text('what,cost\n"Usage of\n  gpt-5",1\nother,one\n', encoding="utf-8")
    columns = ColumnMap(cost="cost", model="what")
    with pytest.raises(InputError, match=r"x\.csv:4: column 'cost'"):
        read_invoice(tmp_path / "x.csv", "csv", columns)
    (tmp_path / "x.csv").write_text('what,cost\n"Usage of\n  gpt-5",1\n', encoding="utf-8")
    assert read_invoice(tmp_path / "x.csv", "csv", columns) == [
        InvoiceLine("Usage of gpt-5", None, 1_000_000_000)
    ]


def test_a_map_is_loaded_from_yaml(tmp_path: Path) -> None:
    """Names and texts; what else stands there is an error that names the file."""
    file = tmp_path / "map.yaml"
    file.write_text("cost: Betrag\nday: Datum\nday_format: '%d.%m.%Y'\ndecimal: ','\n")
    assert ColumnMap.load(file) == ColumnMap(cost="Betrag", day="Datum", day_format="%d.%m.%Y", decimal=",")
    for text, expected in (
        ("cost: [", "YAML"),
        ("costs: Betrag", "a column map"),
        ("- cost", "names and texts"),
    ):
        file.write_text(text)
        with pytest.raises(InputError) as caught:
            ColumnMap.load(file)
        assert (caught.value.file, caught.value.expected.startswith(expected)) == (str(file), True)


@pytest.mark.parametrize("amount", ["1,5", "1.000.0", "--1", "NaN", "Infinity", "1_000", "٣", "12 34", "$"])
def test_a_doubtful_amount_is_refused(amount: str, tmp_path: Path) -> None:
    """Nothing is guessed: a comma that may be a decimal one is an error."""
    (tmp_path / "x.csv").write_text(f'cost\n"{amount}"\n', encoding="utf-8")
    with pytest.raises(InputError, match="column 'cost': expected an amount of dollars"):
        read_invoice(tmp_path / "x.csv", "csv", ColumnMap(cost="cost"))
