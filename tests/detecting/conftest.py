"""Real LLM tenants, where their data is."""

from __future__ import annotations

import csv
import gzip

import pytest

from detecting.kit import DATA


@pytest.fixture(scope="session")
def tenants() -> dict[str, list[float]]:
    """Twelve real LLM tenants: dollars of ten minutes, two weeks."""
    file = DATA / "llm" / "servegen_cost_10min.csv.gz"
    if not file.exists():
        pytest.skip(f"the real data is not there ({file})")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    names = rows[0][1:]
    found = {name: [float(row[1 + place]) for row in rows[1:]] for place, name in enumerate(names)}
    spending = [name for name in names if sum(found[name]) > 100]
    return {name: found[name] for name in spending[:: max(1, len(spending) // 12)][:12]}
