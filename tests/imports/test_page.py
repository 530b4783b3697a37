"""What docs/imports.md shows is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "imports.md"


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with the files that it names, it finds what they say."""
    monkeypatch.chdir(tmp_path)
    Path("contracts.csv").write_text(
        "tenant,plan,monthly_revenue_usd,valid_from,valid_until\nacme,team,310,2026-08-22,\n"
    )
    Path("cost.csv").write_text(
        'start_time_iso,amount_value,line_item\n2026-08-01T00:00:00Z,1.25,"gpt-5, input"\n'
    )
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = {}
    exec(compile(block, PAGE.name, "exec"), found)
    assert [row.tenant for row in found["contracts"]] == ["acme"]
    assert found["prices"] == []
    assert [row.amount for row in found["invoices"]] == [1_250_000_000]
    assert [(row.plan, row.revenue_nanousd) for row in found["august"]] == [("team", 100_000_000_000)]
