"""Money is integer nano-USD: 1 USD = 1,000,000,000.

One door for amounts from outside (`nanousd`), one way out for people (`format_usd`). No float ever holds
money on its way to the ledger: a float that a user passes is read through its repr.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

NANO_PER_USD = 1_000_000_000
"""Nano-USD in one US dollar."""

MAX_NANOUSD = 2**63 - 1
"""The largest amount a SQLite integer holds: about 9.2 billion dollars."""


def nanousd(amount: str | Decimal | float, *, name: str = "amount", signed: bool = False) -> int:
    """Read an amount as integer nano-USD.

    Args:
        amount: An `int` is nano-USD already; `str`, `Decimal` and `float` are dollars (a float through its
            repr), rounded half even to the nano-dollar.
        name: What the amount is, for the error message.
        signed: Accept negative amounts.

    Raises:
        ValueError: The amount is not a finite number, is negative, or does not fit the ledger.
    """
    if isinstance(amount, bool):
        raise ValueError(f"{name}: expected an amount of money, found {amount!r}")  # noqa: TRY004 - one error for all
    if isinstance(amount, int):
        value = amount
    else:
        try:
            dollars = Decimal(repr(float(amount))) if isinstance(amount, float) else Decimal(amount)
            value = round_nanousd(dollars * NANO_PER_USD)
        except (ArithmeticError, ValueError, TypeError):
            raise ValueError(f"{name}: expected dollars such as '0.25', found {amount!r}") from None
    if value < 0 and not signed:
        raise ValueError(f"{name}: expected an amount of at least 0, found {amount!r}")
    if abs(value) > MAX_NANOUSD:
        raise ValueError(f"{name}: {amount!r} is more than a ledger can hold")
    return value


def round_nanousd(exact: Decimal) -> int:
    """Round an exact amount of nano-USD to a whole one, half even.

    Raises:
        ValueError: The amount is not finite.
    """
    if not exact.is_finite():
        raise ValueError(f"expected a finite amount, found {exact}")
    return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))


def usd(nano: int) -> Decimal:
    """The exact dollars of an amount in nano-USD."""
    return Decimal(nano).scaleb(-9)


def format_usd(nano: int) -> str:
    """Dollars for a person: `$1,234.50`, and as many places below a cent as the amount needs.

    >>> format_usd(22_486_250)
    '$0.02248625'
    >>> format_usd(-1_500_000_000)
    '-$1.50'
    """
    whole, fraction = divmod(abs(nano), NANO_PER_USD)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole:,}.{digits}"


def format_amount(count: int, unit: str) -> str:
    """An amount in a budget's unit (`nanousd`, `tokens` or `calls`) for a person.

    >>> format_amount(1_500_000_000, "nanousd"), format_amount(1, "calls"), format_amount(2000, "tokens")
    ('$1.50', '1 call', '2,000 tokens')
    """
    return (
        format_usd(count)
        if unit == "nanousd"
        else f"{count:,} {unit.removesuffix('s') if count == 1 else unit}"
    )


def is_or_are(count: int, unit: str) -> str:
    """The verb after such an amount: `$2.00 is spent`, `2 calls are spent`."""
    return "is" if unit == "nanousd" or count == 1 else "are"
