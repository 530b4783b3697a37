"""Something that people are told, once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from spendgraph.money import format_amount

Severity = Literal["info", "warning", "critical"]

_SEVERITIES: Final = ("info", "warning", "critical")
_UNITS: Final = ("", "nanousd", "tokens", "calls")

_MOST_CHARS: Final = 2000

_UNPRINTABLE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_MENTION: Final = re.compile(r"@(?=(?:here|everyone|channel|all|room)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people are told, once: what is equal in `kind`, `about`, `scope`, `window_start_us`, `threshold`, `limit` and `key` is one alert.

    Neither title nor message may hold what a user or a model wrote; tags may stand in them.

    Attributes:
        kind: `threshold`, `overrun`, `pace`, `blocked`, `approval`, `dear_call`, `breaker`, or a word of your own.
        about: The budget or the breaker it is about.
        title: One line.
        message: What happened and what to do.
        to: Names of the policy's `notify`; others are ignored.
        severity: How bad it is.
        scope: Whose counter, as `tenant=acme`.
        window_start_us: The window it is about.
        threshold: In `unit`, the spending from which it is raised.
        unit: What amounts count: `nanousd`, `tokens`, `calls`, or empty.
        limit: The limit.
        spent: What is spent.
        task_id: The task it is about.
        key: What else makes it this alert, such as an approval's id or the hour.
    """

    kind: str
    about: str
    title: str
    message: str
    to: tuple[str, ...] = ()
    severity: Severity = "warning"
    scope: str = ""
    window_start_us: int | None = None
    threshold: int | None = None
    unit: Literal["", "nanousd", "tokens", "calls"] = ""
    limit: int | None = None
    spent: int | None = None
    task_id: str = ""
    key: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the ledger would refuse."""
        if not self.kind or self.severity not in _SEVERITIES or self.unit not in _UNITS:
            raise ValueError(
                f"expected a kind, a severity of {_SEVERITIES} and a unit of {_UNITS}, found {self.kind!r},"
                f" {self.severity!r} and {self.unit!r}"
            )

    @property
    def alert_id(self) -> str:
        """What makes it this alert, hashed: 32 hex digits."""
        what = (self.kind, self.about, self.scope, self.window_start_us, self.threshold, self.limit, self.key)
        return hashlib.blake2b(orjson.dumps(what), digest_size=16).hexdigest()


def harmless(text: str) -> str:
    """Text in which tags can neither call out a whole room nor draw links: tags are data."""
    text = _UNPRINTABLE.sub(" ", text.replace("<", "‹").replace(">", "›"))
    return _MENTION.sub("@ ", text)[:_MOST_CHARS]


def shown(count: int, unit: str) -> str:
    """An amount for a person."""
    return format_amount(count, unit)
