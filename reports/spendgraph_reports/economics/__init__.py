"""What it costs to get something done: completion, unit economics, tenants, outcomes and margins."""

from __future__ import annotations

from spendgraph_reports.economics.completion import completion
from spendgraph_reports.economics.decisions import decisions
from spendgraph_reports.economics.margin import margin
from spendgraph_reports.economics.outcomes import outcomes
from spendgraph_reports.economics.tenants import tenants
from spendgraph_reports.economics.units import unit_economics

__all__ = ["completion", "decisions", "margin", "outcomes", "tenants", "unit_economics"]
