"""The page about agents runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spendgraph import Meter

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its calls are priced steps, for which room was held; it prints what the page says."""
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text("utf-8")
    block, printed = (
        re.search(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
        for language in ("python", "text")
    )
    assert block is not None
    assert printed is not None
    names: dict[str, object] = {}
    exec(compile(block[1], str(PAGE), "exec"), names)
    meter = names["meter"]
    assert isinstance(meter, Meter)
    with meter:
        assert capsys.readouterr().out == printed[1]
        steps = [
            (step["model"] or step["model_requested"], step["cost_nanousd"]) for step in meter.ledger.steps()
        ]
        assert steps == [("large", 10 * 10**9), ("small", 10**9)]
        assert [row["budget"] for row in meter.ledger.windows()] == ["inbox"]
        assert meter.ledger.verify() == []
