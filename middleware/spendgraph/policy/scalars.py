"""The kinds of values a policy file holds: each read from text, each with its own word for what it expects."""

from __future__ import annotations

from datetime import date
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from spendgraph.policy.vocabulary import shortened, tag_name, tag_text

MAX_USD = Decimal(1_000_000)
MAX_USD_PLACES = 12
MAX_PERCENT = 1000
MAX_CHANNEL_CHARS = 2048
SCOPES = ("call", "task", "thread")
"""What a budget may count for, beside tags."""

# Rounds nothing that a policy file can hold, whatever the precision of the caller's own decimal context.
_WIDE = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_TEXT_OR_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _usd(value: object) -> Decimal:
    """Read dollars; a float from Python code is read through its repr."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError(f"expected dollars such as '0.25', found {shortened(value)}")  # noqa: TRY004 - pydantic reports ValueError
    try:
        amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, ValueError):
        raise ValueError(f"expected dollars such as '0.25', found {shortened(value)}") from None
    if not amount.is_finite() or not 0 <= amount <= MAX_USD:
        raise ValueError(f"expected dollars from 0 to {MAX_USD:,}, found {shortened(str(value))}")
    places = -int(amount.normalize(_WIDE).as_tuple().exponent)
    if places > MAX_USD_PLACES:
        raise ValueError(
            f"expected at most {MAX_USD_PLACES} decimal places, found {places:,}: {shortened(str(value))}"
        )
    return amount


def _day(value: object) -> date:
    """Read a calendar day; never a number of seconds, which pydantic would take."""
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and len(value) == len("2026-01-31"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"expected a day such as 2026-01-31, found {shortened(value)}")


def _count(value: object) -> int:
    """Read a whole number above zero."""
    if isinstance(value, str) and value.isascii() and value.replace("_", "").isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"expected a whole number above 0, found {shortened(value)}")
    return value


def _whole(value: object) -> int:
    """Read a whole number, zero included."""
    return 0 if value == "0" or (type(value) is int and value == 0) else _count(value)


def _percent(value: object) -> Decimal:
    """Read a percentage as a fraction: 1.1 for 110%."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            percent = Decimal(value[:-1].strip())
        except InvalidOperation:
            percent = Decimal(0)
        if percent.is_finite() and 0 < percent <= MAX_PERCENT and len(value) <= 12:
            return percent / 100
    raise ValueError(f"expected a percentage up to {MAX_PERCENT}% such as 80%, found {shortened(value)}")


def percent_text(fraction: Decimal) -> str:
    """A fraction as the percentage it was read from: `80%`."""
    return f"{(fraction * 100).normalize():f}%"


def _fraction(value: object) -> Decimal:
    """Read a number between 0 and 1."""
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)  # type: ignore[arg-type]
    except (InvalidOperation, ValueError, TypeError):
        number = Decimal(0)
    if not number.is_finite() or not 0 < number < 1 or isinstance(value, bool):
        raise ValueError(f"expected a number between 0 and 1 such as 0.95, found {shortened(value)}")
    return number


def _scope(value: object) -> str:
    """Read what a counter is kept for: a call, a task, a thread or a tag."""
    return value if isinstance(value, str) and value in SCOPES else _tag(value)


def _text(value: object) -> str:
    """Read text as a tag's value is read: visible, at most 256 characters, not empty."""
    text = tag_text("text", value)
    if not text.strip():
        raise ValueError("expected text, found none")
    return text


def _tag(value: object) -> str:
    """Read the name of a tag that says who pays."""
    if not isinstance(value, str):
        raise ValueError(f"expected the name of a tag, found {shortened(value)}")  # noqa: TRY004 - pydantic reports ValueError
    return tag_name(value)


def _baggage_tag(value: object) -> str:
    """Read the name of a tag that may come from another service; the task's id may, too."""
    return value if value == "task_id" and isinstance(value, str) else _tag(value)


def _report_tag(value: object) -> str:
    """Read the name of what a report shows of a payer: a tag, or the team that provides."""
    return value if value == "owner_team" and isinstance(value, str) else _tag(value)


def _channel(value: object) -> str:
    """Read the address of a channel; it is a secret, and no message shows any of it."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CHANNEL_CHARS or not value.isprintable():
        raise ValueError(
            f"expected an apprise URL such as slack://... of at most {MAX_CHANNEL_CHARS:,} visible characters"
        )
    return value.strip()


def _many(value: object) -> object:
    """One value where a list is expected is a list of one."""
    return (value,) if isinstance(value, str) else value


Usd = Annotated[
    Decimal,
    BeforeValidator(_usd),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^\d+(\.\d+)?$", "minimum": 0}),
]
"""Dollars, exact: from 0 to 1,000,000 with at most 12 decimal places."""

Whole = Annotated[int, BeforeValidator(_whole), WithJsonSchema({"type": "integer", "minimum": 0})]
Percent = Annotated[
    Decimal, BeforeValidator(_percent), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?%$"})
]
"""A percentage, as a fraction."""

Fraction = Annotated[
    Decimal,
    BeforeValidator(_fraction),
    WithJsonSchema({"type": ["string", "number"], "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Count = Annotated[int, BeforeValidator(_count), WithJsonSchema({"type": "integer", "minimum": 1})]
Text = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})
]
Tag = Annotated[str, BeforeValidator(_tag), WithJsonSchema({"type": "string"})]
ReportTag = Annotated[str, BeforeValidator(_report_tag), WithJsonSchema({"type": "string"})]
"""A tag, or `owner_team`, as reports show them."""

Texts = Annotated[tuple[Text, ...], BeforeValidator(_many), WithJsonSchema(_TEXT_OR_LIST)]
Channels = Annotated[
    tuple[Annotated[str, BeforeValidator(_channel)], ...],
    BeforeValidator(_many),
    WithJsonSchema(_TEXT_OR_LIST),
]
"""Addresses of channels, apprise URLs."""

Tags = Annotated[tuple[Tag, ...], BeforeValidator(_many), WithJsonSchema(_TEXT_OR_LIST)]
Scopes = Annotated[
    tuple[Annotated[str, BeforeValidator(_scope)], ...], BeforeValidator(_many), WithJsonSchema(_TEXT_OR_LIST)
]
BaggageTags = Annotated[
    tuple[Annotated[str, BeforeValidator(_baggage_tag)], ...],
    BeforeValidator(_many),
    WithJsonSchema(_TEXT_OR_LIST),
]
