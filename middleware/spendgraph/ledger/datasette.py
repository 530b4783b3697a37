"""Metadata that makes a ledger readable in Datasette: descriptions, units, questions worth asking.

`python -m spendgraph.ledger.datasette books.db > metadata.yaml; datasette books.db --metadata metadata.yaml`
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def datasette_metadata(ledger: str | Path = "ledger.db") -> str:
    """The YAML for a ledger file: Datasette knows a database by its file's name."""
    text = Path(__file__).with_name("datasette.yaml").read_text("utf-8")
    return text.replace("\n  ledger:\n", f"\n  {json.dumps(Path(ledger).stem)}:\n", 1)


def main(arguments: list[str] | None = None) -> None:
    """Print the metadata of a ledger file."""
    parser = argparse.ArgumentParser(description="Print Datasette metadata for a ledger.")
    parser.add_argument("ledger", nargs="?", default="ledger.db", help="the ledger's file")
    sys.stdout.write(datasette_metadata(parser.parse_args(arguments).ledger))


if __name__ == "__main__":
    main()
