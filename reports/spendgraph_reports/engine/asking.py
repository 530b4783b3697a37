"""Asking: a question goes to a child process, its rows come back as a stream, or go into a Parquet file.

The ledger's file is never opened by DuckDB in this process (docs/decisions/0008).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

from spendgraph.errors import LedgerError
from spendgraph.ledger import LedgerReader
from spendgraph_reports.errors import QueryError, ReportsUnavailable

EXTENSION: Final = "duckdb_extension_sqlite_scanner"
MEMORY_LIMIT: Final = "1GB"
"""Of DuckDB; what needs more goes to a temporary directory."""

_PROGRAM: Final = Path(__file__).with_name("answering.py")


@dataclass(frozen=True, slots=True)
class Question:
    """A SELECT over `steps`, `contexts`, `tasks`, `decisions` and `prices`, in DuckDB's SQL.

    Attributes:
        sql: The SELECT. Values stand in it as `getvariable('name')`, never as text.
        parameters: The values by name.
        through_seq: The last step that is seen; the last one of all, when not given.
    """

    sql: str
    parameters: Mapping[str, int | str | None] = field(default_factory=dict[str, int | str | None])
    through_seq: int | None = None

    def __post_init__(self) -> None:
        """Names become SQL, so they are words."""
        for name in self.parameters:
            if not (name.isascii() and name.isidentifier()):
                raise ValueError(f"expected a word as the parameter's name, found {name!r}")


@dataclass(frozen=True, slots=True)
class Copied:
    """What a written Parquet file holds, read back from it.

    Attributes:
        rows: How many.
        cost_nanousd: Their cost in all.
        through_seq: The last step of the ledger when it was asked.
    """

    rows: int
    cost_nanousd: int
    through_seq: int


def ask(ledger: str | Path, question: Question) -> Generator[dict[str, Any], None, None]:
    """The rows of an answer as they come, by column name.

    Raises:
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        LedgerError: It is not a ledger in a file, or not of this version.
        QueryError: The question failed.
    """
    with _answering(ledger, question, to=None) as stdout:
        first = _line(next(stdout, b""))
        names: list[str] = first.get("columns", [])
        last = first
        for line in stdout:
            row = _line(line)
            if not isinstance(row, list):  # the last line, or one that was cut
                last = row
                break
            yield dict(zip(names, row, strict=True))  # pyright: ignore[reportUnknownArgumentType] - any values
    _expect_answer(ledger, last)


def copy_to_parquet(
    ledger: str | Path, question: Question, to: Path, *, money: str = "cost_nanousd"
) -> Copied:
    """Write the rows of an answer into a Parquet file that is there already (and keeps its mode).

    Args:
        ledger: The ledger.
        question: What to write.
        to: The file.
        money: The answer's column of nano-USD that is summed.

    Raises:
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        LedgerError: It is not a ledger in a file, or not of this version.
        QueryError: The question failed.
    """
    with _answering(ledger, question, to=to, money=money) as stdout:
        said = _line(next(stdout, b""))
    _expect_answer(ledger, said)
    return Copied(**said)


@contextmanager
def _answering(
    ledger: str | Path, question: Question, *, to: Path | None, money: str = ""
) -> Generator[IO[bytes]]:
    """The child's output; that it went well is known when it ends."""
    place = LedgerReader.at(ledger).place
    if place.in_memory:
        raise LedgerError(
            "expected a ledger in a file: another process reads it, and cannot see one in memory"
        )
    extension = str(_extension())
    with (
        tempfile.TemporaryDirectory(prefix="spendgraph-") as spill,
        tempfile.TemporaryFile() as job,
        tempfile.TemporaryFile() as errors,
    ):
        wanted = {
            "ledger": place.name,
            "extension": extension,
            "sql": question.sql,
            "parameters": dict(question.parameters),
            "through_seq": question.through_seq,
            "to": None if to is None else str(to),
            "money": money,
            "config": {
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": spill,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        }
        job.write(json.dumps(wanted).encode())
        job.seek(0)
        # -P: the folder of the program is no place to import from. The path is ours: an editable install, a test.
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=job,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        ) as child:
            assert child.stdout is not None
            finished = False
            try:
                yield child.stdout
                finished = True
            finally:
                if not finished:
                    child.kill()
        if child.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()[-500:]
            raise QueryError(
                f"a question to the ledger {place.name} failed: the process ended with {child.returncode}: {said}"
            )


def _line(line: bytes) -> Any:
    """A line of the child's; one that was cut short is empty, and the child's exit code says why."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def _expect_answer(ledger: str | Path, last: dict[str, Any]) -> None:
    if "error" in last:
        raise QueryError(f"a question to the ledger {ledger} failed: {last['error']}")


def _extension() -> Path:
    """DuckDB's SQLite reader as it comes from the package registry; nothing is downloaded."""
    if find_spec("duckdb") is None or (found := find_spec(EXTENSION)) is None or found.origin is None:
        raise ReportsUnavailable(
            "this needs DuckDB and its SQLite reader, which are not installed: pip install 'spendgraph[reports]'"
        )
    (*files,) = Path(found.origin).parent.rglob("sqlite_scanner.duckdb_extension")
    if not files:
        raise ReportsUnavailable(
            f"the package {EXTENSION} holds no extension for this platform; install it again"
        )
    return files[0]
