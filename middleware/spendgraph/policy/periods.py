"""Periods and time zones, read from text."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, WithJsonSchema

from spendgraph.policy.vocabulary import shortened

CALENDAR = ("hour", "day", "week", "month", "quarter", "total")
"""Periods by the calendar; `total` never ends."""

_ROLLING = re.compile(r"rolling ([1-9][0-9]{0,5})([mhd])")
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_MOST_SECONDS = 400 * 86_400


def rolling_us(period: str | None) -> int:
    """The length of a rolling period in microseconds; 0 for one by the calendar."""
    match = _ROLLING.fullmatch(period or "")
    return int(match[1]) * _SECONDS[match[2]] * 1_000_000 if match else 0


def duration_us(text: str) -> int:
    """The length of a `Duration` in microseconds."""
    return int(text[:-1]) * _SECONDS[text[-1]] * 1_000_000


def _duration(value: object) -> str:
    if isinstance(value, str) and 0 < rolling_us(f"rolling {value}") <= _MOST_SECONDS * 1_000_000:
        return value
    raise ValueError(f"expected a time up to 400 days such as 30m, 24h or 7d, found {shortened(value)}")


def _period(value: object) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if text in CALENDAR or 0 < rolling_us(text) <= _MOST_SECONDS * 1_000_000:
        return text
    raise ValueError(
        f"expected {', '.join(CALENDAR)}, or rolling and up to 400 days such as 'rolling 24h', found {shortened(value)}"
    )


def _zone(value: object) -> str:
    if isinstance(value, str):
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            pass
        else:
            return value
        near = next((name for name in sorted(available_timezones()) if name.lower() == value.lower()), "")
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"expected a time zone such as 'Europe/Berlin', found {shortened(value)}{hint}")
    raise ValueError(f"expected a time zone such as 'Europe/Berlin', found {shortened(value)}")


Duration = Annotated[
    str, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[0-9]+[mhd]$"})
]
"""A length of time in minutes, hours or days."""

Period = Annotated[str, BeforeValidator(_period), WithJsonSchema({"type": "string"})]
"""A period by the calendar, or a rolling one."""

ZoneName = Annotated[str, BeforeValidator(_zone), WithJsonSchema({"type": "string"})]
"""A time zone of the IANA database."""
