"""Lists of contracts and plans as billing systems and spreadsheets write them, and errors that name the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import ContractRow, Ledger, PlanRow
from spendgraph_demo.history import Written
from spendgraph_reports.errors import InputError
from spendgraph_reports.imports import import_contracts, import_plans

HEADER = "tenant,plan,monthly_revenue_usd,valid_from,valid_until\n"
CONTRACTS = HEADER + "acme,team,299.00,2026-01-01,2026-08-01\nacme,business,1190,2026-08-01,\n"
PLANS = "plan,monthly_list_price_usd\nteam,299.00\nbusiness,1190.00\n"


def file(tmp_path: Path, text: str | bytes, name: str = "list.csv") -> Path:
    """A file with this content."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_files_of_a_history_are_imported(ledger: Ledger, history: Written) -> None:
    """40 contracts, one of which ends, and four list prices: to the cent as they stand there."""
    assert import_contracts(ledger, history.files["contracts"]) == (1, True, None, 40)
    assert import_plans(ledger, history.files["plans"]) == (2, True, None, 4)
    contracts = {row.tenant: row for row in ledger.contracts()}
    assert contracts["globex"] == ContractRow("globex", "enterprise", 3_230_000_000_000, "2026-09-21")
    assert [row.valid_until for row in contracts.values() if row.valid_until] == ["2026-09-29"]
    assert ledger.plans() == [
        PlanRow("business", 1_190_000_000_000),
        PlanRow("enterprise", 3_400_000_000_000),
        PlanRow("starter", 49_000_000_000),
        PlanRow("team", 299_000_000_000),
    ]
    assert ledger.verify() == []


