"""The page about agents runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spendgraph import Meter

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its call is one step of its task, for which room was held."""
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    meter = names["meter"]
    assert isinstance(meter, Meter)
    with meter:
        (step,) = meter.ledger.steps()
        assert (step["kind"], step["status"]) == ("model", "ok")
        assert [row["budget"] for row in meter.ledger.windows()] == ["inbox"]
        assert meter.ledger.verify() == []
