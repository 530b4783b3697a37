"""Reports on a spendgraph ledger, exports, imports, and the reconciliation with a provider's invoice.

It reads ledgers and never imports what runs inside an agent. `spendgraph_reports.exports` writes steps as CSV, JSON and
Parquet and costs in FOCUS, `spendgraph_reports.imports` brings contracts, plans and invoices in,
`spendgraph_reports.reconcile` compares, `spendgraph_reports.economics` and `spendgraph_reports.outliers` say what it costs
to get something done, `spendgraph_reports.rendering` writes pages and files, `spendgraph_reports.plots` draws,
`spendgraph_reports.notebooks` runs notebooks, `spendgraph_reports.organisation` applies reorganisations to sums,
`spendgraph_reports.engine` asks DuckDB.
"""

from __future__ import annotations

__all__: list[str] = []
