"""Reorganisations in reports: the policy's dated `mappings` and `splits`, applied to rows of sums and never to steps."""

from __future__ import annotations

from spendgraph_reports.organisation.merging import merged
from spendgraph_reports.organisation.organisation import Organisation
from spendgraph_reports.organisation.rules import RULE

__all__ = ["RULE", "Organisation", "merged"]
