"""The columns of a step in an export: their names, where they come from, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from spendgraph.ledger import ContextRow

Kind = Literal["text", "integer", "real", "dollars", "time"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As the export has it.
        kind: `dollars` are exact decimals of a nano-USD column, `time` is UTC of a microseconds column.
        source: The ledger's column.
    """

    name: str
    kind: Kind
    source: str


def _plain(kind: Kind, names: str) -> list[Column]:
    return [Column(name, kind, name) for name in names.split()]


STEP: Final = (
    *_plain("integer", "seq"),
    *_plain("text", "step_id entry corrects_step_id parent_step_id task_id thread_id"),
    Column("started", "time", "started_us"),
    Column("ended", "time", "ended_us"),
    Column("recorded", "time", "recorded_us"),
    *_plain("text", "feature team workload_class tenant environment user version template template_version"),
    *_plain("text", "workspace project cost_center priority extra missing_tags owner_team"),
    *_plain("text", "kind name provider model_requested model service_tier response_id graph node path"),
    *_plain("integer", "attempt is_replay input_tokens output_tokens cache_read_tokens"),
    *_plain("integer", "cache_write_5m_tokens cache_write_1h_tokens reasoning_tokens"),
    *_plain("integer", "audio_input_tokens audio_output_tokens image_tokens"),
    *_plain("real", "quantity"),
    *_plain("text", "unit"),
    Column("cost_usd", "dollars", "cost_nanousd"),
    *_plain("integer", "cost_nanousd"),
    *_plain("text", "cost_basis"),
    *_plain("integer", "estimate_nanousd reserved_nanousd saved_nanousd"),
    *_plain("text", "price_id usage_note status error_class"),
)
"""Every column of `steps` and every tag, except LangGraph's checkpoint namespace."""

TAGS: Final = frozenset(ContextRow._fields)
"""Those that come from `contexts`."""


def parquet_expression(column: Column) -> str:
    """The column in DuckDB's SQL; steps are aliased `s`, contexts `c`."""
    source = f'{"c" if column.source in TAGS else "s"}."{column.source}"'
    if column.kind == "dollars":
        exact = f"({source}::DECIMAL(19,0) * 0.000000001::DECIMAL(10,9))::DECIMAL(19,9)"
        return f'{exact} AS "{column.name}"'
    if column.kind == "time":
        return f'make_timestamptz({source}) AS "{column.name}"'
    return f'{source} AS "{column.name}"'
