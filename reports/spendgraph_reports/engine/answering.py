"""The program that answers one question with DuckDB: a job as JSON on stdin, rows or a Parquet file out.

It runs as a file, in a process that has nothing else to do (docs/decisions/0008): DuckDB's SQLite reader is a
second copy of SQLite, and what it closes would take away the locks of a meter beside it. It imports nothing of
spendgraph. The steps it sees are those written before it began: `seq` bounds them, whatever DuckDB's threads read.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import duckdb

_FETCH = 2_000


def main() -> None:
    """Answer the job on stdin; what fails is the last line."""
    os.umask(0o077)
    job = json.load(sys.stdin)
    try:
        with duckdb.connect(config=job["config"]) as connection:
            through = _attach(connection, job)
            if job["to"]:
                _copy(connection, job, through)
            else:
                _rows(connection, job["sql"], through)
    except (duckdb.Error, OSError, ValueError) as error:
        _say({"error": str(error)})


def _attach(connection: duckdb.DuckDBPyConnection, job: dict[str, Any]) -> int:
    """Put the ledger's tables in reach, read-only; returns the last step's number."""
    connection.execute(f"LOAD {_quoted(job['extension'])}")
    connection.execute(f"ATTACH {_quoted(job['ledger'])} AS ledger (TYPE sqlite, READ_ONLY)")
    found = connection.execute(
        "SELECT last FROM sqlite_query('ledger', 'SELECT coalesce(max(seq), 0) AS last FROM steps')"
    ).fetchone()
    through = int(found[0]) if found else 0
    if job["through_seq"] is not None:
        through = min(through, int(job["through_seq"]))
    connection.execute(f"CREATE TEMP VIEW steps AS SELECT * FROM ledger.steps WHERE seq <= {through}")  # noqa: S608 - a number
    for table in ("contexts", "tasks", "decisions", "prices"):
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT * FROM ledger.{table}")  # noqa: S608 - from the tuple
    for name, value in job["parameters"].items():
        connection.execute(f"SET VARIABLE {name} = {_literal(value)}")
    return through


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, through: int) -> None:
    """The columns' names, then each row as a JSON array, then an object that ends them."""
    answer = connection.execute(sql)
    _say({"columns": [column[0] for column in answer.description or []], "through_seq": through})
    while rows := answer.fetchmany(_FETCH):
        sys.stdout.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    _say({})


def _copy(connection: duckdb.DuckDBPyConnection, job: dict[str, Any], through: int) -> None:
    """Write the answer as Parquet, and say what the written file holds."""
    to = _quoted(job["to"])
    connection.execute(f"COPY ({job['sql']}) TO {to} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")
    found = connection.execute(
        f"SELECT count(*), coalesce(sum({job['money']}), 0)::BIGINT FROM read_parquet({to})"  # noqa: S608 - our own column
    ).fetchone()
    rows, total = found or (0, 0)
    _say({"rows": rows, "cost_nanousd": total, "through_seq": through})


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    return f"{value}::BIGINT" if isinstance(value, int) else _quoted(value)


if __name__ == "__main__":
    main()