WRITTEN: list[Any] = [
    pytest.param(CONTRACTS, {}, id="as it should be"),
    pytest.param("\ufeff" + CONTRACTS, {}, id="with a byte order mark"),
    pytest.param(CONTRACTS.replace("\n", "\r\n"), {}, id="with Windows line ends"),
    pytest.param(CONTRACTS.replace(",", ";"), {}, id="with semicolons"),
    pytest.param(CONTRACTS.replace(",", "\t"), {}, id="with tabs"),
    pytest.param(CONTRACTS.replace("acme", '" acme "').replace("299.00", '"$299.00"'), {}, id="quoted, with blanks and signs"),
    pytest.param(CONTRACTS.replace("1190", '"1,190.00"'), {}, id="with thousands"),
    pytest.param(CONTRACTS.replace("2026-08-01,\n", "2026-08-01,\n,,,,\n\n"), {}, id="with empty rows"),
    pytest.param("note,valid_until,valid_from,plan,monthly_revenue_usd,tenant\nx,2026-08-01,2026-01-01,team,299.00,acme\ny,,2026-08-01,business,1190,acme\n", {}, id="in another order, with a column more"),
    pytest.param(HEADER.replace(",", ";") + "acme;team;299,00;01.01.2026;01.08.2026\nacme;business;1.190,00;01.08.2026;\n", {"decimal": ",", "day_format": "%d.%m.%Y"}, id="as a German spreadsheet writes it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "how"), WRITTEN)
def test_a_list_is_read_however_it_is_written(
    ledger: Ledger, tmp_path: Path, text: str, how: dict[str, Any]
) -> None:
    """The same two contracts each time."""
    import_contracts(ledger, file(tmp_path, text), **how)
    assert ledger.contracts() == [
        ContractRow("acme", "team", 299_000_000_000, "2026-01-01", "2026-08-01"),
        ContractRow("acme", "business", 1_190_000_000_000, "2026-08-01"),
    ]


WRONG: list[Any] = [
    ("acme,team,299.00,2026-01-01,2026-08-01", "acme,team,cheap,2026-01-01,2026-08-01", 2, "monthly_revenue_usd", "an amount of dollars", "'cheap'"),
    ("299.00", "=1+1", 2, "monthly_revenue_usd", "an amount of dollars", "'=1+1'"),
    ("299.00", '"299,5"', 2, "monthly_revenue_usd", "an amount of dollars", "'299,5'"),
    ("299.00", "-299.00", 2, "monthly_revenue_usd", "an amount of at least 0", "'-299.00'"),
    ("299.00", "1e400", 2, "monthly_revenue_usd", "an amount", "'1e400'"),
    ("299.00", "", 2, "monthly_revenue_usd", "an amount of dollars", "''"),
    ("2026-01-01,", "01.01.2026,", 2, "valid_from", "a date such as 2026-08-01", "'01.01.2026'"),
    ("2026-01-01,", "2026-02-30,", 2, "valid_from", "a date such as 2026-08-01", "'2026-02-30'"),
    ("2026-01-01,", "2026-01-01T00:00:00+02:00,", 2, "valid_from", "a date such as 2026-08-01", "'2026-01-01T00:00:00+02:00'"),
    ("2026-01-01,", "1785542400,", 2, "valid_from", "a date such as 2026-08-01", "'1785542400'"),
    ("2026-01-01,", ",", 2, "valid_from", "a date such as 2026-08-01", "''"),
    ("2026-01-01,2026-08-01", "2026-08-01,2026-08-01", 2, "valid_until", "a day after 2026-08-01", "'2026-08-01'"),
    ("acme,business", ",business", 3, "tenant", "a name", "''"),
    ("acme,business", "acme,", 3, "plan", "a name", "''"),
    ("acme,business", "acme\u202e,business", 3, "tenant", "visible text of at most 256 characters", "'acme\\u202e'"),
    ("acme,business", f"{'a' * 257},business", 3, "tenant", "visible text of at most 256 characters", f"'{'a' * 80}'"),
    ("valid_until", "valid_to", 1, "valid_until", "this column", "only tenant, plan, monthly_revenue_usd, valid_from, valid_to"),
    ("valid_until", "valid_from", 1, "", "each column once", "tenant, plan, monthly_revenue_usd, valid_from, valid_from"),
    ("2026-08-01,\n", "2026-08-01\n", 3, "", "5 columns", "4"),
    ("acme,business", '"acme,business', 3, "", "CSV", "unexpected end of data"),
    ("2026-01-01,2026-08-01", "2026-01-01,2026-08-02", 3, "valid_from", "a contract of 'acme' that begins when the one in line 2 has ended (2026-08-02)", "'2026-08-01'"),
    ("2026-01-01,2026-08-01", "2026-01-01,", 3, "valid_from", "a contract of 'acme' that begins when the one in line 2 has ended (it has no end)", "'2026-08-01'"),
    ("2026-01-01,2026-08-01", "2026-08-02,", 2, "valid_from", "a contract of 'acme' that begins when the one in line 3 has ended (it has no end)", "'2026-08-02'"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "line", "column", "expected", "found"), WRONG)
def test_an_error_names_the_place_and_nothing_is_kept(
    ledger: Ledger, tmp_path: Path, before: str, after: str, line: int, column: str, expected: str, found: str
) -> None:
    """File, line, column, what was expected and what was found; the list before stays the newest."""
    import_contracts(ledger, file(tmp_path, HEADER + "globex,team,1,2026-01-01,\n", "before.csv"))
    path = file(tmp_path, CONTRACTS.replace(before, after))
    with pytest.raises(InputError) as caught:
        import_contracts(ledger, path)
    error = caught.value
    assert (error.file, error.line, error.column) == (str(path), line, column)
    assert error.expected.startswith(expected)
    assert error.found == found
    assert [row.tenant for row in ledger.contracts()] == ["globex"]
    assert len(ledger.imports()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "list.csv:1: expected a header and rows, found an empty file"),
        (HEADER.encode(), "list.csv:1: expected at least one contract, found a header only"),
        (b"tenant\nacm\xe9\n", "list.csv:2: expected text in UTF-8, found other bytes"),
        (b"PK\x03\x04\xff\xfe", "list.csv:1: expected text in UTF-8, found other bytes"),
    ],
    ids=["empty", "header only", "latin-1", "a spreadsheet's file"],
)
def test_a_file_that_is_no_list_is_refused(ledger: Ledger, tmp_path: Path, text: bytes, message: str) -> None:
    """An empty export would take every contract away."""
    with pytest.raises(InputError) as caught:
        import_contracts(ledger, file(tmp_path, text))
    assert str(caught.value).endswith(message)


