"""The command line: the frame that collects commands, and this package's own, one file each.

Exit codes are the same everywhere: 0 all is well, 1 a problem was found (or the ledger or policy could not be
used), 2 the command was called wrongly; `run` passes on the exit code of what it ran.
"""

from __future__ import annotations

from spendgraph.cli.app import main

__all__ = ["main"]
