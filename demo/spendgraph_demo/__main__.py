"""`python -m spendgraph_demo` is `spendgraph demo`."""

from __future__ import annotations

import sys

from spendgraph.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