def test_a_file_that_cannot_be_read_is_named(ledger: Ledger, tmp_path: Path) -> None:
    """A directory, or nothing at all."""
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(InputError, match="expected a file that can be read") as caught:
            import_contracts(ledger, path)
        assert caught.value.file == str(path)


def test_a_tenant_may_be_called_anything_a_tag_may(ledger: Ledger, tmp_path: Path) -> None:
    """Formulas, markup and SQL are data; two spellings of one é are one tenant, as in tags."""
    names = ("=cmd|' /C calc'!A0", "<b>bold</b>", "'; DROP TABLE contracts; --", "cafe\u0301")
    text = HEADER + "".join(f'"{name}",team,1,2026-01-01,\n' for name in names)
    import_contracts(ledger, file(tmp_path, text))
    assert {row.tenant for row in ledger.contracts()} == {*names[:3], "caf\u00e9"}


def test_list_prices_may_have_days(ledger: Ledger, tmp_path: Path) -> None:
    """The same plan twice, from another day on."""
    dated = "plan,monthly_list_price_usd,valid_from\nteam,299.00,\nteam,349.00,2026-09-01\n"
    import_plans(ledger, file(tmp_path, dated))
    assert ledger.plans() == [
        PlanRow("team", 299_000_000_000),
        PlanRow("team", 349_000_000_000, "2026-09-01"),
    ]


def test_a_plan_with_two_prices_names_both_lines(ledger: Ledger, tmp_path: Path) -> None:
    """Nobody knows which one is meant."""
    with pytest.raises(InputError) as caught:
        import_plans(ledger, file(tmp_path, PLANS + "team,399.00\n"))
    assert (caught.value.line, caught.value.column) == (4, "plan")
    assert caught.value.expected == "the plan once for each valid_from: it is in line 2, too"


def test_the_same_file_again_is_said_and_another_one_counts(ledger: Ledger, tmp_path: Path) -> None:
    """By its bytes, whatever it is called."""
    assert import_plans(ledger, file(tmp_path, PLANS)) == (1, True, None, 2)
    assert import_plans(ledger, file(tmp_path, PLANS, "copy.csv")) == (1, False, None, 2)
    assert import_plans(ledger, file(tmp_path, PLANS.replace("299", "349"))) == (2, True, 1, 2)
    assert [row.monthly_list_price_nanousd for row in ledger.plans()] == [1_190_000_000_000, 349_000_000_000]


def test_a_file_name_that_is_no_text_is_kept_readable(ledger: Ledger, tmp_path: Path) -> None:
    """On some systems a name is any bytes."""
    path = tmp_path / b"pl\xffns.csv".decode("utf-8", "surrogateescape")
    try:
        path.write_text(PLANS)
    except OSError:
        pytest.skip("this file system has no such names")
    import_plans(ledger, path)
    assert ledger.imports()[0]["files"].startswith('[{"name": "pl\\\\udcffns.csv"')


def test_a_ledger_that_cannot_be_written_keeps_nothing(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    """The list is right, the ledger is gone: a typed error, and no new file in its place."""
    for gone in tmp_path.glob("ledger.db*"):
        gone.unlink()
    with pytest.raises(LedgerUnavailable):
        import_plans(ledger, file(tmp_path, PLANS))
    assert not path.exists()
