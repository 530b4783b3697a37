"""A ledger of millions of steps: a simulated month of a company, written by the ledger's code, and copied 78 times inside SQLite.

The month is the demo's history (28 days, 50 tenants, seven features). Its copies are 13 such months in a row, one year, of six companies, with tags,
ids and times of their own: 12 features of 8 teams, 300 tenants, 2,000 users, a new version of everything each month. They are written into
today's schema with its triggers, and `verify` has nothing to say about them. There are no budgets and no windows: nothing here reserves.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, Final

from spendgraph.context import CostContext
from spendgraph.hooks.references import References
from spendgraph.ledger import Ledger, StepRow
from spendgraph_demo.history import Parameters, write_history

MONTHS: Final = 13
COMPANIES: Final = 6
DAYS: Final = 28

END: Final = date(2025, 12, 31)
"""The first day after the last step: all of them are of 2025."""

LARGEST: Final = "globex"
"""The tenant with the most steps: a twentieth of all of them."""

_TENANTS: Final = 50
_STEPS_AT_SCALE_1: Final = 49_800
_DAY_MS: Final = 86_400_000
_BESIDE_MS: Final = 660_000
"""How long after the company before it each one does the same."""

_ELSEWHERE: Final = {
    "inbox-triage": ("mail-routing", "support"),
    "contract-review": ("policy-check", "risk"),
    "lead-research": ("market-scan", "marketing"),
    "weekly-digest": ("monthly-report", "success"),
    "document-index": ("image-index", "data"),
}
"""What every other company calls a feature, and the team that pays for it there."""

_IDS: Final = ("step_id", "task_id", "corrects_step_id", "parent_step_id", "thread_id")
_TIMES: Final = ("started_us", "ended_us", "recorded_us")
_BATCH: Final = 2_000

Progress = Callable[[str, int, int], None]
"""Called with what is being made, how much of it there is, and how much there will be."""


def build(path: Path, steps: int, progress: Progress, after_month: Callable[[int], None]) -> None:
    """Make a ledger of about so many steps.

    Args:
        path: The ledger, which is not there yet. The month is written into a folder beside it, and removed.
        steps: How many.
        progress: Is told how far it is.
        after_month: Called with how many months are written, after each of them.
    """
    folder = path.with_suffix(".month")
    shutil.rmtree(folder, ignore_errors=True)  # an earlier one was interrupted
    folder.mkdir()
    month = folder / "ledger.db"
    scale = max(0.01, steps / MONTHS / COMPANIES / _STEPS_AT_SCALE_1)
    parameters = Parameters(end=END, days=DAYS, tenants=_TENANTS, scale=scale)
    write_history(month, parameters, lambda days, _: progress("days of one month", days, DAYS))
    with closing(sqlite3.connect(month)) as connection:
        connection.row_factory = sqlite3.Row
        with Ledger.open(path) as ledger:
            _write_contexts(connection, ledger, progress)
        _prepare(connection)
        connection.commit()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous = OFF", "temp_store = MEMORY", "cache_size = -500000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ? AS month", (str(month),))
        connection.execute("INSERT INTO prices SELECT * FROM month.prices")
        for number in range(MONTHS):
            connection.execute("BEGIN")
            connection.execute(_COPY_TASKS, (number,))
            connection.execute(_COPY_STEPS, (number,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            progress("months of six companies", number + 1, MONTHS)
            after_month(number + 1)
    shutil.rmtree(folder)


def _write_contexts(month: sqlite3.Connection, ledger: Ledger, progress: Progress) -> None:
    """Every context of every copy, under the hash of its tags, and which is a copy of which."""
    month.execute(
        "CREATE TABLE copies (month INTEGER, company INTEGER, later_ms INTEGER, PRIMARY KEY (month, company))"
    )
    month.execute(
        "CREATE TABLE renamed (context_id TEXT, month INTEGER, company INTEGER, renamed_id TEXT,"
        " PRIMARY KEY (context_id, month, company)) WITHOUT ROWID"
    )
    rows = [dict(row) for row in month.execute("SELECT * FROM contexts")]
    references = References()
    for number in range(MONTHS):
        for company in range(COMPANIES):
            later_ms = company * _BESIDE_MS - (MONTHS - 1 - number) * DAYS * _DAY_MS
            month.execute("INSERT INTO copies VALUES (?, ?, ?)", (number, company, later_ms))
            contexts = [(row["context_id"], _renamed(row, number, company)) for row in rows]
            month.executemany(
                "INSERT INTO renamed VALUES (?, ?, ?, ?)",
                ((known, number, company, context.context_id) for known, context in contexts),
            )
            for start in range(0, len(contexts), _BATCH):
                batch = contexts[start : start + _BATCH]
                ledger.post(*(record for _, context in batch for record in references.introduction(context)))
        progress("months of contexts", number + 1, MONTHS)


def _renamed(row: dict[str, Any], number: int, company: int) -> CostContext:
    """Who pays for a copy."""
    tags = {name: value for name, value in row.items() if value and name not in ("context_id", "extra")}
    if company % 2 and tags.get("feature") in _ELSEWHERE:
        tags["feature"], tags["team"] = _ELSEWHERE[tags["feature"]]
    if company and "tenant" in tags and tags["tenant"] != "internal":
        tags["tenant"] += f"-{company}"
    if company and "user" in tags:
        tags["user"] += f"-{company}"
    if "version" in tags:
        tags["version"] = f"{tags['version'].rpartition('.')[0]}.{number}"
    return CostContext(**tags)


def _prepare(month: sqlite3.Connection) -> None:
    """Take each id apart into the time in it and the rest, so that a copy has a time of its own there too."""
    month.create_function("ms_of", 1, _ms_of, deterministic=True)
    for table, order in (("steps", "seq"), ("tasks", "rowid")):
        names = [row["name"] for row in month.execute(f"PRAGMA table_info({table})")]
        parts = ", ".join(
            f"CASE WHEN {name} <> '' THEN ms_of({name}) END AS {name}_ms, substr({name}, 17) AS {name}_rest"
            for name in _IDS
            if name in names
        )
        month.execute(f"CREATE TABLE apart_{table} AS SELECT *, {parts} FROM {table} ORDER BY {order}")


def _ms_of(found: str) -> int:
    return int(found[:8] + found[9:13], 16)


def _copy(table: str, columns: Iterable[str]) -> str:
    """The statement that writes a month of all companies in the order of writing."""
    selected: list[str] = []
    for name in columns:
        if name in _IDS:
            # The company takes the place of a random digit.
            time_ms = f"(s.{name}_ms + k.later_ms)"
            made = f"printf('%08x-%04x-7%x%s', {time_ms} >> 16, {time_ms} & 65535, k.company, s.{name}_rest)"
            selected.append(f"CASE WHEN s.{name}_ms IS NULL THEN s.{name} ELSE {made} END")
        elif name in _TIMES:
            selected.append(f"s.{name} + k.later_ms * 1000")
        else:
            selected.append("r.renamed_id" if name == "context_id" else f"s.{name}")
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(selected)} FROM month.apart_{table} AS s"
        " CROSS JOIN month.copies AS k ON k.month = ?1"
        " CROSS JOIN month.renamed AS r ON r.context_id = s.context_id AND r.month = k.month AND r.company = k.company"
        " ORDER BY s.rowid, k.company"
    )


_COPY_STEPS: Final = _copy("steps", StepRow._fields)
_COPY_TASKS: Final = _copy(
    "tasks",
    (
        "task_id",
        "context_id",
        "thread_id",
        "graph",
        "status",
        "resumable",
        "outcome",
        "value_nanousd",
        "started_us",
        "ended_us",
    ),
)
