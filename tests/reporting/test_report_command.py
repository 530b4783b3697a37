"""`spendgraph report`: options that all reports share, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, write
from spendgraph.cli import main

Said = tuple[int, str, str]


@pytest.fixture
def report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Runs `spendgraph report` on a ledger of two steps of September, $3.00 and $1.00."""
    monkeypatch.chdir(tmp_path)
    for name in ("LEDGER", "POLICY", "TIMEZONE"):
        monkeypatch.delenv(f"SPENDGRAPH_{name}", raising=False)
    write(
        tmp_path / "spendgraph.db",
        [
            step("a", context_id=CONTEXTS[0].context_id, started_us=DAY, cost_nanousd=3_000_000_000),
            step("b", context_id=CONTEXTS[2].context_id, started_us=DAY, cost_nanousd=1_000_000_000),
        ],
    )

    def run(*arguments: str) -> Said:
        code = main(["report", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_table_says_what_it_says_first(report: Callable[..., Said]) -> None:
    """Title, findings, then rows that foot."""
    code, out, _ = report("showback", "--month", "2026-09")
    assert code == 0
    assert out.splitlines()[:3] == [
        "Spending by team, 2026-09 (UTC)",
        "$4.00 was spent.",
        "support is the largest with $3.00, 75.0 % of it.",
    ]
    assert out.splitlines()[-1].split()[:2] == ["total", "$4.00"]


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "json"]])
def test_json_goes_to_stdout(report: Callable[..., Said], arguments: list[str]) -> None:
    """One document."""
    code, out, _ = report("showback", "--month", "2026-09", *arguments)
    document: dict[str, Any] = json.loads(out)
    assert code == 0
    assert [(row["team"], row["cost_nanousd"]) for row in document["rows"]] == [
        ("support", 3_000_000_000),
        ("growth", 1_000_000_000),
    ]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_files_are_written_where_asked(report: Callable[..., Said], tmp_path: Path, form: str) -> None:
    """And the command says how many rows they have."""
    code, out, _ = report("showback", "--month", "2026-09", "--format", form, "--output", "out")
    assert (code, out) == (0, "out: 2 rows, 2026-09 (UTC)\n")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_the_policy_here_says_who_pays(report: Callable[..., Said], tmp_path: Path) -> None:
    """`spendgraph.yaml` is found; growth is sales from September on."""
    (tmp_path / "spendgraph.yaml").write_text(
        "version: 1\nmappings:\n  - {name: merger, from: 2026-09-01, when: {team: growth}, set: {team: sales}}\n"
    )
    _, out, _ = report("showback", "--month", "2026-09", "--by", "team", "--by", "rule", "--json")
    assert [(row["team"], row["rule"]) for row in json.loads(out)["rows"]] == [
        ("support", ""),
        ("sales", "merger"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--month", "2026-13"], "expected a month such as 2026-08, found '2026-13'"),
        (
            ["--month", "2026-09", "--from", "2026-09-01"],
            "expected either --month or --from and --to, found both",
        ),
        (["--to", "2026-09-01"], "expected --from with --to, found --to alone"),
        (["--timezone", "Berlin"], "expected a time zone such as Europe/Berlin, found 'Berlin'"),
        (["--month", "2026-09", "--format", "csv"], "expected --output with --format csv, found none"),
        (
            ["--month", "2026-09", "--output", "x"],
            "expected --format csv, json, parquet or html with --output, found a table",
        ),
        (["--month", "2026-09", "--by", "tema"], "the rollups do not tell 'tema' apart"),
        (
            ["--from", "2026-09-01T00:01:00Z", "--to", "2026-09-02"],
            "expected the start of a quarter of an hour",
        ),
    ],
)
def test_a_wrong_question_is_one_line(
    report: Callable[..., Said], arguments: list[str], message: str
) -> None:
    """Exit code 2, and nothing is written."""
    code, out, err = report("showback", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_ledger_that_is_not_there_is_said(report: Callable[..., Said]) -> None:
    """And none is made."""
    code, out, err = report("showback", "--ledger", "other.db")
    assert (code, out) == (1, "")
    assert "there is no ledger at" in err
