"""The names that may be asked for, and their SQL: nothing else of a question ever becomes SQL text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from spendgraph.clock import to_us
from spendgraph.ledger.records import ContextRow, StepRow

TAGS: Final = tuple(name for name in ContextRow._fields if name not in {"context_id", "extra"})
"""The standard tags that are columns of `contexts`."""

STEP_COLUMNS: Final = ("seq", *StepRow._fields)
"""The columns of `steps`."""

_BUCKETS: Final = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m"}
_EXTRA = re.compile(r"extra\.([a-z][a-z0-9_]{0,39})")

Parameters = list[object]


def expression(name: str) -> tuple[str, Parameters]:
    """The SQL of a column, a tag, `extra.<key>`, or a UTC time bucket (`hour`, `day`, `month`).

    Steps are aliased `s`, contexts `c`.

    Raises:
        ValueError: There is no such name.
    """
    if name in TAGS:
        return f"c.{name}", []
    if name in STEP_COLUMNS:
        return f"s.{name}", []
    if name in _BUCKETS:
        return f"strftime('{_BUCKETS[name]}', s.started_us / 1000000, 'unixepoch')", []
    if match := _EXTRA.fullmatch(name):
        return "coalesce(json_extract(c.extra, ?), '')", [f'$."{match[1]}"']
    known = ", ".join([*TAGS, *_BUCKETS, "extra.<key>", *STEP_COLUMNS])
    raise ValueError(f"the ledger has no column {name!r}; it has {known}")


def matches(sql: str, own: Parameters, value: object) -> tuple[str, Parameters]:
    """The condition that an expression is a value, or one of several."""
    if value is None:
        return f"{sql} IS NULL", own
    if isinstance(value, Iterable) and not isinstance(value, str):
        values: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType] - any values
        return f"{sql} IN ({', '.join('?' * len(values))})", [*own, *values]
    return f"{sql} = ?", [*own, value]


def where(
    filters: dict[str, object], since: datetime | int | None = None, until: datetime | int | None = None
) -> tuple[str, Parameters]:
    """A WHERE condition: names equal to a value, or to one of several; since <= start < until.

    Raises:
        ValueError: There is no such name, or a datetime has no time zone.
    """
    conditions, parameters = ["1"], Parameters()
    for name, value in filters.items():
        condition, own = matches(*expression(name), value)
        conditions.append(condition)
        parameters += own
    for moment, comparison in ((since, ">="), (until, "<")):
        if moment is not None:
            conditions.append(f"s.started_us {comparison} ?")
            parameters.append(to_us(moment) if isinstance(moment, datetime) else moment)
    return " AND ".join(conditions), parameters
