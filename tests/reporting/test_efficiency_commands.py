"""`spendgraph report cache`, `drift`, `versions`, `waste` and `whatif`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reporting.kit import DAY
from reporting.priced import call, keep
from spendgraph.cli import main
from spendgraph.pricing import Usage

POLICY = """
version: 1
prices:
  models:
    - {provider: openai, model: other, input_usd_per_mtok: "10", output_usd_per_mtok: "20"}
"""

Said = tuple[int, str, str]


@pytest.fixture
def report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Runs a report of September on a call of gpt-5 and its replay, of 1,000,000 input tokens each: $1.25 twice."""
    monkeypatch.chdir(tmp_path)
    for name in ("LEDGER", "POLICY", "TIMEZONE"):
        monkeypatch.delenv(f"SPENDGRAPH_{name}", raising=False)
    usage = Usage(input_tokens=1_000_000)
    keep(
        tmp_path / "spendgraph.db",
        [
            call("a", usage, estimate_nanousd=10**9, reserved_nanousd=10**9),
            call("b", usage, is_replay=1, started_us=DAY + 1),
        ],
    )
    (tmp_path / "spendgraph.yaml").write_text(POLICY)

    def run(*arguments: str) -> Said:
        code = main(["report", *arguments, "--month", "2026-09"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("arguments", "finding"),
    [
        (["cache"], "0.0 % of the input was found in the prompt cache; that saved $0.00, with $0.00 for writing it taken off."),
        (["drift"], "1 call was expected to cost $1.00 and cost $1.25, 1.25 times as much."),
        (["versions", "--feature", "triage"], "Nothing had two versions with ended tasks in this period."),
        (
            ["waste", "--by", "tenant"],
            "$1.25 was paid for twice or for nothing, 50.0 % of $2.50: $1.25 for replays after interrupts.",
        ),
        (
            ["whatif", "--model", "gpt-5", "--as", "other"],
            "gpt-5 cost $2.50; the same tokens at the prices of other cost $20.00: $17.50 more (+700.0 %).",
        ),
    ],
    ids=["cache", "drift", "versions", "waste", "whatif"],
)  # fmt: skip
def test_a_report_says_what_it_found(report: Callable[..., Said], arguments: list[str], finding: str) -> None:
    """After its title; the policy here has the prices of what might have been."""
    code, out, _ = report(*arguments)
    assert code == 0
    assert out.splitlines()[1] == finding


def test_json_has_every_column_and_what_it_means(report: Callable[..., Said]) -> None:
    """Of the hypothetical cost, too."""
    _, out, _ = report("whatif", "--model", "gpt-5", "--as", "other", "--json")
    document: dict[str, Any] = json.loads(out)
    assert [row["hypothetical_nanousd"] for row in document["rows"]] == [20_000_000_000]
    assert document["settings"]["answered"] == "gpt-5-2025-08-07"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["whatif", "--model", "gpt-5", "--as", "acme-1"], "nobody has said a price of acme-1 of openai"),
        (["waste", "--by", "tema"], "the rollups do not tell 'tema' apart"),
        (["cache", "--by", "week"], "the rollups do not tell 'week' apart"),
    ],
)
def test_a_wrong_question_is_one_line(
    report: Callable[..., Said], arguments: list[str], message: str
) -> None:
    """Exit code 2, and nothing is shown."""
    code, out, err = report(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
