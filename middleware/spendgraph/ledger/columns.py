"""The names that may be asked for, and their SQL: nothing else of a question ever becomes SQL text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from spendgraph.clock import to_us
from spendgraph.errors import unexpected
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


def names(by: Sequence[str]) -> Sequence[str]:
    """Names to group by.

    Raises:
        ValueError: It is one name, whose letters would be taken for names.
    """
    if isinstance(by, str):
        raise ValueError(unexpected("", f"a list of names for by, such as [{by!r}]", by))  # noqa: TRY004 - bad arguments are one kind of error
    return by


def where(
    filters: dict[str, object], since: datetime | int | None = None, until: datetime | int | None = None
) -> tuple[str, Parameters]:
    """A WHERE condition: names equal to a value, or to one of several; since <= start < until.

    Raises:
        ValueError: There is no such name, or a moment is none, or has no time zone.
    """
    conditions, parameters = ["1"], Parameters()
    for name, value in filters.items():
        condition, own = matches(*expression(name), value)
        conditions.append(condition)
        parameters += own
    for moment, comparison in ((since, ">="), (until, "<")):
        if moment is not None:
            conditions.append(f"s.started_us {comparison} ?")
            parameters.append(microseconds(moment))
    return " AND ".join(conditions), parameters


def microseconds(moment: datetime | int) -> int:
    """A moment in microseconds UTC.

    Raises:
        ValueError: It is no moment, or a datetime without a time zone.
    """
    if isinstance(moment, datetime):
        return to_us(moment)
    if not isinstance(moment, int):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
        raise ValueError(unexpected("", "a datetime with a time zone, or microseconds", moment))  # noqa: TRY004 - bad arguments are one kind of error
    return moment
