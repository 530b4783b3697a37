"""`spendgraph top` on terminals of any width: no amount, count or tag is cut, and the total can be read."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import START, step
from cli.kit import Cli
from spendgraph.context import CostContext
from spendgraph.ledger import ContextRow, Ledger, StepRow, TaskStart

FEATURES = ["inbox-triage-of-incoming-mail", "research"]
TENANTS = ["acme-with-a-rather-long-name", "globex"]
COST, TOTAL = "$12,345.678901234", "$49,382.715604936"


@pytest.fixture
def dear(tmp_path: Path) -> Path:
    """A ledger of four payers, whose amounts have many digits."""
    path = tmp_path / "dear.db"
    with Ledger.open(path) as ledger:
        for number, (feature, tenant) in enumerate((f, t) for f in FEATURES for t in TENANTS):
            payer = CostContext(feature=feature, tenant=tenant).context_id
            of: Any = step(f"s{number}", START, cost_nanousd=12_345_678_901_234)
            of |= {"task_id": f"t{number}", "context_id": payer}
            ledger.post(
                ContextRow(payer, feature=feature, tenant=tenant),
                TaskStart(f"t{number}", None, payer, "thread", "agent", START),
                StepRow(**of, input_tokens=123_456_789, output_tokens=9_876_543, model="gpt-5", name="Chat"),
            )
    return path


@pytest.mark.parametrize("by", ["feature", "feature,tenant", "feature,tenant,model,name"])
@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40])
def test_nothing_is_cut_at_any_width(
    cli: Cli, dear: Path, monkeypatch: pytest.MonkeyPatch, width: int, by: str
) -> None:
    """Every line fits, and every amount and count stands whole in one."""
    monkeypatch.setenv("COLUMNS", str(width))
    said = cli("top", "--once", "--by", by, "--ledger", dear)
    assert said.code == 0
    assert max(len(line) for line in said.out.splitlines()) <= width
    assert "\u2026" not in said.out
    rows = 2 if by == "feature" else 4
    cost = "$24,691.357802468" if by == "feature" else COST
    assert said.out.count(cost) == rows
    assert said.out.count(TOTAL) == 2  # above the table, and under it
    tokens = "246,913,578" if by == "feature" else "123,456,789"
    assert said.out.count(tokens) == rows
    assert "493,827,156" in said.out
    assert "unattributed 0.0 %" in said.out


def test_tags_are_folded_before_rows_become_blocks(
    cli: Cli, dear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a column, one below the other, they are whole; in a block, in one line."""
    monkeypatch.setenv("COLUMNS", "100")
    lines = cli("top", "--once", "--ledger", dear).out.splitlines()
    heading = next(line for line in lines if line.startswith("feature"))
    column = "".join(line[: heading.index("tenant")].strip() for line in lines[lines.index(heading) + 1 :])
    assert column == "".join(feature for feature in FEATURES for _ in TENANTS) + "total"
    monkeypatch.setenv("COLUMNS", "60")
    narrow = cli("top", "--once", "--ledger", dear).out
    assert f"{FEATURES[0]}  {TENANTS[0]}\n  cost {COST}  share 25.0 %" in narrow


def test_a_live_table_in_80_columns_says_the_total(dear: Path) -> None:
    """In its first line, which stays on the screen however long the table is."""
    parent, child = pty.openpty()
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import sys; {hears}; from spendgraph.cli import main; sys.exit(main())"
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "12"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, "top", "--by", "feature,tenant,model", "--ledger", str(dear)],
        stdin=child, stdout=child, stderr=child, env=environment,
    )  # fmt: skip
    os.close(child)
    seen, deadline = b"", time.monotonic() + 30
    while TOTAL.encode() not in seen and time.monotonic() < deadline:
        seen += os.read(parent, 65_536)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    os.close(parent)
    assert TOTAL.encode() in seen
    assert COST.encode() in seen
