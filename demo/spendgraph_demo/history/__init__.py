"""A believable history: months of simulated steps, written through the ledger's own code.

A software company with six features for its customers and one for itself, about 40 customers whose sizes fall like a
power of their rank, people who work by day and in the week, growth, releases. What goes wrong is planted and is known
to the nano-dollar: see `spendgraph_demo.history.planted` and docs/history.md. Rows are made by the code that hooks
use, priced by the price book, counted in the windows of a real policy and posted in batches; no SQL is written here.

Parameters (`Parameters`): `end` and `days` give the period, `seed` all its chance, `timezone` the clock on the wall,
`tenants` how many customers, `scale` the traffic and the budgets beside the usual ones, `growth` what is added in 30
days. Equal parameters make equal ledgers, but for the ledger's secret and the moment its schema was made.

Example:
    ```python
    from datetime import date
    from pathlib import Path
    from spendgraph_demo.history import Parameters, write_history

    written = write_history(Path("history.db"), Parameters(end=date(2026, 10, 1), days=90))
    ```
"""

from __future__ import annotations

from spendgraph_demo.history.parameters import Parameters, days_of
from spendgraph_demo.history.writing import FILES, LedgerNotEmpty, Written, write_history

__all__ = ["FILES", "LedgerNotEmpty", "Parameters", "Written", "days_of", "write_history"]
