"""How commands speak: tables for people and JSON for machines on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200


def console(*, stderr: bool = False) -> Console:
    """A rich console; imported here because rich costs more than most commands."""
    from rich.console import Console

    # Tags are data: no markup, no emoji codes, no highlighting in what users wrote. A pipe has no width to keep to.
    shown = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not shown.is_terminal and "COLUMNS" not in os.environ:
        shown.width = PIPE_WIDTH
    return shown


def print_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """One JSON document on stdout; money is integer nano-USD in keys that end in `_nanousd`."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


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
