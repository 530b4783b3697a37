"""`spendgraph doctor`: what is wrong here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.kit import Cli, Said


def findings(said: Said, subject: str) -> list[dict[str, Any]]:
    """What was found about one subject."""
    return [found for found in said.json["findings"] if found["subject"] == subject]


def test_a_fresh_folder_has_no_problem(cli: Cli) -> None:
    """No policy and no ledger are notes; the hook is tried with a real call and works."""
    said = cli("doctor", "--json")
    assert said.code == 0
    assert said.json["problems"] == 0
    assert [found["state"] for found in findings(said, "ledger")] == ["note"]
    assert findings(said, "hook")[0]["message"] == (
        "a model call with callbacks=[] inside a chain was seen once, with its tags"
    )


def test_doctor_names_the_line_of_a_broken_policy(cli: Cli, tmp_path: Path) -> None:
    """A policy that does not load is a problem, told with file and line."""
    (tmp_path / "spendgraph.yaml").write_text("version: 1\nattribution:\n  requires: [team]\n")
    said = cli("doctor", "--json")
    assert said.code == 1
    assert "spendgraph.yaml:3:" in findings(said, "policy")[0]["message"]


def test_every_error_of_a_policy_has_a_line(cli: Cli, tmp_path: Path) -> None:
    """Nobody reads the sign of a line end."""
    (tmp_path / "spendgraph.yaml").write_text("version: 2\nprices: {unpriced: maybe}\n")
    said = cli("doctor")
    assert said.code == 1
    assert "\\n" not in said.out
    assert sum(line.startswith(("PROBLEM  policy: ", "           ")) for line in said.out.splitlines()) >= 2


def test_doctor_warns_of_trusted_metadata(cli: Cli, tmp_path: Path) -> None:
    """Where others can send metadata they can name the payer."""
    (tmp_path / "spendgraph.yaml").write_text("version: 1\n")
    assert "trust_metadata is on" in findings(cli("doctor", "--json"), "policy")[1]["message"]
    (tmp_path / "spendgraph.yaml").write_text("attribution: {trust_metadata: false}\n")
    assert len(findings(cli("doctor", "--json"), "policy")) == 1


def test_doctor_warns_where_a_model_without_a_price_passes_budgets_in_dollars(
    cli: Cli, tmp_path: Path
) -> None:
    """Such a call counts as 0; tokens, strict budgets and `unpriced: block` limit it."""
    path = tmp_path / "spendgraph.yaml"

    def warned(text: str) -> bool:
        path.write_text(text)
        said = cli("doctor", "--json")
        assert said.code == 0
        return "prices.unpriced: block" in str(findings(said, "policy"))

    assert warned("budgets: [{name: b, limit_usd: 1}]")
    assert not warned("budgets: [{name: b, limit_usd: 1}]\nprices: {unpriced: block}")
    assert not warned("budgets: [{name: b, limit_usd: 1, reserve: strict}, {name: c, limit_tokens: 1}]")


def test_doctor_says_who_cannot_be_told(cli: Cli, tmp_path: Path) -> None:
    """An address that cannot be read is a problem, an owner without one is a note; no address is shown."""
    budgets = "budgets: [{name: b, owner: growth, limit_usd: 1}, {name: c, owner: lead, limit_usd: 1}]\n"
    (tmp_path / "spendgraph.yaml").write_text(f"{budgets}notify: {{growth: 'json://localhost/s3cret'}}\n")
    said = cli("doctor", "--json")
    assert [found["state"] for found in findings(said, "notify")] == ["ok", "note"]
    assert findings(said, "notify")[1]["message"].endswith("notify lacks them: lead")
    (tmp_path / "spendgraph.yaml").write_text(f"{budgets}notify: {{growth: 'jsom://localhost/s3cret'}}\n")
    said = cli("doctor", "--json")
    assert (said.code, findings(said, "notify")[0]["state"]) == (1, "problem")
    assert "s3cret" not in said.out


def test_doctor_looks_at_the_ledger(cli: Cli, books: Path) -> None:
    """Sound books are said to be sound, and a file others can read is noted."""
    books.chmod(0o644)
    said = cli("doctor", "--json", "--ledger", books)
    assert [found["message"] for found in findings(said, "ledger")] == [
        f"{books} is sound: 4 steps, $0.02848625",
        f"{books} can be opened by others (mode 0644); chmod 600 makes it private",
    ]


def test_doctor_is_readable(cli: Cli) -> None:
    """One line a finding, its state first."""
    lines = cli("doctor").out.splitlines()
    assert all(line.startswith(("ok ", "note ", "PROBLEM ")) for line in lines)
    assert "spendgraph 0.1.0" in lines[0]


def test_doctor_takes_no_arguments_without_live(cli: Cli) -> None:
    """A script that was meant for --live is not ignored."""
    said = cli("doctor", "agent.py")
    assert said.code == 2
    assert "doctor takes no arguments without --live" in said.err
