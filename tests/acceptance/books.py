"""The ledger's file, read with SQLite alone, and its comparison with an invoice."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from provider import Line

Row = Mapping[str, Any]
"""One step with the tags of its context."""

STEPS = "SELECT c.*, s.* FROM steps AS s JOIN contexts AS c USING (context_id) ORDER BY s.seq"


class Pair(NamedTuple):
    """A billed response and the step that booked it."""

    line: Line
    row: Row


def query(ledger: Path, sql: str) -> list[dict[str, Any]]:
    """The rows of a question to the ledger's file."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def steps(ledger: Path) -> list[dict[str, Any]]:
    """Every step with its tags, in the order of writing."""
    return query(ledger, STEPS)


def charges(rows: Sequence[Row]) -> list[Row]:
    """The steps that say a provider was paid; refused attempts and cache hits say it was not."""
    return [
        row
        for row in rows
        if row["kind"] in {"model", "embedding", "rerank"}
        and row["status"] != "cache_hit"
        and not (row["status"] == "error" and row["cost_nanousd"] == 0 and row["input_tokens"] == 0)
    ]


def pair(lines: Sequence[Line], rows: Sequence[Row]) -> tuple[list[Pair], list[Line], list[Row]]:
    """Match lines with steps, by response id where both have one and by model and usage otherwise.

    Returns:
        The pairs, the lines that no step books (missed) and the steps that no line bills (too many).
    """
    by_id = {row["response_id"]: row for row in reversed(rows) if row["response_id"]}
    left = list(rows)
    pairs: list[Pair] = []
    others: list[Line] = []
    for line in lines:
        row = by_id.get(line.response_id)
        if row is not None and row in left:
            pairs.append(Pair(line, row))
            left.remove(row)
        else:
            others.append(line)
    missed: list[Line] = []
    for line in others:
        found = next((row for row in left if not row["response_id"] and _same_usage(line, row)), None)
        if found is None:
            missed.append(line)
        else:
            pairs.append(Pair(line, found))
            left.remove(found)
    return pairs, missed, left


def differences(lines: Sequence[Line], rows: Sequence[Row], tags: Mapping[str, str]) -> list[str]:
    """Everything in which the ledger is not the invoice; each payer's `tenant` is the line's own.

    Args:
        lines: The provider's invoice.
        rows: Every step of the ledger.
        tags: The tags every step must carry.
    """
    pairs, missed, extra = pair(lines, charges(rows))
    found = [f"missed: {line}" for line in missed]
    found += [f"too many: {_brief(row)}" for row in extra]
    for line, row in pairs:
        for name, expected, actual in (
            ("amount", line.amount, row["cost_nanousd"]),
            ("model", line.model, row["model"]),
            ("tier", line.tier, row["service_tier"]),
            ("tenant", line.tenant, row["tenant"]),
            ("missing tags", "", row["missing_tags"]),
            ("exactness", True, row["cost_basis"] in {"reported", "configured"}),
            *((tag, value, row[tag]) for tag, value in tags.items()),
        ):
            if expected != actual:
                found.append(f"{name}: {expected!r} on {line}, {actual!r} in {_brief(row)}")
    total, booked = sum(line.amount for line in lines), sum(row["cost_nanousd"] for row in rows)
    if total != booked:
        found.append(f"total: {total} billed, {booked} booked")
    return found


def _same_usage(line: Line, row: Row) -> bool:
    tokens = line.tokens
    booked = (row["model"], row["input_tokens"], row["output_tokens"], row["cache_read_tokens"])
    return booked == (line.model, tokens.input, tokens.output, tokens.cache_read)


def _brief(row: Row) -> str:
    names = (
        "kind name model service_tier response_id node status cost_basis usage_note input_tokens output_tokens "
        "cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens reasoning_tokens cost_nanousd "
        "tenant missing_tags error_class"
    )
    return ", ".join(f"{name}={row[name]!r}" for name in names.split() if row[name])
