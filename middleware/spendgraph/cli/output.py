"""How commands speak: tables for people and JSON for machines on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from spendgraph.clock import iso

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200

_DURATIONS = frozenset({"took_us"})


def console(*, stderr: bool = False) -> Console:
    """A rich console; imported here because rich costs more than most commands."""
    from rich.console import Console

    # Tags are data: no markup, no emoji codes, no highlighting in what users wrote. A pipe has no width to keep to.
    shown = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not shown.is_terminal and "COLUMNS" not in os.environ:
        shown.width = PIPE_WIDTH
    return shown


def print_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """One JSON document on stdout; money is integer nano-USD in keys that end in `_nanousd`.

    Times are ISO text in UTC; where there are microseconds under a name that ends in `_us`, the text stands behind them.
    """
    print(json.dumps(with_iso(value), indent=2, ensure_ascii=False))


def with_iso(value: object) -> Any:
    """A document in which every time in microseconds stands as text, too, under its name without the `_us`.

    Where that name is taken, as `asked` is by an amount, it ends in `_at`.

    >>> with_iso({"started_us": 0})
    {'started_us': 0, 'started': '1970-01-01T00:00:00Z'}
    """
    if isinstance(value, Mapping):
        found: dict[Any, Any] = {}
        given = cast("Mapping[Any, object]", value)
        for name, each in given.items():
            found[name] = with_iso(each)
            is_time = isinstance(name, str) and name.endswith("_us") and name not in _DURATIONS
            if is_time and isinstance(each, int | None):
                text, short = None if each is None else iso(each), name.removesuffix("_us")
                found[short if given.get(short, text) == text else f"{short}_at"] = text
        return found
    if isinstance(value, list | tuple):
        return [with_iso(each) for each in cast("Sequence[object]", value)]
    return value


def say(message: str) -> None:
    """One line for a person, on stderr."""
    print(f"spendgraph: {message}", file=sys.stderr)


def plain(text: str) -> str:
    r"""Text from a ledger as a terminal may show it: control and format characters become visible escapes.

    >>> plain("acme" + chr(27) + "[2J")
    'acme\\x1b[2J'
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character)[0] == "C"
        else character
        for character in text
    )


def amounts(nanousd: Sequence[int]) -> list[str]:
    """Dollars of one column, all with the places that its most precise amount needs, two at least.

    >>> amounts([1_500_000_000, 22_486_250])
    ['$1.50000000', '$0.02248625']
    """
    from spendgraph.money import format_usd

    texts = [format_usd(amount) for amount in nanousd]
    places = max((len(text.partition(".")[2]) for text in texts), default=2)
    return [text + "0" * (places - len(text.partition(".")[2])) for text in texts]
