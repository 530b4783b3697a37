"""What goes into a cell: exact dollars, UTC times, and text that no spreadsheet takes for a formula."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from spendgraph.money import NANO_PER_USD

# A formula begins with one of = + - @ (or their full-width twins), after blanks too. Where a file is split at another
# separator than the one it was written with, the rest of a cell stands in a cell of its own: hence ; , | and tab.
_FORMULA = re.compile(r"(^|[;,|\t\r\n])([\s\x00]*)(?=[=+\-@＝＋－＠])")
_BLANK_START = re.compile(r"^(?=[\t\r\n])")


@lru_cache(maxsize=50_000)
def safe(text: str) -> str:
    r"""Text as a CSV may hold it: a quote stands before whatever could be read as a formula.

    >>> safe("=cmd|' /C calc'!A0"), safe("plain - text"), safe("a;=1+1")
    ("'=cmd|' /C calc'!A0", 'plain - text', "a;'=1+1")
    """
    return _BLANK_START.sub("'", _FORMULA.sub(r"\1\2'", text))


def dollars(nanousd: int) -> str:
    """Exact dollars as digits, two places at least, and never an exponent.

    >>> dollars(2), dollars(-1_500_000_000), dollars(0)
    ('0.000000002', '-1.50', '0.00')
    """
    whole, fraction = divmod(abs(nanousd), NANO_PER_USD)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nanousd < 0 else ''}{whole}.{digits}"


def number(value: float) -> str:
    """A quantity as digits, without an exponent.

    >>> number(5.0), number(0.25), number(1e-07)
    ('5', '0.25', '0.0000001')
    """
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
