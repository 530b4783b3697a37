"""The reports on what the money brought: the prompt cache, estimates, versions, other models' prices, and waste."""

from __future__ import annotations

from spendgraph_reports.efficiency.cache import cache
from spendgraph_reports.efficiency.drift import drift
from spendgraph_reports.efficiency.versions import versions
from spendgraph_reports.efficiency.waste import waste
from spendgraph_reports.efficiency.whatif import whatif

__all__ = ["cache", "drift", "versions", "waste", "whatif"]
